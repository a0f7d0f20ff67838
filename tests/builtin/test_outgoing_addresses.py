"""Which addresses a tool may connect to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_app.outgoing.addresses import (
    METADATA,
    SPECIAL_V4,
    SPECIAL_V6,
    embedded_v4,
    refusal,
)

PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"]
PUBLIC_V6 = ["2606:4700:4700::1111", "2a00:1450:4001::200e", "2001:4860:4860::8888", "2620:fe::fe"]

REFUSED = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("0.0.0.0", "this host"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("169.254.1.1", "link-local"),
    ("169.254.169.254", "metadata"),
    ("169.254.170.2", "metadata"),
    ("100.64.0.1", "carrier-grade"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("192.0.2.1", "documentation"),
    ("198.51.100.1", "documentation"),
    ("203.0.113.1", "documentation"),
    ("198.19.0.1", "benchmarking"),
    ("224.0.0.1", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::", "global unicast"),
    ("::1", "loopback"),
    ("::7f00:1", "global unicast"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "zone"),
    ("2606:4700:4700::1111%eth0", "zone"),
    ("fec0::1", "global unicast"),
    ("fc00::1", "unique local"),
    ("fd00:ec2::254", "metadata"),
    ("fd20:ce::254", "metadata"),
    ("ff02::1", "multicast"),
    ("100::1", "global unicast"),
    ("2001:db8::1", "documentation"),
    ("3fff::1", "documentation"),
    ("5f00::1", "global unicast"),
    ("2001:0:808:808::1", "IETF"),  # Teredo
    ("2001:10::1", "IETF"),  # ORCHID
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:169.254.169.254", "metadata"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::169.254.169.254", "metadata"),
    ("64:ff9b:1::808:808", "global unicast"),
    ("2002:7f00:1::", "loopback"),
    ("2002:a9fe:a9fe::1", "metadata"),
    ("2606:4700::5efe:10.0.0.1", "private"),  # ISATAP
    ("2606:4700::200:5efe:192.168.0.1", "private"),
]


@pytest.mark.parametrize("text", [*PUBLIC, *PUBLIC_V6])
def test_public_addresses_may_be_connected_to(text: str) -> None:
    assert refusal(ip_address(text)) is None


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_everything_else_is_refused_with_a_reason(text: str, why: str) -> None:
    assert why in (refusal(ip_address(text)) or "allowed")


@pytest.mark.parametrize("text", ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2606:4700::5efe:8.8.8.8"])
def test_public_addresses_inside_ipv6_may_be_connected_to(text: str) -> None:
    assert refusal(ip_address(text)) is None


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "100.64.0.1", "169.254.1.1", "::1", "fd12::1", "fe80::1"]
)
def test_allow_private_opens_an_intranet(text: str) -> None:
    assert refusal(ip_address(text), allow_private=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254",
        "fd00:ec2::254",
        "100.100.100.200",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "192.0.2.1",
        "::",
        "ff02::1",
    ],
)
def test_allow_private_never_opens_metadata_or_what_is_no_host(text: str) -> None:
    assert refusal(ip_address(text), allow_private=True) is not None


def test_allow_networks_opens_only_what_it_names() -> None:
    networks = [IPv4Network("10.1.0.0/16"), IPv6Network("fd12::/32")]
    assert refusal(ip_address("10.1.2.3"), allow_networks=networks) is None
    assert refusal(ip_address("fd12::1"), allow_networks=networks) is None
    assert refusal(ip_address("::ffff:10.1.2.3"), allow_networks=networks) is None  # the same host
    assert refusal(ip_address("::ffff:10.2.0.1"), allow_networks=networks) is not None
    assert refusal(ip_address("10.2.0.1"), allow_networks=networks) is not None
    assert refusal(ip_address("127.0.0.1"), allow_networks=networks) is not None
    assert refusal(ip_address("169.254.169.254"), allow_networks=[IPv4Network("0.0.0.0/0")]) is not None


@given(st.ip_addresses(v=4))
def test_whatever_python_calls_not_global_is_refused(address: IPv4Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert refusal(address) is not None


@given(st.ip_addresses(v=6))
@example(IPv6Address("::ffff:8.8.8.8"))
def test_ipv6_is_refused_outside_global_unicast(address: IPv6Address) -> None:
    if address not in IPv6Network("2000::/3") and embedded_v4(address) is None:
        assert refusal(address) is not None
    if address.is_private and embedded_v4(address) is None:
        assert refusal(address) is not None


@given(st.ip_addresses(v=4), st.sampled_from(["mapped", "nat64", "6to4", "isatap"]))
def test_an_ipv4_address_inside_ipv6_is_judged_as_itself(inner: IPv4Address, how: str) -> None:
    number = int(inner)
    outer = {
        "mapped": 0xFFFF << 32 | number,
        "nat64": 0x0064_FF9B << 96 | number,
        "6to4": 0x2002 << 112 | number << 80,
        "isatap": int(IPv6Address("2606:4700::")) | 0x5EFE << 32 | number,
    }[how]
    assert embedded_v4(IPv6Address(outer)) == inner
    assert (refusal(IPv6Address(outer)) is None) == (refusal(inner) is None)


@given(st.data())
def test_the_first_and_last_address_of_every_block_are_refused(data: st.DataObject) -> None:
    network = data.draw(st.sampled_from([*(row.network for row in (*SPECIAL_V4, *SPECIAL_V6)), *METADATA]))
    assert refusal(network[0]) is not None
    assert refusal(network[-1]) is not None
    offset = data.draw(st.integers(0, network.num_addresses - 1))
    assert refusal(network[offset]) is not None


@given(st.ip_addresses())
def test_allowing_more_never_refuses_more(address: IPv4Address | IPv6Address) -> None:
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    if refusal(address) is None:
        assert refusal(address, allow_private=True) is None
        assert refusal(address, allow_networks=everything) is None
