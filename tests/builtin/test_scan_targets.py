"""Where a redirect's Location leads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.builtin.scan_domain.target import Target, TargetRefused, follow

BASE = Target("https", "site.test", 443, "/a/b?c")
PORTS = frozenset({80, 443, 8443})

LEADS = [
    ("/x", "https://site.test/x"),
    ("x", "https://site.test/a/x"),
    ("../x", "https://site.test/x"),
    ("?q=1", "https://site.test/a/b?q=1"),
    ("#top", "https://site.test/a/b?c"),
    ("//other.test/x", "https://other.test/x"),
    ("http://other.test", "http://other.test/"),
    ("https://other.test:8443/", "https://other.test:8443/"),
    ("https://OTHER.test./", "https://other.test/"),
    ("https://bücher.test/ä?ö", "https://xn--bcher-kva.test/%C3%A4?%C3%B6"),
    ("https://other.test/a%2Fb", "https://other.test/a%2Fb"),
    ("https://1.2.3.4/", "https://1.2.3.4/"),
    ("https://[2606:4700::1]/", "https://[2606:4700::1]/"),
]

REFUSED = [
    ("ftp://other.test/", "scheme"),
    ("javascript:alert(1)", "scheme"),
    ("file:///etc/passwd", "scheme"),
    ("gopher://127.0.0.1:6379/_x", "scheme"),
    ("https://other.test:22/", "port 22"),
    ("https://other.test:0/", "port 0"),
    ("https://other.test:99999/", "not a URL"),
    ("https://user@other.test/", "user name"),
    ("https://user:pw@other.test/", "user name"),
    ("https://[fe80::1%25eth0]/", "address with a zone|not a URL|a host that"),
    ("https://[::1/", "not a URL"),
    ("https://localhost/", "only one label"),
    ("https://127.1/", "ends in a number"),
    ("https://2130706433/", "only one label"),
    ("/" + "x" * 3000, "2048"),
]


@pytest.mark.parametrize(("location", "url"), LEADS)
def test_a_location_leads_somewhere(location: str, url: str) -> None:
    assert follow(BASE, location, PORTS).url == url


@pytest.mark.parametrize(("location", "why"), REFUSED)
def test_a_location_is_refused_with_a_reason(location: str, why: str) -> None:
    with pytest.raises(TargetRefused, match=why):
        follow(BASE, location, PORTS)


@given(
    st.text(max_size=200)
    | st.text(max_size=60).map(lambda text: f"https://{text}")
    | st.text(max_size=60).map(lambda text: f"//a.test{text}")
)
def test_any_location_gives_a_target_that_is_safe_on_the_wire_or_is_refused(location: str) -> None:
    try:
        target = follow(BASE, location, PORTS)
    except TargetRefused:
        return
    assert target.scheme in ("http", "https")
    assert target.port in PORTS
    for part in (target.path, target.authority):
        assert part.isascii()
        assert part.isprintable()
        assert " " not in part
    assert target.path.startswith("/")
