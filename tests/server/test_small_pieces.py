"""What one client can make of many small things: pieces of a body, fields of a head, settings, sizes of a table.

Each is bounded, in what it takes of the loop or of memory.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import h11
import pytest
from defects import Provoking
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated
from h2.exceptions import DenialOfServiceError
from hpack import Decoder, Encoder
from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame
from live_server import client_tls, serving
from loop_turns import Others
from raw_h2 import RawH2, raw_h2

from mcp_app.server.engine import http1, lingering
from mcp_app.server.engine.header_blocks import MAX_FIELDS, TABLE_BYTES, IndexingEncoder
from mcp_app.server.engine.http1 import PIECES_PER_TURN
from mcp_app.server.engine.http2 import Http2
from mcp_app.server.engine.http2_frames import MAX_CREDIT, MAX_HEAD_BYTES, SMALL_DATA, FrameBudget, InboundFrames
from mcp_app.server.engine.lingering import LINGER_BYTES, PIECE_BYTES, Lingering

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def is_calmed(client: RawH2) -> bool:
    return any(
        isinstance(event, ConnectionTerminated) and event.error_code == ErrorCodes.ENHANCE_YOUR_CALM
        for event in client.events
    )


async def send_data(path: str, size: int, count: int, *, released: bool = False) -> RawH2:
    """A body of so many frames of one size, whatever was answered meanwhile."""
    async with serving(Provoking(), released=released) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request(path, "POST", end=False)
        for _ in range(10):
            client.writer.write(DataFrame(stream, b"x" * size).serialize() * (count // 10))
            await client.read_for(0.02)
        client.writer.write(DataFrame(stream, b"", flags=["END_STREAM"]).serialize())
        try:
            await client.until(lambda: is_calmed(client) or client.is_ended(stream))
        except AssertionError:
            pass
        return client


async def test_a_body_of_single_bytes_is_a_flood() -> None:
    assert is_calmed(await send_data("/echo", 1, 3 * MAX_CREDIT))


async def test_a_body_of_single_bytes_as_released() -> None:
    client = await send_data("/echo", 1, 3 * MAX_CREDIT, released=True)
    assert client.body(1) == b"x" * 3 * MAX_CREDIT


async def test_a_body_of_small_pieces_is_not() -> None:
    client = await send_data("/echo", SMALL_DATA, 3 * MAX_CREDIT)
    assert not is_calmed(client)
    assert client.body(1) == b"x" * SMALL_DATA * 3 * MAX_CREDIT


async def test_nor_is_one_of_a_few_single_bytes() -> None:
    client = await send_data("/echo", 1, MAX_CREDIT // 2)
    assert client.body(1) == b"x" * (MAX_CREDIT // 2)


async def test_data_of_a_stream_that_has_ended_asks_for_nothing() -> None:
    """h2 answers each with a RST_STREAM."""
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/hello")
        await client.until(lambda: client.is_ended(stream))
        client.writer.write(DataFrame(stream, b"x" * 64).serialize() * 3 * MAX_CREDIT)
        await client.read_for(10)
        assert client.ended


def test_a_piece_of_a_discarded_body_counts_as_a_kibibyte() -> None:
    lingers = Lingering(0.0)
    assert all(lingers.discard(1, 0.0) for _ in range(LINGER_BYTES // PIECE_BYTES))
    assert not lingers.discard(1, 0.0)
    assert not Lingering(0.0).discard(1, 0.0, LINGER_BYTES // PIECE_BYTES + 1)


async def test_the_chunks_of_a_discarded_body_leave_turns_to_others() -> None:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    connection.next_event()
    others = Others()
    with others.busy():
        assert await http1._pieces(connection, b"1\r\nx\r\n" * 10 * PIECES_PER_TURN) == 10 * PIECES_PER_TURN
        assert others.turns >= 9
        assert await http1._pieces(connection, b"0\r\n\r\n") is None


async def test_an_early_answer_to_many_chunks_is_the_end_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER_BYTES", 1000 * PIECE_BYTES)
    async with serving(Provoking()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /early HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(1000), 10)).startswith(b"HTTP/1.1 401")
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(20):
                while True:
                    writer.write(b"1\r\nx\r\n" * 1000)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        writer.transport.abort()


@pytest.mark.parametrize("count", [MAX_FIELDS - 1, MAX_FIELDS])
async def test_the_fields_of_a_head_are_counted_over_http1(count: int) -> None:
    async with serving(Provoking()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n" + b"a:\r\n" * count + b"\r\n")
        status = await asyncio.wait_for(reader.readexactly(12), 10)
        assert status == (b"HTTP/1.1 200" if count < MAX_FIELDS else b"HTTP/1.1 431")
        writer.transport.abort()


async def test_the_fields_of_a_head_are_counted_over_http2() -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        for count, status in [(MAX_FIELDS - 4, 200), (MAX_FIELDS - 3, 431), (0, 200)]:
            stream = client.h2.get_next_available_stream_id()
            client.h2.send_headers(stream, [*client.headers("/hello"), *[("a", "")] * count], end_stream=True)
            await client.flush()
            await client.until(lambda stream=stream, status=status: client.status(stream) == status)


def test_a_head_that_does_not_end_is_not_kept() -> None:
    frames = InboundFrames(FrameBudget(lambda: 0.0))
    frames.max_frame_size = 16384
    parts = MAX_HEAD_BYTES // 16384
    frames.add_data(PREFACE + HeadersFrame(1, bytes(16384)).serialize())
    frames.add_data(ContinuationFrame(1, bytes(16384)).serialize() * parts)
    with pytest.raises(DenialOfServiceError):
        for _ in range(2 * parts):
            frames.begin_turn()
            list(frames)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Http2]:
    """The connections over HTTP/2 that were begun."""
    made: list[Http2] = []
    initiate = Http2.initiate

    async def noting(self: Http2, *args: Any) -> None:
        made.append(self)
        await initiate(self, *args)

    monkeypatch.setattr(Http2, "initiate", noting)
    return made


async def test_unknown_settings_are_not_kept(made: list[Http2]) -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        known = len(H2Connection().remote_settings)
        settings = b"".join(struct.pack(">HL", 0x4000 + number, 1) for number in range(2000))
        client.writer.write(len(settings).to_bytes(3, "big") + b"\4\0\0\0\0\0" + settings)
        stream = await client.request("/hello")
        await client.until(lambda: client.is_ended(stream))
        assert len(made[0].connection.remote_settings) <= known + 8


def test_the_table_of_sent_fields_is_no_larger_than_its_default() -> None:
    encoder, decoder = IndexingEncoder(), Decoder()
    encoder.header_table_size = 2**31
    for number in range(1000):
        block = encoder.encode([(b"x-id", b"%032d" % number)])
        assert [tuple(field) for field in decoder.decode(block, raw=True)] == [(b"x-id", b"%032d" % number)]
    assert encoder.header_table._current_size <= TABLE_BYTES


def test_the_table_as_released() -> None:
    encoder = Encoder()
    encoder.header_table_size = 2**31
    for number in range(1000):
        encoder.encode([(b"x-id", b"%032d" % number)])
    assert len(encoder.header_table.dynamic_entries) == 1000, "each of which is looked at for the next"


def test_many_sizes_of_the_table_are_told_as_two() -> None:
    """RFC 7541, 4.2: the smallest since the last block, and the last."""
    encoder, decoder = IndexingEncoder(), Decoder()
    for size in [0, 4096] * 1000 + [100, 100]:
        encoder.header_table_size = size
    block = encoder.encode([(b"a", b"b")])
    assert block.startswith(b"\x20\x3f\x45")
    assert list(decoder.decode(block)) == [("a", "b")]
    assert decoder.header_table_size == 100


async def test_streams_that_were_never_started_leave_nothing(made: list[Http2]) -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        for _ in range(10):
            stream = client.h2.get_next_available_stream_id()
            client.h2.send_headers(stream, client.headers("/echo", "POST", expect="100-continue"))
            client.h2.reset_stream(stream, 8)
        await client.flush()
        last = await client.request("/hello")
        await client.until(lambda: client.is_ended(last))
        assert not made[0]._expecting
