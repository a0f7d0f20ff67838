"""The cases of RFC 9113, 8.1.1 to 8.3, as the conformance suite h2spec sends them (its 8.1.2), frame by frame.

Each is a stream error PROTOCOL_ERROR. It stands behind a 400, which is for people: only what an application had begun
to hear is reset without one.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from defects import Provoking
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived, ResponseReceived, StreamReset
from h2.exceptions import ProtocolError
from hpack import Encoder
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, SettingsFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from live_server import LiveServer, client_tls, serving
from malformed_requests import Fields, request
from raw_h2 import RawH2, raw_h2

from mcp_app.server.engine import malformed
from mcp_app.server.engine.header_blocks import OpaqueDecoder, unwrap_fields
from mcp_app.server.engine.http2_frames import FrameBudget, InboundFrames
from mcp_app.server.engine.malformed import MalformedRequests

STREAM = 1
CASES: dict[str, tuple[Fields, list[bytes], Fields | None]] = {
    "8.1.2/1 an upper-case name": (request((b"X-TEST", b"ok")), [], None),
    "8.1.2.1/1 an unknown pseudo-header": ([*request(), (b":test", b"ok")], [], None),
    "8.1.2.1/2 a pseudo-header of responses": ([*request(), (b":status", b"200")], [], None),
    "8.1.2.1/3 a pseudo-header as a trailer": (request(method=b"POST"), [b"test"], [(b":method", b"200")]),
    "8.1.2.1/4 a late pseudo-header": ([(b"x-test", b"ok"), *request()], [], None),
    "8.1.2.2/1 a field of the connection": (request((b"connection", b"keep-alive")), [], None),
    "8.1.2.2/2 te other than trailers": (request((b"trailers", b"test"), (b"te", b"trailers, deflate")), [], None),
    "8.1.2.3/1 an empty path": (request(path=b""), [], None),
    "8.1.2.3/2 no method": (request(method=None), [], None),
    "8.1.2.3/3 no scheme": (request(scheme=None), [], None),
    "8.1.2.3/4 no path": (request(path=None), [], None),
    "8.1.2.3/5 two methods": ([(b":method", b"GET"), *request()], [], None),
    "8.1.2.3/6 two schemes": ([(b":scheme", b"https"), *request()], [], None),
    "8.1.2.3/7 two paths": ([(b":path", b"/hello"), *request()], [], None),
    "8.1.2.6/1 a length unlike the body": (request((b"content-length", b"1"), method=b"POST"), [b"test"], None),
    "8.1.2.6/2 a length unlike the frames": (
        request((b"content-length", b"1"), method=b"POST"),
        [b"test", b"test"],
        None,
    ),
}


def frames(encoder: Encoder, fields: Fields, body: list[bytes], trailers: Fields | None) -> list[Frame]:
    ends = not body and trailers is None
    sent: list[Frame] = [
        HeadersFrame(STREAM, encoder.encode(fields), flags=["END_HEADERS", *(["END_STREAM"] if ends else [])])
    ]
    for at, part in enumerate(body):
        last = trailers is None and at == len(body) - 1
        sent.append(DataFrame(STREAM, part, flags=["END_STREAM"] if last else []))
    if trailers is not None:
        sent.append(HeadersFrame(STREAM, encoder.encode(trailers), flags=["END_HEADERS", "END_STREAM"]))
    return sent


@pytest.fixture
async def server() -> AsyncIterator[LiveServer]:
    async with serving(Provoking()) as running:
        yield running


async def reset_code(client: RawH2) -> int | None:
    """The client's h2 hides the reset of a stream that both sides have ended: the frame itself is looked for."""
    seen: list[int] = []
    receive = client.h2._receive_frame

    def look(frame: Frame) -> list[RequestReceived | ResponseReceived | StreamReset]:
        if type(frame).__name__ == "RstStreamFrame" and frame.stream_id == STREAM:
            seen.append(frame.error_code)  # type: ignore[attr-defined]
        return receive(frame)  # type: ignore[return-value]

    client.h2._receive_frame = look  # type: ignore[method-assign, assignment]
    await client.until(lambda: seen)
    return seen[0]


@pytest.mark.parametrize("at_once", [True, False], ids=["one packet", "a packet for each frame"])
@pytest.mark.parametrize("case", CASES)
async def test_it_is_a_stream_error(server: LiveServer, case: str, at_once: bool) -> None:
    async with raw_h2(server.tls_port, client_tls()) as client:
        await client.read_for(0.05)
        client.h2.send_headers(STREAM, client.headers("/hello"))  # never sent: so that it takes what comes back
        client.h2.data_to_send()
        client.h2.encoder = encoder = Encoder()
        parts = [frame.serialize() for frame in frames(encoder, *CASES[case])]
        for part in [b"".join(parts)] if at_once else parts:
            client.writer.write(part)
            await client.writer.drain()
        assert await reset_code(client) == ErrorCodes.PROTOCOL_ERROR
        if at_once or len(parts) == 1:
            assert client.status(STREAM) == 400
        assert not client.ended
        number = await client.request("/hello")
        await client.until(lambda: client.is_ended(number))
        assert client.status(number) == 200


async def test_authority_and_host_are_compared_as_names_of_hosts(server: LiveServer) -> None:
    """RFC 9113, 8.3.1, and RFC 9110, 4.2.3: case and the scheme's own port make no difference."""
    equal = [
        ("localhost", "LOCALHOST"),
        ("localhost", "localhost:443"),
        ("localhost:", "localhost"),
        ("[::1]", "[::1]"),
    ]
    unequal = [("localhost", "localhost:80"), ("localhost", "localhost."), ("localhost", ""), ("[::1]", "[::2]")]
    async with raw_h2(server.tls_port, client_tls()) as client:
        client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
        for status, pairs in ((200, equal), (400, unequal)):
            for authority, host in pairs:
                number = client.h2.get_next_available_stream_id()
                fields = [
                    *((name, authority if name == ":authority" else value) for name, value in client.headers("/hello")),
                    ("host", host),
                ]
                client.h2.send_headers(number, fields, end_stream=True)
                await client.flush()
                await client.until(lambda number=number: client.status(number))
                assert client.status(number) == status, (authority, host)


@pytest.mark.parametrize(("size", "status"), [(60_000, 200), (70_000, 431)])
@pytest.mark.parametrize("cuts", [1, 7])
async def test_a_long_head_is_refused_alone(server: LiveServer, size: int, status: int, cuts: int) -> None:
    """As over HTTP/1.1, and however it is cut into frames and packets."""
    async with raw_h2(server.tls_port, client_tls()) as client:
        ticking = await client.request("/tick")
        number = client.h2.get_next_available_stream_id()
        client.h2.send_headers(number, client.headers("/hello", cookie="x" * size), end_stream=True)
        data = client.h2.data_to_send()
        step = -(-len(data) // cuts)
        for at in range(0, len(data), step):
            client.writer.write(data[at : at + step])
            await client.writer.drain()
            await asyncio.sleep(0.01)
        await client.until(lambda: client.status(number))
        assert client.status(number) == status
        seen = len(client.body(ticking))
        await client.until(lambda: len(client.body(ticking)) > seen)


def read(pieces: list[bytes]) -> list[Any]:
    """The streams that begin, with their fields, and how the connection ends if it does."""
    connection = H2Connection(H2Configuration(client_side=False, header_encoding=None, validate_inbound_headers=False))
    connection.initiate_connection()
    connection.decoder = OpaqueDecoder(connection.decoder)
    connection.incoming_buffer = frames = InboundFrames(FrameBudget(lambda: 0.0))
    seen: list[Any] = []
    for piece in pieces:
        frames.begin_turn()
        try:
            events = connection.receive_data(piece)
            while frames.is_interrupted:
                frames.begin_turn()
                events += connection.receive_data(b"")
        except ProtocolError as error:
            return [*seen, error.error_code]
        for event in events:
            fields = unwrap_fields(event.headers) if isinstance(event, RequestReceived) else None
            seen.append((type(event).__name__, getattr(event, "stream_id", None), fields))
    return seen


BLOCKS = st.lists(
    st.tuples(
        st.lists(st.tuples(st.binary(min_size=1, max_size=20), st.binary(max_size=40)), max_size=6),
        st.sampled_from([0, 1000, 30_000, 70_000, 300_000]),
        st.integers(1, 5),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100, deadline=None)
@given(BLOCKS, st.lists(st.floats(0, 1), max_size=8))
def test_header_blocks_are_read_the_same_however_they_are_cut(blocks: list[Any], at: list[float]) -> None:
    """Into frames by the client, and into packets by TCP."""
    encoder = Encoder()
    data = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize()
    for index, (fields, size, parts) in enumerate(blocks):
        block = encoder.encode([*fields, (b"x", b"\0" * size)], huffman=False)
        step = min(16_384, -(-len(block) // parts))
        cut = [block[start : start + step] for start in range(0, len(block), step)]
        for place, part in enumerate(cut):
            flags = ["END_HEADERS"] if place == len(cut) - 1 else []
            frame = ContinuationFrame(2 * index + 1, part, flags=flags) if place else HeadersFrame(1, part, flags=flags)
            frame.stream_id = 2 * index + 1
            data += frame.serialize()
    places = sorted({0, len(data), *(int(place * len(data)) for place in at)})
    whole = read([data])
    cut_up = read([data[start:end] for start, end in itertools.pairwise(places)])
    if isinstance(whole[-1], ErrorCodes):  # h2 forgets what came before in the same packet: the connection ends anyway
        assert cut_up[-1] == whole[-1]
    else:
        assert cut_up == whole


async def test_many_small_fields_are_a_long_head_too(server: LiveServer) -> None:
    """By the table: 20 bytes are sent for each field, and 4 KB meant."""
    async with raw_h2(server.tls_port, client_tls()) as client:
        fields = [*client.headers("/hello"), *([("x-big", "y" * 4000)] * 20)]
        number = client.h2.get_next_available_stream_id()
        client.h2.send_headers(number, fields, end_stream=True)
        await client.flush()
        await client.until(lambda: client.status(number))
        assert client.status(number) == 431


async def test_they_are_logged_at_a_bounded_rate_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    counted = MalformedRequests(lambda: now)
    for _ in range(100):
        counted.add(("::1", 4242), "2", "400")
    now = malformed.LOG_SECONDS
    counted.add(None, "1.1", "431")
    assert counted.total == 101
    assert [record.getMessage() for record in caplog.records] == [
        "a malformed HTTP/2 request from [::1]:4242: 400",
        "a malformed HTTP/1.1 request from -: 431 (99 more since the last such line)",
    ]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
