"""HTTP/2: malformed requests are refused alone; their application is not asked, or hears that its client has left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from defects import Provoking, eventually
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated
from hpack import Encoder
from live_server import client_tls, serving
from malformed_requests import FIELDS, HEADS, LET_THROUGH, Fields, request
from raw_h2 import RawH2, raw_h2


class Listening(Provoking):
    """Keeps what it hears: the header fields of each request, and the messages that /hear received."""

    def __init__(self) -> None:
        super().__init__()
        self.scopes: list[Any] = []
        self.heard: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        if path not in ("", "/tick"):
            self.scopes.append(scope)
        if path == "/hear":
            await self.hear(receive, send)
        elif not path or hasattr(self, path.strip("/")):
            await super().__call__(scope, receive, send)

    async def hear(self, receive: Any, send: Any) -> None:
        while not self.heard or self.heard[-1].get("more_body"):
            self.heard.append(await receive())
        await self._open(send)
        await send({"type": "http.response.body", "body": b"heard"})


class AnyEncoder(Encoder):
    """Encodes `instead` of what it is given, once: the client's h2 refuses to send some heads even when told to."""

    instead: Fields | None = None

    def encode(self, headers: Any, huffman: bool = True) -> bytes:
        fields, self.instead = headers if self.instead is None else self.instead, None
        unchanged_table_size = b"\x3f\xe1\x1f"
        return super().encode(fields, huffman) or unchanged_table_size  # else no frame would be sent


class Client:
    """A connection with a ticking stream on it, on which anything can be sent."""

    def __init__(self, raw: RawH2, app: Listening) -> None:
        self.raw, self.app = raw, app
        self._encoder = raw.h2.encoder = AnyEncoder()
        self._ticking = 0

    async def tick(self) -> None:
        self._ticking = await self.send(request(path=b"/tick"))
        await self.raw.until(lambda: self.raw.body(self._ticking))

    async def send(self, fields: Fields, *body: bytes, end: bool = True, trailers: Fields | None = None) -> int:
        """A request in one packet: its head, a frame for each part of `body`, and `trailers`."""
        number = self.raw.h2.get_next_available_stream_id()
        self._encoder.instead = fields
        self.raw.h2.send_headers(number, request(), end_stream=end and not body and trailers is None)
        await self.rest(number, *body, end=end, trailers=trailers)
        return number

    async def rest(self, number: int, *body: bytes, end: bool = True, trailers: Fields | None = None) -> None:
        for at, part in enumerate(body):
            self.raw.h2.send_data(number, part, end_stream=end and trailers is None and at == len(body) - 1)
        if trailers is not None:
            self.raw.h2.send_headers(number, trailers, end_stream=True)
        await self.raw.flush()

    async def answered(self, number: int) -> int | None:
        await self.raw.until(lambda: self.raw.is_ended(number))
        return self.raw.status(number)

    async def reset(self, number: int) -> int | None:
        await self.raw.until(lambda: self.raw.reset_code(number) is not None)
        return self.raw.reset_code(number)

    async def lives(self) -> None:
        """The ticking stream goes on, and the connection takes another request, whose body needs a window."""
        seen = len(self.raw.body(self._ticking))
        await self.raw.until(lambda: len(self.raw.body(self._ticking)) > seen + 10)
        upload = await self.send(request(method=b"POST", path=b"/echo"), b"body")
        assert await self.answered(upload) == 200
        assert self.raw.body(upload) == b"body"


@asynccontextmanager
async def connected(*, released: bool = False) -> AsyncIterator[Client]:
    app = Listening()
    async with serving(app, released=released) as server, raw_h2(server.tls_port, client_tls()) as raw:
        raw.h2.config.validate_outbound_headers = raw.h2.config.normalize_outbound_headers = False
        client = Client(raw, app)
        await client.tick()
        yield client


each_head = pytest.mark.parametrize("name", HEADS)
each_let_through = pytest.mark.parametrize("name", LET_THROUGH)
each_field = pytest.mark.parametrize("name", FIELDS)

POST = request((b"content-length", b"10"), method=b"POST", path=b"/hear")


async def test_each_is_answered_400_alone() -> None:
    async with connected() as client:
        for name, fields in (HEADS | LET_THROUGH).items():
            assert await client.answered(await client.send(fields)) == 400, name
            assert client.app.scopes == [], name
        await client.lives()


@each_head
async def test_it_ends_the_connection_as_released(name: str) -> None:
    async with connected(released=True) as client:
        await client.send(HEADS[name])
        await client.raw.read_for(5)
        assert client.raw.ended, "and every stream with it"
        assert client.app.scopes == []


@each_let_through
async def test_it_reaches_the_application_as_released(name: str) -> None:
    async with connected(released=True) as client:
        number = await client.send(LET_THROUGH[name])
        await client.raw.until(lambda: client.raw.status(number))
        assert client.raw.status(number) != 400 or client.app.scopes == []
        assert client.app.scopes or name == "connect as a method"


async def test_its_body_is_dropped_and_not_wanted() -> None:
    async with connected() as client:
        bad = request((b"x", b"\0"), method=b"POST", path=b"/echo")
        for _ in range(8):  # more than the connection's window in all
            number = await client.send(bad, b"x" * 10_000, end=False)
            assert await client.answered(number) == 400
            assert await client.reset(number) == ErrorCodes.PROTOCOL_ERROR
        await client.lives()


async def test_requests_beside_it_in_the_same_packet_are_answered() -> None:
    async with connected() as client:
        numbers = []
        for fields in (request(), request((b"x", b"\0")), request()):
            numbers.append(client.raw.h2.get_next_available_stream_id())
            client.raw.h2.send_headers(numbers[-1], fields, end_stream=True)
        await client.raw.flush()
        assert [await client.answered(number) for number in numbers] == [200, 400, 200]


@each_field
async def test_in_trailers_it_resets_the_stream_alone(name: str) -> None:
    post = request(method=b"POST", path=b"/hear")
    async with connected() as client:
        number = await client.send(post, b"body", end=False)
        await eventually(lambda: client.app.heard)
        await client.rest(number, trailers=[FIELDS[name]])
        assert await client.reset(number) == ErrorCodes.PROTOCOL_ERROR
        await eventually(lambda: client.app.heard[-1]["type"] == "http.disconnect")
        at_once = await client.send(post, b"body", trailers=[FIELDS[name]])
        assert await client.answered(at_once) == 400, "the application was not asked"
        assert len(client.app.scopes) == 1
        await client.lives()


async def test_in_trailers_it_ends_the_connection_as_released() -> None:
    async with connected(released=True) as client:
        await client.send(request(method=b"POST", path=b"/hear"), b"body", trailers=[(b"x", b"\0")])
        await client.raw.read_for(5)
        assert client.raw.ended


async def test_a_pseudo_header_in_trailers_resets_the_stream_alone() -> None:
    async with connected() as client:
        number = await client.send(request(method=b"POST", path=b"/hear"), b"body", end=False)
        await eventually(lambda: client.app.heard)
        await client.rest(number, trailers=[(b":path", b"/hello")])
        assert await client.reset(number) == ErrorCodes.PROTOCOL_ERROR
        await client.lives()


BODIES = {
    "too long": ([b"123456", b"78901"], None),
    "too short": ([b"12345", b"6789"], None),
    "too short, with an empty end": ([b"12345", b""], None),
    "too short, with trailers": ([b"12345"], [(b"x", b"a")]),
}
"""What is no body of 10 bytes."""


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_unlike_its_content_length_is_refused_alone(name: str) -> None:
    (first, *rest), trailers = BODIES[name]
    async with connected() as client:
        at_once = await client.send(POST, first, *rest, trailers=trailers)
        assert await client.answered(at_once) == 400
        assert client.app.scopes == []

        number = await client.send(POST, first, end=False)
        await eventually(lambda: client.app.heard)
        await client.rest(number, *rest, trailers=trailers)
        assert await client.reset(number) == ErrorCodes.PROTOCOL_ERROR
        await eventually(lambda: client.app.heard[-1]["type"] == "http.disconnect")
        assert [message["body"] for message in client.app.heard[:-1]] == [first], "and never its end"
        await client.lives()


@pytest.mark.parametrize("name", ["too long", "too short"])
async def test_such_a_body_ends_the_connection_as_released(name: str) -> None:
    body, _ = BODIES[name]
    async with connected(released=True) as client:
        await client.send(POST, *body)
        await client.raw.read_for(5)
        assert client.raw.ended


@pytest.mark.parametrize("trailers", [None, [(b"x-checksum", b"a")]], ids=["without trailers", "with trailers"])
async def test_a_body_like_its_content_length_arrives(trailers: Fields | None) -> None:
    async with connected() as client:
        number = await client.send(POST, b"12345", b"67890", trailers=trailers)
        assert await client.answered(number) == 200
        assert b"".join(message["body"] for message in client.app.heard) == b"1234567890"
        assert client.raw.reset_code(number) is None


async def test_what_is_well_formed_reaches_the_application_as_it_was_sent() -> None:
    extra = [
        (b"x-empty", b""),
        (b"x-inner", b"a \t b"),
        (b"x-beyond", b"\xc3\xa4\xff"),
        (b"cookie", b"a=b"),
        (b"te", b"trailers"),
        (b"cookie", b"c=d"),
        (b"!#$%&'*+-.^_`|~", b"token"),
    ]
    async with connected() as client:
        assert await client.answered(await client.send(request(*extra))) == 200
    arrived = client.app.scopes[0]["headers"]
    one_cookie = [*(field for field in extra if field[0] != b"cookie"), (b"cookie", b"a=b; c=d")]
    assert arrived == [(b"host", b"localhost"), *one_cookie]


async def test_what_cannot_be_decoded_is_an_error_of_the_connection() -> None:
    """The two ends' tables differ from there on (RFC 9113, 4.3)."""
    from hyperframe.frame import HeadersFrame

    async with connected() as client:
        number = client.raw.h2.get_next_available_stream_id()
        no_such_entry = HeadersFrame(number, b"\xff\x80\x80\x01", flags=["END_HEADERS", "END_STREAM"])
        client.raw.writer.write(no_such_entry.serialize())
        await client.raw.read_for(5)
        assert client.raw.ended
        assert any(isinstance(event, ConnectionTerminated) and event.error_code for event in client.raw.events)
