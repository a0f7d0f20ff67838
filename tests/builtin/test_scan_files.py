"""What makes each of the files valid, without any network."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.builtin.scan_domain.finding import KINDS
from mcp_app.builtin.scan_domain.steps import file_formats as formats

NOW = datetime(2026, 1, 1, tzinfo=UTC)

VALID = [
    (formats.robots_txt, ""),
    (formats.robots_txt, "# only a remark\n"),
    (formats.robots_txt, "USER-AGENT : *\r\nDisallow: /\r\n"),
    (formats.robots_txt, "Sitemap: https://site.test/map.xml"),
    (formats.llms_txt, "\n\n# Name\n> words"),
    (formats.security_txt, "Contact: mailto:a@b.test\nExpires: 2026-06-01T00:00:00Z\n"),
    (formats.security_txt, "# hi\nCONTACT: https://b.test/c\nContact: tel:+1\nexpires: 2026-06-01T00:00:00+02:00\n"),
    (
        formats.security_txt,
        (
            "-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n\r\nContact: mailto:a@b.test\r\n"
            "- -x\r\nExpires: 2026-06-01T00:00:00Z\r\n-----BEGIN PGP SIGNATURE-----\r\nContact: none\r\n"
        ),
    ),
    (formats.mcp_json, '{"name": "x", "endpoint": "https://site.test/mcp"}'),
    (formats.mcp_json, '{"endpoints": {"streamable_http": "/mcp"}}'),
    (formats.mcp_json, '{"mcpServers": {"x": {"url": "https://site.test/mcp"}}}'),
    (formats.server_card, '{"name": "a/b", "version": "1", "description": "d"}'),
    (formats.server_card, '{"serverInfo": {"name": "b", "version": "1"}}'),
    (formats.ai_catalog, '{"specVersion": "1.0", "entries": []}'),
    (formats.ai_catalog, '{"specVersion": "1.0", "entries": [{"identifier": "i", "type": "t", "data": {}}]}'),
]

WRONG = [
    (formats.robots_txt, "hello there", "neither"),
    (formats.llms_txt, "", "begin"),
    (formats.llms_txt, "## Name", "begin"),
    (formats.llms_txt, "#Name", "begin"),
    (formats.security_txt, "", "no Contact"),
    (formats.security_txt, "Expires: 2026-06-01T00:00:00Z", "no Contact"),
    (formats.security_txt, "Contact: a@b.test\nExpires: 2026-06-01T00:00:00Z", "not a URI"),
    (formats.security_txt, "Contact: mailto:a@b.test", "0 Expires"),
    (formats.security_txt, "Contact: mailto:a@b.test\n" + "Expires: 2026-06-01T00:00:00Z\n" * 2, "2 Expires"),
    (formats.security_txt, "Contact: mailto:a@b.test\nExpires: next year", "RFC 3339"),
    (formats.security_txt, "Contact: mailto:a@b.test\nExpires: 2026-06-01T00:00:00", "RFC 3339"),
    (formats.security_txt, "Contact: mailto:a@b.test\nExpires: 2025-12-31T23:59:59Z", "expired on 2025-12-31"),
    (formats.mcp_json, "{", "not JSON"),
    (formats.mcp_json, "[]", "not an object"),
    (formats.mcp_json, "{}", "no endpoint"),
    (formats.mcp_json, "[" * 100_000, "not JSON"),
    (formats.mcp_json, '{"a":' * 100_000, "not JSON"),
    (formats.mcp_json, "1" * 200_000, "not JSON"),
    (formats.server_card, '{"name": "a/b", "version": 1}', "version, description"),
    (formats.server_card, '{"serverInfo": []}', "name, version, description"),
    (formats.ai_catalog, '{"entries": []}', "specVersion"),
    (formats.ai_catalog, '{"specVersion": "1.0", "entries": {}}', "not a list"),
    (formats.ai_catalog, '{"specVersion": "1.0", "entries": [3]}', "entry 0"),
    (formats.ai_catalog, '{"specVersion": "1.0", "entries": [{"identifier": "i", "type": "t"}]}', "entry 0"),
]

ALL = [
    formats.robots_txt,
    formats.llms_txt,
    formats.security_txt,
    formats.mcp_json,
    formats.server_card,
    formats.ai_catalog,
]


@pytest.mark.parametrize(("judge", "text"), VALID)
def test_valid_files(judge: formats.Judge, text: str) -> None:
    assert judge(text, NOW).problem is None


@pytest.mark.parametrize(("judge", "text", "why"), WRONG)
def test_wrong_files_say_what_is_wrong(judge: formats.Judge, text: str, why: str) -> None:
    judged = judge(text, NOW)
    assert why in (judged.problem or "valid")
    assert judged.code in KINDS


@given(
    st.sampled_from(ALL), st.text(max_size=500) | st.text(alphabet='{}[]":,\n\r#- ContactExpires0129TZ', max_size=200)
)
def test_any_text_is_judged(judge: formats.Judge, text: str) -> None:
    judged = judge(text, NOW)
    for value in judged.fields.values():
        assert value.isprintable()
        assert len(value) <= 400


@pytest.mark.parametrize("judge", ALL)
@pytest.mark.parametrize(
    "piece",
    ["-----BEGIN PGP SIGNED MESSAGE-----\n\n", "Contact: ", "# ", "\n", " ", "a:", "- ", "{", '"', "Expires:\n", "\r"],
)
def test_no_text_of_full_size_takes_long(judge: formats.Judge, piece: str) -> None:
    """The loop is held while a file is judged: a stranger's file must not hold it for long."""
    text = (piece * (256 * 1024))[: 256 * 1024]
    began = time.monotonic()
    judge(text, NOW)
    assert time.monotonic() - began < 5  # quadratic time would be minutes; linear is some 50 ms
