"""From findings to a grade, the catalogue of findings, and the page that documents it."""

from __future__ import annotations

import ast
import re
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import mcp_app.builtin.scan_domain as package
from mcp_app.builtin.scan_domain.finding import KINDS, finding
from mcp_app.builtin.scan_domain.grading import report, score_of, status_of
from mcp_app.builtin.scan_domain.quoting import quoted
from mcp_app.builtin.scan_domain.report import DnsStep, HttpStep, Step, TlsStep
from mcp_app.builtin.scan_domain.settings import ScanSettings

SOURCES = sorted(Path(package.__path__[0]).rglob("*.py"))
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference-scan-domain.md"

CODES = st.lists(st.sampled_from(sorted(KINDS)), max_size=12)


def steps_with(*codes: str) -> list[Step]:
    http = HttpStep(findings=[finding(code) for code in codes])
    http.status = status_of(http)
    return [http]


@pytest.mark.parametrize(
    ("codes", "grade", "score"),
    [
        ([], "A", 100),
        (["hsts_missing"], "A", 90),
        (["hsts_missing", "no_ipv6"], "B", 89),
        (["address_refused"], "B", 80),
        (["key_weak"], "C", 70),
        (["key_weak", "hsts_missing"], "D", 60),
        (["key_weak", "address_refused"], "E", 50),
        (["key_weak", "address_refused", "no_ipv6"], "F", 49),
        (["tls_unreachable"], "F", 40),
        (["tls_unreachable", "https_unreachable"], "F", 40),
        (["no_such_name", "no_address"], "F", 0),
    ],
)
def test_the_grade_follows_from_the_weights(codes: list[str], grade: str, score: int) -> None:
    made = report("site.test", steps_with(*codes))
    assert (made.grade, made.score) == (grade, score)


def test_every_single_cause_of_no_https_is_an_f() -> None:
    for code in KINDS:
        if (
            code.startswith(("certificate_", "tls_", "https_"))
            and KINDS[code].status == "fail"
            and code != "https_redirect_missing"
        ):
            assert report("site.test", steps_with(code)).grade == "F", code


@given(CODES)
def test_findings_stand_heaviest_first_and_none_is_lost(codes: list[str]) -> None:
    made = report("site.test", steps_with(*codes))
    weights = [each.weight for each in made.findings]
    assert weights == sorted(weights, reverse=True)
    assert sorted(each.code for each in made.findings) == sorted(code for code in codes if code != "not_scanned")


@given(CODES, st.sampled_from(sorted(KINDS)))
def test_a_further_finding_never_betters_the_score(codes: list[str], more: str) -> None:
    before = score_of([finding(code) for code in codes])
    assert 0 <= score_of([finding(code) for code in [*codes, more]]) <= before <= 100


def test_what_was_not_measured_has_no_grade() -> None:
    tls, dns = TlsStep(status="skipped"), DnsStep(findings=[finding("dns_no_answer")])
    assert report("site.test", [dns, tls]).grade == "unknown"
    dns = DnsStep(findings=[finding("no_such_name")])
    assert report("site.test", [dns, tls]).grade == "F"


def test_a_step_is_as_good_as_its_worst_finding() -> None:
    step = TlsStep()
    for code, status in [
        ("protocol_not_newest", "info"),
        ("certificate_ok", "ok"),
        ("cipher_weak", "warn"),
        ("key_weak", "fail"),
    ]:
        step.add(finding(code))
        assert status_of(step) == status


def test_every_code_in_the_sources_is_in_the_catalogue_and_every_kind_is_used() -> None:
    """Codes are looked up when a finding is made: a misspelt one would be found only by the site that has it."""
    used: set[str] = set()
    for path in SOURCES:
        if path.name == "finding.py":
            continue
        used |= {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "finding"
                and isinstance(node.args[0], ast.Constant)
            ):
                assert node.args[0].value in KINDS, f"{path.name}:{node.lineno}"
    assert set(KINDS) - used == set()


def test_weights_fit_their_status() -> None:
    for code, kind in KINDS.items():
        if kind.status == "ok":
            assert kind.weight == 0, code
        if kind.status == "info":
            assert kind.weight <= 3, code
        if kind.status == "fail":
            assert kind.weight >= 5, code


def test_the_page_lists_every_finding_as_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    listed = {code: (status, int(weight), text) for code, status, weight, text in rows}
    assert listed == {
        code: (kind.status, kind.weight, f"{kind.message} {kind.hint}".strip()) for code, kind in KINDS.items()
    }


def test_the_page_lists_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `MCP_APP_SCAN_(\w+)` \| (.+?) \|", PAGE.read_text(), re.MULTILINE))
    assert set(rows) == {name.upper() for name in ScanSettings.model_fields}
    for name, field in ScanSettings.model_fields.items():
        if isinstance(field.default, int | float):
            assert float(rows[name.upper()].strip("`")) == float(field.default), name


# --- settings and quoting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", ("127.0.0.1", 53)),
        ("127.0.0.1:5353", ("127.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_a_name_server_is_an_address_and_perhaps_a_port(text: str, expected: tuple[str, int]) -> None:
    assert ScanSettings(nameserver=text).nameserver == expected


@pytest.mark.parametrize("text", ["dns.example", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999", ":53", "[::1", ""])
def test_a_wrong_name_server_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ScanSettings(nameserver=text)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_SCAN_ALLOW_NETWORKS", "10.1.0.0/16, fd12::/32")
    monkeypatch.setenv("MCP_APP_SCAN_ALLOW_PRIVATE", "1")
    monkeypatch.setenv("MCP_APP_SCAN_NAMESERVER", "127.0.0.1:5353")
    monkeypatch.setenv("MCP_APP_SCAN_HTTPS_PORT", "8443")

    settings = ScanSettings()

    assert settings.allow_networks == (ip_network("10.1.0.0/16"), ip_network("fd12::/32"))
    assert settings.allow_private
    assert settings.nameserver == ("127.0.0.1", 5353)
    assert settings.ports == {80, 443, 8443}


def test_the_defaults_are_closed_and_well_below_the_cap() -> None:
    settings = ScanSettings()
    assert (settings.allow_private, settings.allow_networks, settings.ports) == (False, (), {80, 443})
    assert settings.dns_seconds < settings.fetch_seconds < settings.step_seconds < 60


@given(st.text(), st.integers(2, 50))
def test_quoted_text_is_short_and_printable(text: str, limit: int) -> None:
    shown = quoted(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit
    if text.isprintable() and len(text) <= limit:
        assert shown == text
