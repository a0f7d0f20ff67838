"""The paths: which the SSE route can have, which follow from it, and the name in `_meta` it stands under."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mcp_app.manifest import SSE_PATH, Manifest, ManifestError, parse_manifest
from mcp_app.manifest.metakey import streaming_key
from mcp_app.manifest.paths import FIXED_PATHS, FIXED_PREFIXES, check_events_path, sibling
from mcp_app.protocol.mcp.meta_key import key_problem
from mcp_app.routes import table


def with_events(path: str) -> Manifest:
    value = {
        "name": "com.example/tools",
        "version": "1",
        "description": "Tools.",
        "_meta": {"com.example.tools/streaming": {"events": path}},
    }
    return parse_manifest(json.dumps(value).encode(), file="mcp.json")


def test_the_default_is_the_tutorials_path_and_its_siblings() -> None:
    manifest = parse_manifest(b'{"name": "com.example/t", "version": "1", "description": "Tools."}', file="mcp.json")
    assert manifest.events_path == "/api/v1/mcp/sse"
    assert manifest.tools_path == "/api/v1/mcp/tools"
    assert manifest.runs_path == "/api/v1/mcp/runs"
    assert manifest.mcp_path == "/mcp"


def test_a_path_at_the_top_has_siblings_at_the_top() -> None:
    manifest = with_events("/events")
    assert (manifest.tools_path, manifest.runs_path) == ("/tools", "/runs")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "an absolute path"),
        ("sse", "an absolute path"),
        ("./sse", "an absolute path"),
        ("\\sse", "an absolute path"),
        ("https://x.example/sse", "without scheme and host"),
        ("/sse?x=1", "without query"),
        ("/sse#x", "without query"),
        ("/{tool}/sse", "without placeholders"),
        ("/<tool>/sse", "without placeholders"),
        ("/sse/", "does not end with a slash"),
        ("/", "does not end with a slash"),
        ("//x.example/sse", "without empty segments"),
        ("/a//sse", "without empty segments"),
        ("/a/../sse", "segments . and .."),
        ("/a/./sse", "segments . and .."),
        ("/..", "segments . and .."),
        ("/a/%2e%2e/sse", "letters, digits"),
        ("/a b", "letters, digits"),
        ("/a\\b", "letters, digits"),
        ("/a\r\nX: y", "letters, digits"),
        ("/a\x00", "letters, digits"),
        ("/é", "letters, digits"),
        ("/sse\n", "letters, digits"),
        ("/" + "a" * 255, "at most 255 characters"),
        ("/mcp", "/mcp free"),
        ("/mcp.json", "/mcp.json free"),
        ("/mcp/server-card", "/mcp/server-card free"),
        ("/mcp/messages", "/mcp/messages free"),
        ("/healthz", "/healthz free"),
        ("/.well-known/sse", "/.well-known/ free"),
        ("/page/sse", "/page/ free"),
        ("/a/tools", "/a/tools free"),
        ("/a/runs", "/a/runs free"),
    ],
)
def test_a_path_that_no_route_can_have(path: str, expected: str) -> None:
    with pytest.raises(ManifestError, match=re.escape(expected)) as caught:
        with_events(path)
    assert caught.value.place == '_meta["com.example.tools/streaming"].events'
    assert len(str(caught.value).splitlines()) == 1


def test_no_path_takes_the_place_of_another_route() -> None:
    default = with_events("/api/v1/mcp/sse")
    # /sse may be chosen: it speaks HTTP+SSE then as well.
    fixed = [path for path in table(default) if not path.startswith("/api/v1/mcp/") and path != SSE_PATH]
    assert {"/mcp", "/mcp/messages", "/healthz"} <= set(fixed)
    for path in fixed:
        with pytest.raises(ValueError, match=r"free|slash"):
            check_events_path(path)
    assert len(table(with_events("/mcp/other"))) == len(table(default))


segment = st.from_regex(r"[A-Za-z0-9_~-]{1,12}", fullmatch=True)


@given(st.lists(segment, min_size=1, max_size=5))
def test_every_path_of_plain_segments_is_taken_or_collides(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    assume(len(path) <= 255)
    mine = {path, sibling(path, "tools"), sibling(path, "runs")}
    collides = len(mine) < 3 or any(each in FIXED_PATHS or each.startswith(FIXED_PREFIXES) for each in mine)
    if collides:
        with pytest.raises(ValueError, match="free"):
            check_events_path(path)
    else:
        assert with_events(path).events_path == path


@given(st.text(max_size=60) | st.text("/.ab%{?\\", max_size=12))
def test_what_is_taken_is_one_clean_path(path: str) -> None:
    """Whatever is let through survives any proxy's clean-up unchanged, and cannot leave its folder."""
    try:
        check_events_path(path)
    except ValueError:
        return
    assert re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path)
    assert not {".", ".."} & set(path.split("/"))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("com.example/streaming-tools", "com.example.streaming-tools/streaming"),
        ("com.example/sse", "com.example.sse/streaming"),
        ("io.github.someone/my_server", "io.github.someone.my-server/streaming"),
        ("com.example/tools.v2", "com.example.tools.v2/streaming"),
    ],
)
def test_the_key_follows_from_the_name(name: str, key: str) -> None:
    assert streaming_key(name) == key


LABEL = r"[a-zA-Z]([a-zA-Z0-9-]*[a-zA-Z0-9])?"


@given(st.from_regex(r"[a-zA-Z0-9.-]{1,20}/[a-zA-Z0-9._-]{1,20}", fullmatch=True))
def test_the_key_is_valid_or_the_name_is_refused(name: str) -> None:
    try:
        key = streaming_key(name)
    except ValueError:
        labels = name.replace("/", ".").replace("_", "-").split(".")
        assert not all(re.fullmatch(LABEL, label) for label in labels) or labels[1].lower() in (
            "mcp",
            "modelcontextprotocol",
        )
    else:
        prefix, _, last = key.rpartition("/")
        assert last == "streaming"
        assert all(re.fullmatch(LABEL, label) for label in prefix.split("."))


@pytest.mark.parametrize(
    "key", ["io.modelcontextprotocol/x", "dev.mcp/", "org.modelcontextprotocol.api/x", "com.mcp.tools/x"]
)
def test_the_standards_own_examples_of_reserved_keys(key: str) -> None:
    assert key_problem(key) is not None


@pytest.mark.parametrize("key", ["com.example.mcp/x", "com.example/", "traceparent", "progressToken", "a/b_c.d-e"])
def test_keys_that_the_standard_allows(key: str) -> None:
    assert key_problem(key) is None
