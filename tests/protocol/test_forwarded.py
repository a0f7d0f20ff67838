"""Whom a proxy speaks for: the examples of RFC 7239, what strangers send, and what a list can be made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.http.forwarded import MAX_CHARACTERS, MAX_HOPS, NAMELESS, RequestOrigin, TrustedProxies, network

PROXY, OTHER, STRANGER = "10.0.0.1", "10.0.0.2", "203.0.113.9"
TRUSTED = TrustedProxies(["10.0.0.0/8", "2001:db8:a::/48"])


def client(forwarded: str | None = None, x_for: str | None = None, peer: str = PROXY) -> str:
    return TRUSTED.origin(peer, forwarded, x_for).client


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        # RFC 7239, 4
        ('for="_gazonk"', RequestOrigin("_gazonk")),
        ('For="[2001:db8:cafe::17]:4711"', RequestOrigin("2001:db8:cafe::17")),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", RequestOrigin("192.0.2.60", "http")),
        ("for=192.0.2.43, for=198.51.100.17", RequestOrigin("198.51.100.17")),
        # 7.1
        ('for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown', RequestOrigin(PROXY)),
        ('for=192.0.2.43, for="[2001:db8:cafe::17]"', RequestOrigin("2001:db8:cafe::17")),
        # 7.4
        ("for=_hidden, for=_SEVKISEK", RequestOrigin("_SEVKISEK")),
        # 6.1 and 6.3, with ports
        ('for="192.0.2.43:47011"', RequestOrigin("192.0.2.43")),
        ('for="[2001:db8:cafe::17]:_port"', RequestOrigin("2001:db8:cafe::17")),
        ("For=192.0.2.1;Proto=HTTPS;Host=tools.example.com", RequestOrigin("192.0.2.1", "https", "tools.example.com")),
        ('for=192.0.2.1;host="tools.example.com:8443"', RequestOrigin("192.0.2.1", None, "tools.example.com:8443")),
        # Empty parameters and elements are allowed by the grammar
        (";for=192.0.2.1;;", RequestOrigin("192.0.2.1")),
        ("for=192.0.2.1 ; proto=https", RequestOrigin("192.0.2.1", "https")),
        ('for="\\192.0.2.1"', RequestOrigin("192.0.2.1")),
    ],
)
def test_the_examples_of_rfc_7239(forwarded: str, expected: RequestOrigin) -> None:
    assert TRUSTED.origin(PROXY, forwarded, None) == expected


@pytest.mark.parametrize("peer", [STRANGER, "127.0.0.1", "<local>", "11.0.0.1", "no address", "2001:db8:b::1"])
def test_of_a_stranger_nothing_is_believed(peer: str) -> None:
    assert TRUSTED.origin(peer, "for=192.0.2.1", "192.0.2.2", "https", "evil.example") == RequestOrigin(peer)


def test_the_right_most_address_that_is_not_trusted_is_the_clients() -> None:
    assert client("for=1.1.1.1, for=192.0.2.1, for=10.0.0.3") == "192.0.2.1"
    assert client(None, "1.1.1.1, 192.0.2.1, 10.0.0.3, 10.0.0.2") == "192.0.2.1"
    assert client(None, "1.1.1.1,2.2.2.2") == "2.2.2.2"
    assert client(None, "10.0.0.4, 10.0.0.3") == "10.0.0.4", "all are proxies: the outermost has called itself"


def test_mapped_addresses_are_the_ipv4_ones() -> None:
    assert client(None, "192.0.2.1, ::ffff:10.0.0.3", peer="::ffff:10.0.0.1") == "192.0.2.1"
    assert client('for="[::ffff:192.0.2.1]"') == "192.0.2.1"
    assert TrustedProxies(["::ffff:10.0.0.0/104"]).trusts(PROXY)
    assert network("::ffff:10.0.0.1") == network("10.0.0.1")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("192.0.2.1:4711", "192.0.2.1"),  # as some balancers append it
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("unknown", PROXY),
        ("", PROXY),
        ("192.0.2.256", PROXY),
        ("192.0.2.1, ", PROXY),
        ("tools.example.com", PROXY),
        ("1" * 200, PROXY),
    ],
)
def test_x_forwarded_for_as_it_is_written(written: str, expected: str) -> None:
    assert client(None, written) == expected


@pytest.mark.parametrize(
    "sent",
    [
        'for="', 'for="\\', 'for="x, for=', "for=1.2.3.4;for=5.6.7.8", "garbage", "for", "=", '"', '\\"', 'a="b"c="d"',
        'for="[::1]";by="',
    ],
)  # fmt: skip
def test_what_a_client_sends_cannot_hide_what_the_proxy_appends(sent: str) -> None:
    assert client(f"{sent}, for=192.0.2.1") == "192.0.2.1"
    assert client(f'{sent},for="[2001:db8::7]:80";proto=https;host="a.example"') == "2001:db8::7"
    assert client(f"{sent}, for=192.0.2.1, for=10.0.0.3") == "192.0.2.1"
    assert client(f"{sent}, for=10.0.0.3") == "10.0.0.3"


def test_two_fields_that_name_two_clients_are_both_not_believed() -> None:
    torn = TRUSTED.origin(PROXY, "for=192.0.2.7", "192.0.2.1", "https", "a.example")
    assert torn == RequestOrigin(PROXY, torn=True)
    assert TRUSTED.origin(PROXY, "for=192.0.2.1;proto=https", "192.0.2.1") == RequestOrigin("192.0.2.1", "https")


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "<local>"])
@pytest.mark.parametrize(
    ("forwarded", "x_for"),
    [
        ("for=192.0.2.7", "203.0.113.9"),  # one is the client's own
        ("for=127.0.0.1", "203.0.113.9"),
        ("for=unknown", "203.0.113.9"),
        ("for=unknown", None),
        ("by=_proxy", None),
        ("garbage", None),
        (None, "unknown"),
        (None, ""),
        (None, "203.0.113.9, unknown, 127.0.0.1"),
        ("for=203.0.113.9, for=unknown, for=127.0.0.1", None),
    ],
)
def test_whom_a_proxy_here_does_not_name_is_not_taken_for_this_machine(
    peer: str, forwarded: str | None, x_for: str | None
) -> None:
    proxies = TrustedProxies(["127.0.0.0/8", "::1", "unix"])
    assert proxies.origin(peer, forwarded, x_for).client == NAMELESS
    assert proxies.origin(peer, "for=127.0.0.1", None).client == "127.0.0.1", "named by its proxy"


def test_scheme_and_host_are_those_at_the_outermost_trusted_proxy() -> None:
    said = TRUSTED.origin(PROXY, None, "192.0.2.1", "https", "a.example")
    assert said == RequestOrigin("192.0.2.1", "https", "a.example")
    chained = TRUSTED.origin(PROXY, None, "192.0.2.1, 10.0.0.2", "https, http", "a.example, b.example")
    assert chained == RequestOrigin("192.0.2.1", "https", "a.example")
    forged = TRUSTED.origin(PROXY, None, "9.9.9.9, 192.0.2.1", "ftp, https", "evil.example, a.example")
    assert forged == RequestOrigin("192.0.2.1", "https", "a.example")
    assert TRUSTED.origin(PROXY, None, None, "https", None) == RequestOrigin(PROXY, "https")
    assert TRUSTED.origin(PROXY, "for=192.0.2.1;proto=gopher", None).scheme is None
    two = "for=192.0.2.1;proto=https;host=a.example, for=10.0.0.2;proto=http;host=b.example"
    assert TRUSTED.origin(PROXY, two, None) == RequestOrigin("192.0.2.1", "https", "a.example")


def test_who_is_connected_by_a_unix_socket_is_trusted_by_that_name() -> None:
    assert TrustedProxies(["unix"]).origin("<local>", None, "192.0.2.1").client == "192.0.2.1"
    assert not TrustedProxies(["unix"]).trusts("127.0.0.1")
    assert not TrustedProxies([])
    assert TrustedProxies(["unix"])


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "localhost", "", "*", "10.0.0.0/8/8"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TrustedProxies([text])


def test_no_more_is_read_than_a_chain_has() -> None:
    hops = ["192.0.2.1", *["10.0.0.3"] * MAX_HOPS]
    assert client(None, ", ".join(hops)) == "10.0.0.3"
    assert client(", ".join(f"for={each}" for each in hops)) == "10.0.0.3"
    assert client(None, ", ".join(hops[:MAX_HOPS])) == "192.0.2.1"
    long = "9.9.9.9," * MAX_CHARACTERS
    assert client(None, f"{long}192.0.2.1") == client(f'for="{long}for=192.0.2.1') == "192.0.2.1"


@given(st.text(st.sampled_from('for="[]:;,=\\ \t_0123.abx'), max_size=300), st.sampled_from([PROXY, STRANGER]))
def test_whatever_is_sent_the_client_is_one_that_a_trusted_hop_has_named(sent: str, named: str) -> None:
    assert client(f"{sent},for={named};proto=https", None, OTHER) in {named, client(sent, None, PROXY)}
    assert client(f"{sent},for={STRANGER}") == STRANGER
    assert client(None, f"{sent},{STRANGER}") == STRANGER


@pytest.mark.parametrize("part", ['\\"', '"', ";", " ;", "; ", ",", "a=b;", 'a="', " ", "\t;\t", 'a="b";'])
def test_no_list_is_slow(part: str) -> None:
    """Only that it ends: the suite's own time-out is the bound. Each took minutes with a pattern that tries twice."""
    for text in (part * 60_000, "for=" + part * 60_000, part * 60_000 + '"', "x," + part * 60_000 + "!"):
        TRUSTED.origin(PROXY, text, text, text, text)
