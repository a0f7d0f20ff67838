"""The head of an HTTP/1.1 answer and its first bytes: the same bytes as Hypercorn's, in one piece."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
import pytest
from defects import lifespan
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import RawData
from live_server import serving

from mcp_app.server.engine import http1_lines, lingering, streams
from mcp_app.server.engine.connection import Connection
from mcp_app.web.asgi.answer import BODY_FOLLOWS

Fields = list[tuple[bytes, bytes]]

JSON = (b"content-type", b"application/json")
FIVE = (b"content-length", b"5")
ANSWERS: dict[str, tuple[int, Fields, list[bytes]]] = {
    "with a length": (200, [JSON, FIVE], [b"hello"]),
    "in two pieces": (200, [JSON, FIVE], [b"hel", b"lo"]),
    "chunked": (200, [JSON], [b"hello"]),
    "chunked in pieces": (200, [JSON], [b"hel", b"lo", b""]),
    "an error": (404, [FIVE, JSON], [b"hello"]),
    "without a body": (200, [(b"content-length", b"0")], [b""]),
    "no content": (204, [JSON], [b"hello"]),
    "no fields": (200, [], [b"hello"]),
    "names in capitals": (200, [(b"X-One", b"1"), (b"Content-Length", b"5")], [b"hello"]),
    "white space around a value": (200, [(b" x-one", b" 1 \t"), FIVE], [b"hello"]),
    "a field twice": (200, [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), FIVE], [b"hello"]),
    "a length twice": (200, [FIVE, FIVE], [b"hello"]),
    "a length as a list": (200, [(b"content-length", b"5, 5")], [b"hello"]),
    "lengths that differ": (200, [FIVE, (b"content-length", b"6")], [b"hello"]),
    "no length at all": (200, [(b"content-length", b"five")], [b"hello"]),
    "too short a length": (200, [(b"content-length", b"4")], [b"hello"]),
    "a coding": (200, [(b"transfer-encoding", b"chunked")], [b"hello"]),
    "a coding that is not known": (200, [(b"transfer-encoding", b"gzip")], [b"hello"]),
    "the end of the connection": (200, [(b"connection", b"close"), FIVE], [b"hello"]),
    "a host": (200, [JSON, (b"host", b"localhost"), FIVE], [b"hello"]),
    "a name that is none": (200, [(b"x y", b"1"), FIVE], [b"hello"]),
    "a pseudo header": (200, [(b":status", b"200"), FIVE], [b"hello"]),
    "a value with a line break": (200, [(b"x", b"1\r\ny: 2"), FIVE], [b"hello"]),
    "a long value": (200, [(b"x", b"1" * 5000), FIVE], [b"hello"]),
    "obs-text": (200, [(b"x", "ä".encode()), FIVE], [b"hello"]),
    "a big body": (200, [JSON], [b"0123456789abcdef" * 65536]),
}

BARE: dict[str, Any] = {"include_date_header": False, "include_server_header": False}

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
REQUESTS = {
    "get": GET,
    "head": b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "post": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
    "a body to come": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{",
    "http/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "the last one": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "an upgrade": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: irc/6.9\r\n\r\n",
    "two at once": GET + GET,
}


class Answering:
    """Answers with one of the above, as an application does that has its first bytes at hand."""

    def __init__(self, answer: tuple[int, Fields, list[bytes]], *, says_so: bool = True) -> None:
        self.status, self.fields, self.pieces = answer
        self.says_so = says_so
        self.raised: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        try:
            await self.answer(send)
        except Exception as error:
            self.raised.append(repr(error))
            raise

    async def answer(self, send: Any) -> None:
        said = {streams.BODY_FOLLOWS: True} if self.says_so else {}
        await send({"type": "http.response.start", "status": self.status, "headers": self.fields, **said})
        for number, piece in enumerate(self.pieces, 1):
            more = number < len(self.pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": more})


END = b"<end>"


async def received(server: Any, request: bytes, expected: bytes = b"") -> bytes:
    """All that comes back before the connection ends, or nothing has come for a while; at least as much as expected."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    answer = b""
    try:
        while True:
            async with asyncio.timeout(10 if not answer or len(answer) < len(expected) else 0.3):
                data = await reader.read(2**20)
            if not data:
                return answer + END
            answer += data
    except TimeoutError:
        return answer
    finally:
        writer.transport.abort()


async def answers(app: Answering, expected: dict[str, bytes], *, released: bool) -> dict[str, bytes]:
    async with serving(app, released=released, **BARE) as server:
        requests = [received(server, request, expected.get(name, b"")) for name, request in REQUESTS.items()]
        return dict(zip(REQUESTS, await asyncio.gather(*requests), strict=True))


@pytest.mark.parametrize("name", ANSWERS)
async def test_the_bytes_are_those_of_hypercorn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "SILENCE_SECONDS", 0.1)
    with_it, without_it = Answering(ANSWERS[name]), Answering(ANSWERS[name])
    was = await answers(without_it, {}, released=True)
    is_ = await answers(with_it, was, released=False)
    for each in (was, is_):  # an early answer, which is the last one: see test_early_answer.py
        each["a body to come"] = each["a body to come"].replace(b"connection: close\r\n", b"")
    for each, answer in was.items():
        assert is_[each].removesuffix(END) == answer.removesuffix(END), each
        assert is_[each].endswith(END) or not answer.endswith(END), each
    assert set(with_it.raised) == set(without_it.raised)


async def writes(app: Answering, *, released: bool) -> list[bytes]:
    """What goes to the connection for one request, piece by piece."""
    pieces: list[bytes] = []
    owner = TCPServer if released else Connection
    send = owner.protocol_send

    async def watched(self: Any, event: Any) -> None:
        if isinstance(event, RawData) and event.data:
            pieces.append(bytes(event.data))
        await send(self, event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, "protocol_send", watched)
        async with serving(app, released=released, **BARE) as server:
            await received(server, GET)
    return pieces


async def test_head_and_body_are_one_piece_where_the_application_says_so() -> None:
    whole = [b"HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\nhello"]
    head, body = whole[0].partition(b"hello")[:2]
    answer = ANSWERS["with a length"]
    assert await writes(Answering(answer), released=False) == whole
    assert await writes(Answering(answer, says_so=False), released=False) == [head, body]
    assert await writes(Answering(answer), released=True) == [head, body]


async def test_a_head_alone_goes_out_at_once_where_nothing_is_said() -> None:
    """An EventSource is open as soon as it has the head."""
    goes_on = asyncio.Event()

    class Slow(Answering):
        async def answer(self, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [JSON, FIVE]})
            await goes_on.wait()
            await send({"type": "http.response.body", "body": b"hello"})

    async with serving(Slow(ANSWERS["with a length"])) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            goes_on.set()
            assert await reader.readexactly(5) == b"hello"
        writer.transport.abort()


@pytest.mark.parametrize("released", [False, True])
async def test_an_application_that_dies_behind_its_head_has_sent_it(released: bool) -> None:
    class Dying(Answering):
        async def answer(self, send: Any) -> None:
            said = {streams.BODY_FOLLOWS: True}
            await send({"type": "http.response.start", "status": 200, "headers": [JSON, FIVE], **said})
            raise RuntimeError("died")

    async with serving(Dying(ANSWERS["with a length"]), released=released, **BARE) as server:
        head = b"HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n"
        assert await received(server, GET, head + END) == head + END


async def test_a_line_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all answers that have it: what is told of each is its status and its length."""
    checked: list[Any] = []
    response = h11.Response

    def counting(**said: Any) -> h11.Response:
        checked.append(said["headers"])
        return response(**said)

    http1_lines._cached_line.cache_clear()
    http1_lines._minimal_response.cache_clear()
    with monkeypatch.context() as patch:
        async with serving(Answering(ANSWERS["with a length"]), **BARE) as server:
            patch.setattr(h11, "Response", counting)
            for _ in range(3):
                assert (await received(server, GET)).endswith(b"hello")
    assert sorted(checked) == sorted([[FIVE], [JSON], [FIVE]])  # two lines, and the length to h11


def test_both_sides_mean_the_same() -> None:
    assert BODY_FOLLOWS == streams.BODY_FOLLOWS
