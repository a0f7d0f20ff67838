"""Where a scan must not go, whatever DNS and redirects say (SSRF)."""

from __future__ import annotations

import ipaddress
from contextlib import AsyncExitStack

import httpcore
import pytest
from authority import Pair
from scan_world import DOMAIN, World, codes, good_site, step_of
from web_world import Page, answers, bare, hypercorn, listening

from mcp_app.outgoing import Addresses, CheckedBackend, Lookup, Unreachable


async def test_without_the_setting_loopback_is_refused(world: World) -> None:
    report = await world.scan(allow_networks="")

    assert world.site.seen == []
    assert (report.grade, report.score) == ("unknown", None)
    (refused,) = [each for each in report.findings if each.code == "address_refused"]
    assert refused.detail == "127.0.0.1 is a loopback address"
    assert {step.step for step in report.steps if step.status == "skipped"} == {
        "tls",
        "http",
        "redirects",
        "headers",
        "files",
    }


async def test_the_setting_for_all_private_addresses_opens_loopback(world: World) -> None:
    report = await world.scan(allow_networks="", allow_private=True)

    assert report.grade == "A"


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"]
)
async def test_private_and_metadata_addresses_are_refused(quiet_world: World, address: str) -> None:
    quiet_world.dns.put(DOMAIN, "A", address)

    report = await quiet_world.scan()

    assert report.grade == "unknown"
    assert "address_refused" in codes(report)


@pytest.mark.parametrize(
    "address", ["::1", "::ffff:127.0.0.1", "fd00:ec2::254", "fe80::1", "64:ff9b::7f00:1", "2002:7f00:1::"]
)
async def test_the_same_holds_for_ipv6(quiet_world: World, address: str) -> None:
    quiet_world.dns.put(DOMAIN, "A")
    quiet_world.dns.put(DOMAIN, "AAAA", address)

    report = await quiet_world.scan(allow_networks="")

    assert report.grade == "unknown"
    assert "address_refused" in codes(report)


async def test_of_mixed_addresses_only_the_allowed_are_connected_to(world: World) -> None:
    forbidden = listening("127.0.0.2", world.https_port)
    world.dns.put(DOMAIN, "A", "127.0.0.2", "127.0.0.1", "10.0.0.1")
    async with bare(answers, forbidden) as clients:
        report = await world.scan()

    assert clients == []
    assert step_of(report, "tls").address == "127.0.0.1"
    (refused,) = [each for each in report.findings if each.code == "address_refused"]
    assert set((refused.detail or "").split("; ")) == {
        "127.0.0.2 is a loopback address",
        "10.0.0.1 is a private address (RFC 1918)",
    }


async def test_a_name_that_changes_its_address_is_connected_to_where_it_was_checked(world: World) -> None:
    """DNS rebinding: what is asked once to show it and once to connect is allowed, every later answer is not."""
    world.dns.put(DOMAIN, "A")
    world.dns.take_turns(DOMAIN, "A", ["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"])
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(bare(answers, listening("127.0.0.2", port)))
            for port in (world.http_port, world.https_port)
        ]
        report = await world.scan()

    assert clients == [[], []]
    connected = {hop.address for hop in step_of(report, "redirects").hops} | {step_of(report, "tls").address}
    assert connected == {"127.0.0.1"}
    assert world.dns.asked[DOMAIN, "A"] == 2
    assert report.grade == "A"


async def test_names_are_resolved_once_for_all_connections(world: World) -> None:
    lookup = Lookup(world.settings().rules)
    world.dns.put(DOMAIN, "A")
    world.dns.take_turns(DOMAIN, "A", ["127.0.0.1"], ["127.0.0.2"])
    backend = CheckedBackend(lookup)
    try:
        for _ in range(3):
            stream = await backend.connect_tcp(DOMAIN, world.http_port)
            assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
    finally:
        await backend.aclose()

    assert world.dns.asked[DOMAIN, "A"] == 1


async def test_an_address_that_passed_the_lookup_is_checked_again_at_the_connection(world: World) -> None:
    class Careless(Lookup):
        async def addresses(self, host: str) -> Addresses:
            return Addresses(allowed=(ipaddress.ip_address("127.0.0.2"),), refused=())

    forbidden = listening("127.0.0.2", world.https_port)
    async with bare(answers, forbidden) as clients:
        with pytest.raises(Unreachable, match="loopback") as caught:
            await CheckedBackend(Careless(world.settings().rules)).connect_tcp(DOMAIN, world.https_port)

    assert caught.value.reason == "refused_address"
    assert clients == []


async def test_other_ports_are_refused_before_any_question(world: World) -> None:
    with pytest.raises(Unreachable) as caught:
        await CheckedBackend(Lookup(world.settings().rules)).connect_tcp(DOMAIN, 22)

    assert caught.value.reason == "refused_port"
    assert not world.dns.asked


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "[::1]", "inside.test", "169.254.169.254", "[::ffff:127.0.0.2]", "[fd00:ec2::254]"]
)
async def test_a_redirect_to_a_private_address_is_refused(world: World, host: str) -> None:
    world.dns.put("inside.test", "A", "127.0.0.2")
    inside = listening("127.0.0.2", world.http_port)
    location = f"http://{host}:{world.http_port}/secret"
    world.site.put("http", "/", Page(302, {"location": location}))
    world.site.put("https", "/", Page(302, {"location": location}))
    world.site.put("https", "/robots.txt", Page(302, {"location": location}))
    async with bare(answers, inside) as clients:
        report = await world.scan()

    assert clients == []
    (refused,) = [each for each in report.findings if each.code == "redirect_refused"]
    assert refused.detail is not None
    assert " is " in refused.detail
    hops = step_of(report, "redirects").hops
    assert [hop.status_code for hop in hops] == [302, None]
    assert hops[1].problem == refused.detail
    assert step_of(report, "headers").headers == []
    assert not {each.path: each.present for each in step_of(report, "files").files}["/robots.txt"]


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("http://site.test:22/", "port 22"),
        ("gopher://site.test/", "scheme"),
        ("http://user:pw@site.test/", "user name"),
        ("http://localhost/", "only one label"),
        ("http://[::1", "not a URL"),
    ],
)
async def test_a_redirect_that_is_no_page_is_refused(world: World, location: str, why: str) -> None:
    world.site.put("http", "/", Page(302, {"location": location}))

    report = await world.scan()

    (refused,) = [each for each in report.findings if each.code == "redirect_refused"]
    assert why in (refused.detail or "")
    assert step_of(report, "redirects").hops[0].problem == f"not followed: {refused.detail}"


async def test_the_name_goes_into_sni_and_host_while_the_address_is_dialled(
    quiet_world: World, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[str] = []
    connect = httpcore.AnyIOBackend.connect_tcp

    async def noted(self: httpcore.AnyIOBackend, host: str, *args: object, **named: object) -> object:
        dialled.append(host)
        return await connect(self, host, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", noted)
    bound = listening("127.0.0.1", quiet_world.https_port)
    good_site(quiet_world.site, quiet_world.https_port)
    async with hypercorn(quiet_world.site, pair, bound):
        report = await quiet_world.scan()

    assert set(dialled) == {"127.0.0.1"}
    assert "certificate_ok" in codes(report)
    assert {seen.host for seen in quiet_world.site.seen} == {f"{DOMAIN}:{quiet_world.https_port}"}
