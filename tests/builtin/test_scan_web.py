"""The steps on HTTP, against servers and pages that are wrong, huge, slow or hostile."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest
from authority import Pair
from scan_world import DOMAIN, GOOD_HEADERS, World, codes, good_site, step_of
from web_world import Behaviour, Page, bare, hypercorn, listening

MIB = 1024 * 1024


@asynccontextmanager
async def served(world: World, behave: Behaviour, pair: Pair) -> AsyncIterator[None]:
    async with bare(behave, listening("127.0.0.1", world.https_port), pair):
        yield


def says(answer: bytes) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return behave


# --- versions --------------------------------------------------------------------------------------------------------


async def test_a_server_without_http2(quiet_world: World, pair: Pair) -> None:
    good_site(quiet_world.site, quiet_world.https_port)
    bound = listening("127.0.0.1", quiet_world.https_port)
    async with hypercorn(quiet_world.site, pair, bound, alpn=("http/1.1",)):
        report = await quiet_world.scan()

    assert step_of(report, "http").versions == ["HTTP/1.1"]
    assert step_of(report, "tls").alpn == "http/1.1"
    assert "http2_missing" in codes(report)
    assert "http_closed" in codes(report)


@pytest.mark.parametrize(("status", "code"), [(500, "server_error"), (503, "server_error"), (404, "client_error")])
async def test_a_start_page_that_fails(world: World, status: int, code: str) -> None:
    world.site.put("https", "/", Page(status, GOOD_HEADERS))

    report = await world.scan()

    assert code in codes(report)
    assert step_of(report, "http").status_code == status


@pytest.mark.parametrize(
    ("value", "advertised"),
    [
        ('h3=":443"', True),
        ('h2=":443", h3-29=":443"; ma=5', True),
        ('h2="alt:443"', False),
        ("clear", False),
        ('xh3=":443"', False),
    ],
)
async def test_http3_is_read_from_alt_svc(world: World, value: str, advertised: bool) -> None:
    world.site.put("https", "/", Page(200, {**GOOD_HEADERS, "alt-svc": value}))

    assert ("http3_advertised" in codes(await world.scan())) is advertised


@pytest.mark.needs("ipv6")
async def test_a_site_with_ipv6_is_reached_by_it(world: World, pair: Pair) -> None:
    world.dns.put(DOMAIN, "AAAA", "::1")
    async with hypercorn(world.site, pair, listening("::1", world.https_port)):
        report = await world.scan(allow_networks="127.0.0.1/32,::1/128")

    assert step_of(report, "tls").address == "::1"
    assert (report.grade, report.score) == ("A", 100)


async def test_an_address_that_does_not_answer_is_passed_over(world: World) -> None:
    world.dns.put(DOMAIN, "AAAA", "::1")  # where nothing listens

    report = await world.scan(allow_networks="127.0.0.1/32,::1/128")

    assert step_of(report, "tls").address == "127.0.0.1"
    assert report.grade == "A"


# --- redirects -------------------------------------------------------------------------------------------------------


async def test_redirects_that_go_round(world: World) -> None:
    world.site.put("http", "/", Page(301, {"location": "/a"}))
    world.site.put("http", "/a", Page(301, {"location": "/b"}))
    world.site.put("http", "/b", Page(301, {"location": "/a"}))

    report = await world.scan()

    assert [hop.url for hop in step_of(report, "redirects").hops] == [world.http(), world.http("/a"), world.http("/b")]
    assert "redirect_loop" in codes(report)
    assert "https_redirect_missing" not in codes(report)


async def test_a_page_that_redirects_to_itself_on_https_too(world: World) -> None:
    world.site.put("https", "/", Page(302, {"location": "/"}))

    report = await world.scan()

    assert "redirect_loop" in codes(report)
    assert "headers_unreachable" in codes(report)
    assert len([seen for seen in world.site.seen if seen.path == "/"]) < 10


async def test_redirects_without_end_are_bounded(world: World) -> None:
    for number in range(40):
        world.site.put("http", f"/{number or ''}", Page(302, {"location": f"/{number + 1}"}))

    report = await world.scan()

    assert len(step_of(report, "redirects").hops) == 11
    assert "redirect_too_many" in codes(report)


async def test_http_that_stays_http(world: World) -> None:
    world.site.put("http", "/", Page(200, {"content-type": "text/html"}, b"hello"))

    assert "https_redirect_missing" in codes(await world.scan())


async def test_a_redirect_down_to_http(world: World) -> None:
    world.site.put("https", "/", Page(302, {"location": world.http("/plain")}))
    world.site.put("http", "/plain", Page(200, {"content-type": "text/html"}))

    report = await world.scan()

    assert "redirect_downgrade" in codes(report)
    assert "https_redirect" not in codes(report)
    assert "hsts_missing" not in codes(report), "over http the header would say nothing"


async def test_a_temporary_redirect_to_https(world: World) -> None:
    world.site.put("http", "/", Page(302, {"location": world.https()}))

    report = await world.scan()

    assert {"https_redirect", "redirect_temporary"} <= codes(report)


@pytest.mark.parametrize("answer", [Page(301, {}), Page(304, {"location": "/x"}), Page(300, {"location": "/x"})])
async def test_what_is_no_redirect_is_a_page(world: World, answer: Page) -> None:
    world.site.put("http", "/", answer)

    hops = step_of(await world.scan(), "redirects").hops

    assert [hop.status_code for hop in hops] == [answer.status]


async def test_a_redirect_to_what_does_not_answer(world: World) -> None:
    world.site.put("http", "/", Page(301, {"location": world.https("/", "gone.test")}))

    report = await world.scan()

    (broken,) = [each for each in report.findings if each.code == "redirect_broken"]
    assert broken.detail == "gone.test does not exist"


async def test_a_hop_with_a_certificate_of_another_name_says_so(world: World) -> None:
    world.dns.put("other.test", "A", "127.0.0.1")
    world.site.put("http", "/", Page(301, {"location": world.https("/", "other.test")}))

    hops = step_of(await world.scan(), "redirects").hops

    assert [hop.problem for hop in hops] == [None, "its certificate is not trusted"]


# --- headers ---------------------------------------------------------------------------------------------------------

NO_HEADERS = {
    "hsts_missing",
    "csp_missing",
    "nosniff_missing",
    "referrer_policy_missing",
    "frames_allowed",
    "permissions_policy_missing",
}


async def test_a_site_without_security_headers(world: World) -> None:
    world.site.put("https", "/", Page(200, {"content-type": "text/html"}, b"hello"))

    report = await world.scan()

    assert codes(report) >= NO_HEADERS
    assert report.grade == "C"


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("strict-transport-security", "max-age=300", "hsts_short"),
        ("strict-transport-security", "max-age=0", "hsts_short"),
        ("strict-transport-security", 'includeSubDomains; MAX-AGE="31536000"', "hsts_ok"),
        ("strict-transport-security", "max-age=abc", "hsts_invalid"),
        ("strict-transport-security", "x-max-age=31536000", "hsts_invalid"),
        ("strict-transport-security", "max-age=" + "9" * 5000, "hsts_invalid"),
        ("content-security-policy", "default-src 'self' 'unsafe-inline'", "csp_weak"),
        ("content-security-policy", "img-src 'self'", "csp_weak"),
        ("content-security-policy", "script-src 'nonce-abc' 'unsafe-inline'", "csp_ok"),
        ("content-security-policy", "script-src *; default-src 'none'", "csp_weak"),
        ("content-security-policy", " ; , ", "csp_missing"),
        ("content-security-policy", "default-src 'none'", "frames_allowed"),
        ("x-content-type-options", "sniff", "nosniff_missing"),
        ("set-cookie", "a=b; Secure; HttpOnly", "cookie_unsafe"),
        ("server", "nginx/1.25.3", "version_shown"),
        ("x-powered-by", "PHP/8.2.1", "version_shown"),
    ],
)
async def test_each_header_is_judged(world: World, header: str, value: str, expected: str) -> None:
    world.site.put("https", "/", Page(200, {**GOOD_HEADERS, header: value}))

    assert expected in codes(await world.scan())


async def test_frames_may_be_refused_the_old_way(world: World) -> None:
    headers = {**GOOD_HEADERS, "content-security-policy": "default-src 'none'", "x-frame-options": "SameOrigin"}
    world.site.put("https", "/", Page(200, headers))

    assert "frames_allowed" not in codes(await world.scan())


async def test_headers_are_judged_where_the_redirects_end(world: World) -> None:
    world.site.put("https", "/", Page(302, {"location": "/home"}))
    world.site.put("https", "/home", Page(200, GOOD_HEADERS))

    step = step_of(await world.scan(), "headers")

    assert step.url == world.https("/home")
    assert {"hsts_ok", "csp_ok"} <= {each.code for each in step.findings}


async def test_many_headers_are_bounded(world: World) -> None:
    many = [*GOOD_HEADERS.items(), *((f"x-{number}", "y") for number in range(300))]
    world.site.put("https", "/", Page(200, many))

    report = await world.scan()

    assert "headers_many" in codes(report)
    assert len(step_of(report, "headers").headers) < 20


async def test_a_long_header_is_cut(world: World) -> None:
    world.site.put("https", "/", Page(200, {**GOOD_HEADERS, "server": "x" * 9000 + "\x9b31m"}))

    report = await world.scan()

    assert step_of(report, "http").server == "x" * 99 + "…"
    assert max(len(header.value) for header in step_of(report, "headers").headers) <= 400


# --- bodies, time and hostility --------------------------------------------------------------------------------------


async def test_a_huge_body_is_cut(world: World) -> None:
    async def huge() -> AsyncIterator[bytes]:
        for _ in range(256):
            yield b"# x\n" * 4096
            await asyncio.sleep(0)

    world.site.put("https", "/llms.txt", Page(200, {"content-type": "text/plain"}, huge))
    world.site.put("https", "/", Page(200, GOOD_HEADERS, huge))
    world.site.put("http", "/", Page(200, {"content-type": "text/html"}, huge))

    report = await world.scan()

    files = {each.path: each for each in step_of(report, "files").files}
    assert files["/llms.txt"].bytes == 256 * 1024
    assert "file_cut" in codes(report)
    assert step_of(report, "http").status == "ok"


async def test_a_body_without_end_is_cut(quiet_world: World, pair: Pair) -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.transport.is_closing():
            writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
            await writer.drain()

    async with served(quiet_world, endless, pair):
        report = await quiet_world.scan()

    files = {each.path: each for each in step_of(report, "files").files}
    assert {each.bytes for each in files.values()} == {256 * 1024}
    assert step_of(report, "http").versions == ["HTTP/1.1"]
    # Eleven answers, each with what was read and what the kernel's buffers held besides.
    assert sent < 11 * 16 * MIB


async def test_a_decompression_bomb_is_inflated_no_further_than_the_bound(world: World) -> None:
    bomb = gzip.compress(b"\0" * (200 * MIB))
    assert len(bomb) < 256 * 1024
    world.site.put("https", "/llms.txt", Page(200, {"content-type": "text/plain", "content-encoding": "gzip"}, bomb))
    before = psutil.Process().memory_info().rss

    report = await world.scan()

    files = {each.path: each for each in step_of(report, "files").files}
    assert files["/llms.txt"].bytes == 256 * 1024
    assert psutil.Process().memory_info().rss - before < 64 * MIB


async def test_a_body_that_is_compressed_unasked_is_read(world: World) -> None:
    headers = {"content-type": "text/plain", "content-encoding": "gzip"}
    world.site.put("https", "/llms.txt", Page(200, headers, gzip.compress(b"# Zipped\n")))

    files = {each.path: each for each in step_of(await world.scan(), "files").files}

    assert files["/llms.txt"].fields["title"] == "Zipped"


async def test_a_body_that_only_says_it_is_compressed(world: World) -> None:
    world.site.put("https", "/llms.txt", Page(200, {"content-encoding": "gzip"}, b"# not gzip\n"))

    report = await world.scan()

    files = {each.path: each for each in step_of(report, "files").files}
    assert files["/llms.txt"].problem == f"{world.https('/llms.txt')}: the answer is not valid HTTP"
    assert "step_crashed" not in codes(report)


async def test_a_server_that_is_slow_to_answer(world: World) -> None:
    world.site.put("https", "/", Page(200, GOOD_HEADERS, before=world.site.over.wait))
    began = time.monotonic()

    report = await world.scan(fetch_seconds=1.0, step_seconds=5)

    assert time.monotonic() - began < 15
    assert "https_unreachable" in codes(report)
    assert step_of(report, "http").summary == f"{world.https()} was not answered in time"
    assert step_of(report, "files").status == "ok"


async def test_a_server_that_drips_its_body(world: World) -> None:
    async def drip() -> AsyncIterator[bytes]:
        while not world.site.over.is_set():
            yield b"x"
            await asyncio.sleep(0.1)

    world.site.put("https", "/robots.txt", Page(200, {"content-type": "text/plain"}, drip))
    began = time.monotonic()

    report = await world.scan(fetch_seconds=1.0, step_seconds=5)

    assert time.monotonic() - began < 15
    files = {each.path: each for each in step_of(report, "files").files}
    assert files["/robots.txt"].problem == f"{world.https('/robots.txt')} was not answered in time"


async def test_a_step_out_of_time_shows_what_it_has(world: World) -> None:
    for number in range(10):
        page = Page(302, {"location": f"/{number + 1}"}, before=lambda: asyncio.sleep(0.4))
        world.site.put("http", f"/{number or ''}", page)

    report = await world.scan(fetch_seconds=1.0, step_seconds=1.5)

    step = step_of(report, "redirects")
    assert "step_timed_out" in {each.code for each in step.findings}
    assert 2 <= len(step.hops) < 10
    assert [hop.status_code for hop in step.hops[:2]] == [302, 302]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 999999 Huh\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 60_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"\x00\xff" * 500,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/\xff\x00html\r\n\r\n",
    ],
)
async def test_answers_that_are_no_http_are_findings(quiet_world: World, pair: Pair, answer: bytes) -> None:
    async with served(quiet_world, says(answer), pair):
        report = await quiet_world.scan(fetch_seconds=2.0)

    assert "step_crashed" not in codes(report)
    assert {"https_unreachable", "headers_unreachable", "files_unreachable"} <= codes(report)
    assert "certificate_ok" in codes(report)


async def test_http2_that_is_garbage_is_a_finding(quiet_world: World, pair: Pair) -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A PUSH_PROMISE without end, on stream 0: wrong in two ways (RFC 9113, 6.6).
        writer.write(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x04\x05\x00\x00\x00\x00\x00" + b"\xff" * 100)
        await writer.drain()
        await reader.read()

    bound = listening("127.0.0.1", quiet_world.https_port)
    async with bare(behave, bound, pair, lambda context: context.set_alpn_protocols(["h2"])) as clients:
        report = await quiet_world.scan(fetch_seconds=2.0)

    assert clients
    assert "https_unreachable" in codes(report)
    assert "step_crashed" not in codes(report)


# --- files -----------------------------------------------------------------------------------------------------------


async def test_a_site_without_any_of_the_files(world: World) -> None:
    for scheme, path in list(world.site.pages):
        if path != "/":
            del world.site.pages[scheme, path]

    report = await world.scan()

    files = step_of(report, "files")
    assert not any(each.present for each in files.files)
    assert "security_txt_missing" in codes(report)
    assert {each.detail for each in files.findings if each.code == "file_missing"} == {
        "/robots.txt",
        "/llms.txt",
        "/.well-known/mcp.json",
        "/mcp.json",
        "/.well-known/mcp/server-card.json",
        "/.well-known/ai-catalog.json",
    }
    assert report.grade == "A"


async def test_a_start_page_for_every_path_is_no_file(world: World) -> None:
    html = Page(200, {"content-type": "text/html"}, b"<!doctype html>")
    for path in ("/robots.txt", "/llms.txt", "/.well-known/security.txt", "/security.txt", "/mcp.json"):
        world.site.put("https", path, html)

    files = {each.path: each for each in step_of(await world.scan(), "files").files}

    assert not files["/robots.txt"].present
    assert files["/mcp.json"].problem == "an HTML page is answered instead"


async def test_security_txt_at_the_old_place_only(world: World) -> None:
    world.site.put("https", "/security.txt", world.site.pages.pop(("https", "/.well-known/security.txt")))

    report = await world.scan()

    assert "security_txt_misplaced" in codes(report)
    assert "security_txt_missing" not in codes(report)


async def test_an_expired_security_txt(world: World) -> None:
    body = b"Contact: mailto:a@site.test\nExpires: 2020-01-01T00:00:00Z\n"
    world.site.put("https", "/.well-known/security.txt", Page(200, {"content-type": "text/plain"}, body))

    report = await world.scan()

    assert "security_txt_expired" in codes(report)


async def test_files_that_are_not_valid(world: World) -> None:
    for path in ("/robots.txt", "/llms.txt", "/mcp.json", "/.well-known/ai-catalog.json"):
        world.site.put("https", path, Page(200, {"content-type": "text/plain"}, b"\xff\xfe nothing of the sort"))

    step = step_of(await world.scan(), "files")

    assert sum(each.code == "file_invalid" for each in step.findings) == 4
    assert {each.problem for each in step.files if each.valid is False} == {"it is not UTF-8"}
    assert step.status == "warn"


async def test_a_file_behind_a_redirect_is_found(world: World) -> None:
    world.site.put("https", "/moved.txt", world.site.pages["https", "/robots.txt"])
    world.site.put("https", "/robots.txt", Page(301, {"location": "/moved.txt"}))

    files = {each.path: each for each in step_of(await world.scan(), "files").files}

    assert files["/robots.txt"].valid
    assert files["/robots.txt"].status_code == 200


async def test_files_are_asked_for_over_few_connections(world: World) -> None:
    await world.scan()

    paths = [seen.path for seen in world.site.seen if seen.path != "/"]
    assert sorted(paths) == sorted(set(paths)), "each file is asked for once"
    assert {seen.host for seen in world.site.seen if seen.path != "/"} == {f"{DOMAIN}:{world.https_port}"}
