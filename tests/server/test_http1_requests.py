"""HTTP/1.1 requests by the letter of RFC 9112: host, target, framing, empty lines, and however TCP cuts them."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from live_server import LiveServer, serving
from raw_h2 import raw_h2
from test_plain_request import app

from mcp_app.server.engine.http1_requests import RequestParser

LIMIT = 200
"""Bytes of a head, in the tests of the parser alone."""

BAD_HOSTS = (
    "foo bar",
    "a,b c",
    "user@localhost",
    "localhost/",
    "localhost:x",
    "a:1:2",
    "[::1",
    "[::zz]",
    "a%zz",
    "\xe4",
    "",
)
GOOD_HOSTS = ("localhost", "LOCALHOST:8000", "[::1]:8000", "a%41:", "[v1.x]", "127.0.0.1")


@pytest.fixture
async def server() -> AsyncIterator[LiveServer]:
    async with serving(app, include_date_header=False, h11_max_incomplete_size=65536) as running:
        yield running


async def answers(server: LiveServer, *pieces: bytes) -> bytes:
    """What is answered to these pieces of TCP until the connection ends, which must be the server's doing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.transport.abort()


def get(target: str = "/x", *fields: str, host: str | None = "localhost", method: str = "GET") -> bytes:
    """A request after which the server closes its connection, unless it does so anyway."""
    hosts = [] if host is None else [f"Host: {host}"]
    lines = [f"{method} {target} HTTP/1.1", *hosts, *fields, "Connection: close"]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


def seen(answer: bytes) -> dict[str, Any]:
    """What the application was asked."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer
    asked: dict[str, Any] = json.loads(body)
    return asked


async def is_refused(server: LiveServer, request: bytes) -> bool:
    answer = await answers(server, request)
    assert answer.count(b"HTTP/1.1") == 1
    return answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("host", BAD_HOSTS)
async def test_a_host_that_is_none_is_400(server: LiveServer, host: str) -> None:
    assert await is_refused(server, get(host=host))


@pytest.mark.parametrize("host", GOOD_HOSTS)
async def test_any_host_reaches_the_application(server: LiveServer, host: str) -> None:
    assert ["host", host] in seen(await answers(server, get(host=host)))["headers"]


@pytest.mark.parametrize("host", BAD_HOSTS)
async def test_http2_has_the_same_rule(server: LiveServer, host: str) -> None:
    async with raw_h2(server.port) as client:
        client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
        client.h2.config.header_encoding = "latin-1"
        number = client.h2.get_next_available_stream_id()
        fields = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", host.encode("latin-1"))]
        client.h2.send_headers(number, fields, end_stream=True)
        await client.flush()
        await client.until(lambda: client.status(number))
        assert client.status(number) == 400


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        ("http://evil.example/a?b", "/a", "evil.example"),
        ("HTTPS://evil.example:1/", "/", "evil.example:1"),
        ("http://[::1]:8000", "/", "[::1]:8000"),
        ("http://evil.example?q", "/", "evil.example"),
    ],
)
@pytest.mark.parametrize("received", ["localhost", None])
async def test_the_host_of_an_absolute_target_is_the_host(
    server: LiveServer, target: str, path: str, host: str, received: str | None
) -> None:
    """RFC 9112, 3.2.2: the received Host must be ignored."""
    version = "1.1" if received else "1.0"
    asked = seen(await answers(server, get(target, host=received).replace(b"HTTP/1.1", f"HTTP/{version}".encode())))
    assert asked["path"] == path
    assert [value for name, value in asked["headers"] if name == "host"] == [host]


@pytest.mark.parametrize("host", BAD_HOSTS)
@pytest.mark.parametrize(("target", "method"), [("http://localhost/", "GET"), ("*", "OPTIONS"), ("/", "get")])
async def test_a_host_that_is_none_is_400_in_every_form(
    server: LiveServer, target: str, method: str, host: str
) -> None:
    """RFC 9112, 3.2: a 400 to any request message with an invalid Host, also where 3.2.2 ignores its value."""
    assert await is_refused(server, get(target, host=host, method=method))


async def test_options_of_a_whole_server(server: LiveServer) -> None:
    for target in ("*", "http://localhost"):
        assert seen(await answers(server, get(target, method="OPTIONS")))["path"] == "*"


@pytest.mark.parametrize("target", ["*", "x", "?x", "http://", "http:///x", "http://u@h/", "http://a b/", "ftp://h/"])
async def test_a_target_that_is_none_is_400(server: LiveServer, target: str) -> None:
    assert await is_refused(server, get(target))


async def test_a_tunnel_is_not_offered(server: LiveServer) -> None:
    assert await is_refused(server, get("localhost:80", method="CONNECT"))


async def test_a_lower_case_head_has_no_body(server: LiveServer) -> None:
    answer = await answers(server, get(method="head"))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n")


FRAMED_TWICE = get("/x", "Content-Length: 4", "Transfer-Encoding: chunked", method="POST").replace(
    b"Connection: close\r\n", b""
)  # fmt: skip
SMUGGLED = get("/smuggled")


@pytest.mark.parametrize("request_", [FRAMED_TWICE, FRAMED_TWICE.replace(b"HTTP/1.1", b"HTTP/1.0")], ids=["1.1", "1.0"])
@pytest.mark.parametrize("at_once", [True, False])
async def test_what_is_framed_twice_is_the_last_request(server: LiveServer, request_: bytes, at_once: bool) -> None:
    """RFC 9112, 6.1. What follows may be a part of the body, for whoever stands in between."""
    body = b"2\r\n{}\r\n0\r\n\r\n"
    pieces = [request_ + body + SMUGGLED] if at_once else [request_, body + SMUGGLED]
    answer = await answers(server, *pieces)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer.lower()
    assert seen(answer)["path"] == "/x"


@pytest.mark.parametrize("lines", [b"\r\n", b"\r\n\r\n"])
async def test_empty_lines_before_a_request_are_ignored(server: LiveServer, lines: bytes) -> None:
    """RFC 9112, 2.2: also after a body, where old clients send one."""
    first = get("/first", "Content-Length: 2", method="POST").replace(b"Connection: close\r\n", b"") + b"{}"
    answer = await answers(server, lines + first + lines, lines + get("/second"))
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert answer.endswith(b"}")


async def test_what_follows_the_last_request_is_ignored(server: LiveServer) -> None:
    assert seen(await answers(server, get("/x") + b"\r\n"))["path"] == "/x"


@pytest.mark.parametrize("size", [1000, 60_000, 70_000])
@pytest.mark.parametrize("cuts", [1, 2, 15])
async def test_a_long_head_is_judged_the_same_however_it_is_cut(server: LiveServer, size: int, cuts: int) -> None:
    request = get("/x", f"Cookie: {'x' * size}")
    step = -(-len(request) // cuts)
    answer = await answers(server, *(request[at : at + step] for at in range(0, len(request), step)))
    assert answer.startswith(b"HTTP/1.1 200 " if size < 65_000 else b"HTTP/1.1 431 ")


# --- as released ------------------------------------------------------------------------------------------------------


async def test_all_of_them_as_released() -> None:
    async with serving(app, released=True, include_date_header=False, h11_max_incomplete_size=65536) as server:
        assert ["host", "foo bar"] in seen(await answers(server, get(host="foo bar")))["headers"]
        absolute = seen(await answers(server, get("http://evil.example/")))
        assert (absolute["path"], absolute["headers"][0]) == ("http://evil.example/", ["host", "localhost"])
        twice = await answers(server, FRAMED_TWICE + b"2\r\n{}\r\n0\r\n\r\n" + SMUGGLED)
        assert twice.count(b"HTTP/1.1 200 ") == 2, "the smuggled request is answered"
        assert (await answers(server, b"\r\n" + get())).startswith(b"HTTP/1.1 400 ")
        settings = get("/x", *UPGRADE, "HTTP2-Settings: A")
        assert (await answers(server, settings)).startswith(b"HTTP/1.1 101 ")


async def test_a_head_is_judged_by_its_packets_as_released() -> None:
    request = get("/x", f"Cookie: {'x' * 30_000}")
    async with serving(app, released=True) as server:
        assert (await answers(server, request)).startswith(b"HTTP/1.1 200 ")
        assert (await answers(server, request[:20_000], request[20_000:])).startswith(b"HTTP/1.1 431 ")


# --- the upgrade to HTTP/2 --------------------------------------------------------------------------------------------

UPGRADE = ("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings")
BAD_SETTINGS = {"no base64": "A", "half a setting": "AAAA", "MAX_FRAME_SIZE 0": "AAUAAAAA", "ENABLE_PUSH 2": "AAIAAAAC"}


async def test_the_upgrade_is_off_unless_it_is_asked_for(server: LiveServer) -> None:
    request = get("/x", *UPGRADE, "HTTP2-Settings: AAMAAABk")
    assert seen(await answers(server, request))["http_version"] == "1.1"


@pytest.mark.parametrize("method", ["PRI", "GET"])
@pytest.mark.parametrize(("target", "version", "status"), [("*", "2.0", 505), ("*", "1.1", 400), ("/x", "1.1", 200)])
async def test_only_the_preface_itself_begins_http2(
    server: LiveServer, method: str, target: str, version: str, status: int
) -> None:
    """As released, the method PRI was enough to be searched for an upgrade."""
    request = get(target, *UPGRADE, "HTTP2-Settings: AAMAAABk", method=method).replace(b"/1.1", f"/{version}".encode())
    assert (await answers(server, request)).startswith(f"HTTP/1.1 {status} ".encode())


async def test_http2_without_tls_by_prior_knowledge_needs_no_upgrade(server: LiveServer) -> None:
    async with raw_h2(server.port) as client:
        number = await client.request("/x")
        await client.until(lambda: client.is_ended(number))
        assert client.status(number) == 200


@pytest.mark.parametrize("version", ["0.9", "2.0", "3.0", "9.9"])
async def test_another_version_is_505(server: LiveServer, version: str) -> None:
    request = get().replace(b"HTTP/1.1", f"HTTP/{version}".encode())
    assert (await answers(server, request)).startswith(b"HTTP/1.1 505 ")


@pytest.mark.parametrize("target", ["/x#y", "/#", "/x?a=b#c", "http://localhost#x", "http://localhost/x#y"])
async def test_a_fragment_is_no_part_of_a_target(server: LiveServer, target: str) -> None:
    """RFC 9112, 3.2: who reads it as a path reads another than the client meant."""
    assert (await answers(server, get(target))).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("name", BAD_SETTINGS)
async def test_bad_settings_are_400(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(app, h2c_upgrade=True) as server:
        assert await is_refused(server, get("/x", *UPGRADE, f"HTTP2-Settings: {BAD_SETTINGS[name]}"))
    assert not any(record.exc_info for record in caplog.records)


@pytest.mark.parametrize("fields", [(), ("HTTP2-Settings: AAMAAABk",) * 2], ids=["none", "two"])
async def test_without_its_one_field_there_is_no_upgrade(fields: Sequence[str]) -> None:
    """RFC 7540, 3.2.1."""
    async with serving(app, h2c_upgrade=True) as server:
        assert seen(await answers(server, get("/x", *UPGRADE, *fields)))["http_version"] == "1.1"


# --- the parser alone -------------------------------------------------------------------------------------------------


def parse(pieces: Sequence[bytes]) -> list[Any]:
    """What a server reads: each request, each body joined, each end; an error's status ends it."""
    parser = RequestParser(LIMIT)
    read: list[Any] = []
    for piece in (*pieces, None):
        if piece is not None and not piece:
            continue  # would be the end of the connection
        parser.receive_data(piece or b"")
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                # The end within a request, too: "peer closed connection".
                return [*read, error.error_status_hint if piece is not None else "cut"]
            if event is h11.PAUSED:  # a response, and the next request
                parser.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                parser.send(h11.EndOfMessage())
                parser.start_next_cycle()
            elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                break
            elif isinstance(event, h11.Data):
                if not (read and isinstance(read[-1], bytearray)):
                    read.append(bytearray())
                read[-1] += event.data
            elif isinstance(event, h11.Request):
                read.append((event.method, event.target, event.headers.raw_items()))
            else:
                read.append(("end", event.headers.raw_items()))  # type: ignore[union-attr]
    return read


LINES = st.sampled_from(
    [
        *(b"GET / HTTP/1.1", b"POST /x HTTP/1.1", b"GET http://a/b HTTP/1.1", b"GET / HTTP/1.0", b"G ET / HTTP/1.1"),
        *(b"Host: localhost", b"Host: a b", b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Connection: close"),
        *(b"x: " + b"y" * size for size in (1, 150, LIMIT, 3 * LIMIT)),
        *(b"", b"", b"", b"abc", b"3", b"3;" + b"e" * LIMIT, b"0", b" folded", b"\0", b"\x16\x03\x01"),
    ]
)
STREAMS = st.lists(LINES, max_size=12).map(lambda lines: b"".join(line + b"\r\n" for line in lines))
HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"


@settings(max_examples=500, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 600), max_size=8))
@example(HEAD + b"x: " + b"y" * (LIMIT - len(HEAD) - 7) + b"\r\n\r\n", [5])
@example(HEAD + b"x: " + b"y" * (LIMIT - len(HEAD) - 6) + b"\r\n\r\n", [5, LIMIT])
@example(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: " + b"y" * LIMIT + b"\r\n\r\n", [100, 150])
@example(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n", [1, 3, 34])
def test_a_connection_reads_the_same_however_it_is_cut(data: bytes, at: list[int]) -> None:
    places = sorted({0, len(data), *(place for place in at if place < len(data))})
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    assert parse(pieces) == parse([data])
    assert parse([data[place : place + 1] for place in range(len(data))]) == parse([data])
