"""A tool's way out: httpx's client, and `fetch`, keep to the rules whatever names, redirects and proxies say."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from ipaddress import IPv4Network
from pathlib import Path

import httpx
import pytest
from authority import Pair
from scan_world import DOMAIN, World
from web_world import Page, Site, answers, bare, hypercorn, listening, says_nothing

import mcp_app
from mcp_app import outgoing
from mcp_app.outgoing import CheckedBackend, Lookup, Rules, Unreachable
from mcp_app.testing import client as in_memory

INSIDE = ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "10.0.0.1", "0.0.0.0"]
METADATA = ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b::169.254.169.254]"]
SPELLINGS = ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "127.0.0.1.", "①②⑦.⓪.⓪.①"]
"""Loopback, as libraries in C read it."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def rules(world: World, **changed: object) -> Rules:
    """Loopback's first address is the internet of these tests; 127.0.0.2 is inside."""
    values: dict[str, object] = {
        "allow_networks": (IPv4Network("127.0.0.1/32"),),
        "ports": frozenset({80, 443, world.http_port, world.https_port}),
        "nameserver": ("127.0.0.1", world.dns.port),
        "dns_seconds": 2.0,
    }
    return Rules(**{**values, **changed})  # type: ignore[arg-type]


def trusting(world: World) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(world.authority.root))


@pytest.mark.parametrize("host", [*INSIDE, *METADATA])
async def test_no_address_inside_is_connected_to_however_it_is_written(host: str) -> None:
    async with outgoing.client() as sending:
        with pytest.raises(Unreachable) as caught:
            await sending.get(f"http://{host}/")
    assert caught.value.reason == "refused_address"
    assert caught.value.refused


@pytest.mark.parametrize("host", SPELLINGS)
async def test_spellings_of_loopback_are_names_or_it(quiet_world: World, host: str) -> None:
    """None of them reaches a library in C; the last two are what httpx itself makes of them."""
    bound = listening("127.0.0.1", quiet_world.http_port)
    strict = rules(quiet_world, allow_networks=())
    async with bare(answers, bound) as clients, outgoing.client(strict) as sending:
        with pytest.raises((Unreachable, httpx.InvalidURL)):
            await sending.get(f"http://{host}:{quiet_world.http_port}/")
    assert clients == []


async def test_what_the_rules_allow_is_answered_with_its_certificate_checked(world: World) -> None:
    async with outgoing.client(rules(world), verify=trusting(world)) as sending:
        answer = await sending.get(world.https())
        again = await sending.get(world.https("/robots.txt"))

    assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
    assert answer.text == "<!doctype html><title>Site</title>"
    assert again.text.startswith("User-agent")
    assert world.dns.asked[DOMAIN, "A"] == 1


async def test_a_certificate_that_is_not_trusted_is_httpxs_error(world: World) -> None:
    async with outgoing.client(rules(world)) as sending:
        with pytest.raises(httpx.ConnectError):
            await sending.get(world.https())


async def test_a_redirect_inside_is_refused_before_anybody_is_connected_to(world: World) -> None:
    world.dns.put("inside.test", "A", "127.0.0.2")
    world.site.put("http", "/", Page(302, {"location": f"http://inside.test:{world.http_port}/secret"}))
    async with (
        bare(answers, listening("127.0.0.2", world.http_port)) as clients,
        outgoing.client(rules(world), follow_redirects=True) as sending,
    ):
        with pytest.raises(Unreachable) as caught:
            await sending.get(world.http())

    assert clients == []
    assert caught.value.reason == "refused_address"
    assert "127.0.0.2" not in caught.value.message  # nobody reads the intranet's DNS by it


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "169.254.169.254", "fd00:ec2::254", "fe80::1"]
)
async def test_a_name_that_is_inside_is_refused(quiet_world: World, address: str) -> None:
    quiet_world.dns.put(DOMAIN, "A")
    quiet_world.dns.put(DOMAIN, "AAAA" if ":" in address else "A", address)
    async with outgoing.client(rules(quiet_world)) as sending:
        with pytest.raises(Unreachable, match=f"^{DOMAIN} is at ") as caught:
            await sending.get(quiet_world.http())
    assert caught.value.reason == "refused_address"
    assert address not in caught.value.message


async def test_a_name_that_moves_inside_is_refused_from_then_on(world: World) -> None:
    """DNS rebinding against a client that lives long: each new connection is to an address that was checked."""
    world.dns.put(DOMAIN, "A")
    world.dns.take_turns(DOMAIN, "A", ["127.0.0.1"], ["127.0.0.2"])
    clock = [0.0]
    backend = CheckedBackend(Lookup(rules(world), lambda: clock[0]))
    try:
        for clock[0] in (0.0, 29.0):
            stream = await backend.connect_tcp(DOMAIN, world.http_port)
            assert outgoing.peer_of(stream) == "127.0.0.1"
        clock[0] = 31.0
        with pytest.raises(Unreachable) as caught:
            await backend.connect_tcp(DOMAIN, world.http_port)
    finally:
        await backend.aclose()
    assert caught.value.reason == "refused_address"
    assert world.dns.asked[DOMAIN, "A"] == 2


async def test_names_are_not_kept_without_bound(quiet_world: World) -> None:
    lookup = Lookup(rules(quiet_world))
    for number in range(1, 1101):
        await lookup.addresses(f"127.0.{number // 256}.{number % 256}")
    assert len(lookup._names) == 1000


async def test_proxies_of_the_environment_are_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name again, where nobody checks."""
    proxy = listening()
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
    async with bare(answers, proxy) as clients:
        async with outgoing.client(rules(world), verify=trusting(world)) as sending:
            assert (await sending.get(world.https())).status_code == 200
            assert (await sending.get(world.http("/no"))).status_code == 404
        await outgoing.fetch(world.https(), rules=rules(world), verify=trusting(world))
        with pytest.raises(Unreachable):
            await outgoing.fetch("http://169.254.169.254/latest/meta-data/")
    assert clients == []


@pytest.mark.parametrize(
    "option", [{"proxy": "http://127.0.0.1:1"}, {"mounts": {}}, {"transport": None}, {"trust_env": True}]
)
def test_options_that_lead_past_the_rules_are_refused(option: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="it would lead past the rules"):
        outgoing.client(**option)  # type: ignore[arg-type]


async def test_a_socket_of_this_machine_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        await CheckedBackend(Lookup(Rules())).connect_unix_socket(str(tmp_path / "docker.sock"))


async def test_other_ports_are_refused(quiet_world: World) -> None:
    for port in (22, 6379, 11211):
        with pytest.raises(Unreachable) as caught:
            await outgoing.fetch(f"http://{DOMAIN}:{port}/", rules=rules(quiet_world))
        assert caught.value.reason == "refused_port"
    assert not quiet_world.dns.asked


async def test_a_connection_is_closed_when_its_handshake_is_given_up(quiet_world: World) -> None:
    """httpcore loses one that is cancelled there."""
    hello = asyncio.Event()

    async def reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        hello.set()
        await reader.read()

    async with bare(reads, listening("127.0.0.1", quiet_world.https_port)):
        backend = CheckedBackend(Lookup(rules(quiet_world)))
        plain = await backend.connect_tcp(DOMAIN, quiet_world.https_port)
        shaking = asyncio.create_task(plain.start_tls(ssl.create_default_context(), DOMAIN))
        await asyncio.wait_for(hello.wait(), 10)
        shaking.cancel()
        await asyncio.gather(shaking, return_exceptions=True)
    assert not backend._opened


# --- fetch -----------------------------------------------------------------------------------------------------------


async def test_fetch_follows_redirects_to_the_page(world: World) -> None:
    found = await outgoing.fetch(world.http(), rules=rules(world), verify=trusting(world))

    assert (found.url, found.status) == (world.https(), 200)
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.text == "<!doctype html><title>Site</title>"


async def test_an_error_of_the_site_is_an_answer(world: World) -> None:
    assert (await outgoing.fetch(world.http("/no"), rules=rules(world))).status == 404


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://inside.test:{port}/", "refused_address"),
        ("http://127.0.0.2:{port}/", "refused_address"),
        ("http://site.test:22/", "refused_port"),
        ("file:///etc/passwd", "refused_url"),
        ("gopher://site.test/", "refused_url"),
        ("http://user:pw@site.test:{port}/", "refused_url"),
        ("http://nowhere.test:{port}/", "no_such_name"),
        ("/", "too_many_redirects"),
        ("mailto:a@site.test", "protocol"),
        ("http:page", "protocol"),
        ("http://xn--/", "protocol"),
        ("http://site.test:port/", "protocol"),
    ],
)
async def test_where_a_redirect_may_not_lead(world: World, location: str, reason: str) -> None:
    world.dns.put("inside.test", "A", "127.0.0.2")
    world.site.put("http", "/", Page(302, {"location": location.format(port=world.http_port)}))
    async with bare(answers, listening("127.0.0.2", world.http_port)) as clients:
        with pytest.raises(Unreachable) as caught:
            await outgoing.fetch(world.http(), rules=rules(world))
    assert (clients, caught.value.reason) == ([], reason)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://site.test/",
        "//site.test/",
        "site.test",
        "http://",
        "http://a:b@site.test/",
        "http://xn--/",
    ],
)
async def test_what_is_no_url_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(Unreachable) as caught:
        await outgoing.fetch(url)
    assert caught.value.reason == "refused_url"


async def test_a_url_without_end_is_refused() -> None:
    with pytest.raises(Unreachable, match="8000 characters"):
        await outgoing.fetch("http://site.test/" + "a" * 8000)


async def test_own_header_fields_do_not_go_to_another_origin(world: World) -> None:
    world.dns.put("other.test", "A", "127.0.0.1")
    world.site.put("http", "/", Page(307, {"location": "/again"}))
    world.site.put("http", "/again", Page(307, {"location": f"http://other.test:{world.http_port}/there"}))
    world.site.put("http", "/there", Page(200, {}, b"yes"))

    secret = {"Authorization": "Bearer secret", "X-Api-Key": "secret"}
    found = await outgoing.fetch(world.http(), rules=rules(world), headers=secret)

    assert found.body == b"yes"
    told = {seen.path: {"authorization", "x-api-key"} & seen.headers.keys() for seen in world.site.seen}
    assert told == {"/": {"authorization", "x-api-key"}, "/again": {"authorization", "x-api-key"}, "/there": set()}


async def test_a_body_is_bounded_as_it_comes_and_inflated(world: World) -> None:
    world.site.put("http", "/bomb", Page(200, {"content-encoding": "gzip"}, gzip.compress(bytes(10_000_000))))
    world.site.put("http", "/small", Page(200, {"content-encoding": "gzip"}, gzip.compress(b"small")))
    world.site.put("http", "/endless", Page(200, {}, _endless(world.site)))
    for path in ("/bomb", "/endless"):
        with pytest.raises(Unreachable) as caught:
            await outgoing.fetch(world.http(path), rules=rules(world), max_bytes=100_000)
        assert caught.value.reason == "too_large"
    assert (await outgoing.fetch(world.http("/small"), rules=rules(world))).body == b"small"


def _endless(site: Site) -> object:
    async def chunks() -> AsyncIterator[bytes]:
        while not site.over.is_set():
            yield bytes(10_000)
            await asyncio.sleep(0)

    return chunks


async def test_who_does_not_answer_in_time_is_given_up(quiet_world: World) -> None:
    async with bare(says_nothing, listening("127.0.0.1", quiet_world.http_port)):
        with pytest.raises(Unreachable) as caught:
            await outgoing.fetch(quiet_world.http(), rules=rules(quiet_world), max_seconds=0.2)
    assert caught.value.reason == "timed_out"


async def test_what_is_not_http_is_told(quiet_world: World, pair: Pair) -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01nonsense\r\n\r\n")
        await writer.drain()

    async with bare(garbage, listening("127.0.0.1", quiet_world.http_port)):
        with pytest.raises(Unreachable) as caught:
            await outgoing.fetch(quiet_world.http(), rules=rules(quiet_world))
    assert caught.value.reason == "protocol"
    # The other way round: plain HTTP where TLS is spoken.
    async with hypercorn(quiet_world.site, pair, listening("127.0.0.1", quiet_world.https_port)):
        with pytest.raises(Unreachable) as caught:
            await outgoing.fetch(quiet_world.https(), rules=rules(quiet_world))
    assert caught.value.reason == "tls"


async def test_a_connection_of_http_2_that_goes_wrong_amid_a_body_is_told(quiet_world: World, pair: Pair) -> None:
    async def torn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        head = b"\0\0\1" + b"\x01\x04" + (1).to_bytes(4, "big") + b"\x88"  # HEADERS with :status 200
        stray = b"\0\0\1" + b"\x00\x00" + (0).to_bytes(4, "big") + b"x"  # DATA of the stream 0, which has none
        writer.write(b"\0\0\0\4\0" + bytes(4) + head)
        await writer.drain()
        await asyncio.sleep(0.1)  # so that the head is read before it
        writer.write(stray)
        await writer.drain()
        await reader.read()

    def with_http_2(context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["h2"])

    async with bare(torn, listening("127.0.0.1", quiet_world.https_port), pair, with_http_2):
        with pytest.raises(Unreachable) as caught:
            await outgoing.fetch(quiet_world.https(), rules=rules(quiet_world), verify=trusting(quiet_world))
    assert caught.value.reason == "protocol"


async def test_text_is_read_by_its_charset(world: World) -> None:
    for charset, body, text in [
        ("charset=iso-8859-1", b"caf\xe9", "café"),
        ('charset="UTF-8"; x=y', "café".encode(), "café"),
        ("charset=no-such", b"caf\xe9", "caf\N{REPLACEMENT CHARACTER}"),
    ]:
        world.site.put("http", "/t", Page(200, {"content-type": f"text/plain; {charset}"}, body))
        assert (await outgoing.fetch(world.http("/t"), rules=rules(world))).text == text


@pytest.mark.parametrize(
    "name", ["idna", "punycode", "PunyCode", "undefined", "unicode_escape", "raw_unicode_escape", "utf7", "hex", "a\0b"]
)
def test_a_codec_of_pythons_that_no_page_is_written_in_is_not_used(name: str) -> None:
    """Whoever answers chooses the name: idna raises, and punycode takes the square of the body's length."""
    for body in (b"ab-1", b"+AGE-", rb"\x41", b"a\xff"):
        found = outgoing.Fetched(
            "http://a.example/", 200, httpx.Headers({"content-type": f"text/x; charset={name}"}), body
        )
        assert found.text == body.decode("utf-8", "replace")


async def test_a_tool_that_catches_nothing_ends_with_what_was_wrong() -> None:
    @mcp_app.tool(read_only=True)
    async def page(url: str) -> str:
        """Get a page."""
        return (await outgoing.fetch(url)).text

    async with in_memory(page) as c:
        run = c.run("page", url="http://169.254.169.254/latest/meta-data/iam/")
        with pytest.raises(mcp_app.ToolError):
            await run
        error = run.error
    assert error is not None
    assert (error.code, error.message) == ("unreachable", "169.254.169.254 is at a cloud metadata address")
