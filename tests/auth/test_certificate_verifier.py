"""Who calls by a client's certificate: the rules of the setting, and what of a certificate counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from client_certificates import COMMON, COMPANY, Issuer, certificate_of
from hypothesis import given
from hypothesis import strategies as st

from mcp_app import Settings
from mcp_app.auth import certificates
from mcp_app.auth.certificates import CertificateVerifier
from mcp_app.auth.configured import configured
from mcp_app.config.client_certificates import DNS, SUBJECT, URI, first_match, parse_rules
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import Unauthorized
from mcp_app.protocol.scopes import Hierarchy
from mcp_app.web.messages import Request


def verifier(rules: str, hierarchy: str = "", **more: Any) -> CertificateVerifier:
    return CertificateVerifier(parse_rules(rules), Hierarchy.read(hierarchy), **more)


def asked(rules: str, path: Path | None, **fields: Any) -> Access | None:
    given = Request("POST", "/", certificate=None if path is None else certificate_of(path), **fields)
    return verifier(rules).verify(given)


# --- rules -----------------------------------------------------------------------------------------------------------

MATCHES = [
    ("uri", {URI: ["spiffe://a/b"]}, True),
    ("uri", {DNS: ["a"]}, False),
    ("uri:spiffe://a/*", {URI: ["spiffe://a/b"]}, True),
    ("uri:spiffe://a/*", {URI: ["spiffe://a/b/c"]}, False),
    ("uri:spiffe://a/**", {URI: ["spiffe://a/b/c"]}, True),
    ("uri:spiffe://a/*/x", {URI: ["spiffe://a/b/x"]}, True),
    ("uri:spiffe://a/b", {URI: ["spiffe://a/bc"]}, False),
    ("uri:spiffe://a.b/c", {URI: ["spiffe://axb/c"]}, False),
    ("dns:*.Example.org", {DNS: ["a.example.org"]}, True),
    ("dns:*.example.org", {DNS: ["a.b.example.org"]}, False),
    ("dns:**.example.org", {DNS: ["a.b.example.org"]}, True),
    ("dns:*.example.org", {DNS: [".example.org.evil"]}, False),
    ("subject:CN=ops,O=Example Ltd", {SUBJECT: ["CN=ops,O=Example Ltd"]}, True),
    ("subject:CN=*,O=Example Ltd", {SUBJECT: ["CN=ops,O=Example Ltd"]}, True),
    ("subject:CN=*,O=Example Ltd", {SUBJECT: ["CN=ops,OU=x,O=Example Ltd"]}, False),
    ("subject:CN=*,O=Example Ltd", {SUBJECT: [r"CN=x\,O=Example Ltd"]}, False),
    ("subject:CN=*,O=Example Ltd", {SUBJECT: [r"CN=x\,y\\,O=Example Ltd"]}, True),
    (r"subject:CN=x\,*,O=a", {SUBJECT: [r"CN=x\,y,O=a"]}, True),
    ("uri:a/***", {URI: ["a/b/c"]}, True),
    ("dns:a; uri", {URI: ["spiffe://a/b"], DNS: ["b"]}, True),
    ("uri:**a/*b", {URI: ["xa/a/cb"]}, True),
    ("uri:a*", {URI: ["a" * 3000]}, False),
    ("uri:***", {URI: [""]}, True),
    ("uri", {URI: ["a\nb"]}, True),  # a name like this never comes so far
]


@pytest.mark.parametrize(("rules", "names", "matches"), MATCHES, ids=str)
def test_what_a_rule_matches(rules: str, names: dict[str, Sequence[str]], matches: bool) -> None:
    assert (first_match(parse_rules(rules), names) is not None) is matches


def test_the_first_rule_that_matches_counts() -> None:
    rules = parse_rules("dns:a -> read; uri:spiffe://e/** -> admin ; uri -> *")
    names = {URI: ["spiffe://other/x", "spiffe://e/agent"], DNS: ["b"]}
    assert first_match(rules, names) == (URI, "spiffe://e/agent", frozenset({"admin"}))
    assert first_match(rules, {URI: ["x:y"]}) == (URI, "x:y", None)
    assert first_match(rules, {DNS: ["a"], URI: ["x:y"]}) == (DNS, "a", frozenset({"read"}))


@pytest.mark.parametrize(
    "text", ["email:a@b", "uri:", "dns: -> read", "uri ->", ";", " ; ", 'uri -> "x"', "spiffe://a/b", "uri:a -> a\\b"]
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="MCP_APP_CLIENT_CERTIFICATES"):
        Settings(client_certificates=text)


@given(st.text(max_size=60), st.lists(st.text(max_size=200), max_size=3))
def test_any_text_is_rules_or_refused_and_any_name_matches_or_not(text: str, names: list[str]) -> None:
    try:
        rules = parse_rules(text)
    except ValueError:
        return
    found = first_match(rules, {URI: names, DNS: names, SUBJECT: names})
    assert found is None or found[1] in names


def test_many_stars_cost_little() -> None:
    """A pattern is the operator's, a name the caller's."""
    assert first_match(parse_rules("uri:" + "*a" * 50 + "b"), {URI: ["a" * 1000]}) is None


# --- certificates ----------------------------------------------------------------------------------------------------


def test_by_the_name_of_a_workload(tmp_path: Path) -> None:
    path = Issuer(tmp_path).issue(uris=["spiffe://Example.org/agents/One"], dns=["one.example.org"])
    access = asked("uri:spiffe://example.org/agents/* -> read", path)
    assert access is not None
    assert access.principal == "certificate:uri:spiffe://example.org/agents/One"
    assert access.scopes == frozenset({"read"})
    assert not access.steps_up
    assert access.expires is not None
    assert access.credential


def test_by_the_name_of_a_host(tmp_path: Path) -> None:
    access = asked("dns:*.example.org -> *", Issuer(tmp_path).issue(dns=["One.Example.org"]))
    assert access is not None
    assert (access.principal, access.scopes) == ("certificate:dns:one.example.org", None)


def test_by_its_subject(tmp_path: Path) -> None:
    path = Issuer(tmp_path).issue([(COMPANY, "Example, Ltd"), (COMMON, "ops")])
    access = asked(r"subject:CN=ops,O=Example\, Ltd", path)
    assert access is not None
    assert access.principal == r"certificate:subject:CN=ops,O=Example\, Ltd"
    assert access.scopes == frozenset()


def test_a_new_certificate_of_the_same_name_is_the_same_caller(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    one, two = (asked("uri", issuer.issue(uris=["spiffe://a/b"])) for _ in range(2))
    assert one is not None
    assert two is not None
    assert one.principal == two.principal
    assert one.credential != two.credential


def test_scopes_imply_others(tmp_path: Path) -> None:
    path = Issuer(tmp_path).issue(uris=["spiffe://a/b"])
    access = verifier("uri -> admin", "admin>read").verify(Request("GET", "/", certificate=certificate_of(path)))
    assert access is not None
    assert access.scopes == frozenset({"admin", "read"})


def test_who_shows_none_or_something_else_too_is_for_the_next(tmp_path: Path) -> None:
    path = Issuer(tmp_path).issue(uris=["spiffe://a/b"])
    assert asked("uri", None) is None
    assert asked("uri", path, headers={"authorization": "Bearer x"}) is None


@pytest.mark.parametrize(
    "names",
    [
        {"uris": ["spiffe://a/c"]},
        {"dns": ["*.a"]},
        {"uris": ["spiffe://a/b\x00"]},
        {"uris": ["spiffe://a/b\x1b"]},
        {},
    ],
    ids=str,
)
def test_who_has_no_such_name_is_refused(tmp_path: Path, names: dict[str, Any]) -> None:
    try:
        path = Issuer(tmp_path).issue([], **names)
    except ValueError:
        pytest.skip("cryptography signs no such name")
    with pytest.raises(Unauthorized, match="no name that may call"):
        asked("uri:spiffe://a/b; dns:*.a", path)


@pytest.mark.parametrize(
    "pem", ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "y" * 10**6]
)
def test_what_is_no_certificate_is_refused(pem: str) -> None:
    with pytest.raises(Unauthorized):
        verifier("subject").verify(Request("GET", "/", certificate=pem))


def test_one_that_expires_while_its_connection_is_open(tmp_path: Path) -> None:
    path = Issuer(tmp_path).issue(life=timedelta(hours=1))
    now = 0.0
    known = verifier("subject", now=lambda: now)
    access = known.verify(request := Request("GET", "/", certificate=certificate_of(path)))
    assert access is not None
    assert access.expires is not None
    now = access.expires
    with pytest.raises(Unauthorized, match="expired"):
        known.verify(request)


def test_a_certificate_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Issuer(tmp_path).issue()
    known = verifier("subject")
    request = Request("GET", "/", certificate=certificate_of(path))
    access = known.verify(request)
    monkeypatch.setattr(certificates, "_read", None)
    assert known.verify(request) is access


def test_it_is_configured_by_a_setting() -> None:
    [found] = configured(Settings(client_certificates="uri"))
    assert isinstance(found, CertificateVerifier)
