"""HTTP/2 frames that ask for nothing: a few in a turn of the loop, a budget for each connection."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from defects import Provoking
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived
from h2.exceptions import DenialOfServiceError
from hpack import Decoder, OversizedHeaderListError
from hyperframe.frame import (
    AltSvcFrame,
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from live_server import client_tls, serving
from malformed_requests import request
from raw_h2 import RawH2, raw_h2
from test_malformed_request import AnyEncoder

from mcp_app.server.engine.header_blocks import OpaqueDecoder
from mcp_app.server.engine.http2_frames import (
    CREDIT_PER_SECOND,
    CREDIT_PER_WORK,
    FRAMES_PER_TURN,
    HEAD_BYTES_OF_A_FRAME,
    MAX_CREDIT,
    TOO_LARGE_COST,
    FrameBudget,
    InboundFrames,
)

FLAGS, END_HEADERS = 4, 0x4
"""Where a frame's flags are, and one of them (RFC 9113, 4.1 and 6.2)."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

FRAMES: dict[str, Frame] = {
    "PING": PingFrame(0, b"12345678"),
    "SETTINGS": SettingsFrame(0),
    "its acknowledgement": SettingsFrame(0, flags=["ACK"]),
    "WINDOW_UPDATE": WindowUpdateFrame(0, 1),
    "PRIORITY": PriorityFrame(101, depends_on=0, stream_weight=1),
    "ALTSVC": AltSvcFrame(0, b"localhost", b""),
    "an unknown one": ExtensionFrame(type=0xBE, stream_id=0),
    "an empty DATA": DataFrame(1),
}


@pytest.mark.parametrize("frame", [SettingsFrame(0, {4: 65535}), ExtensionFrame(type=0xBE, stream_id=0)], ids=str)
def test_a_long_frame_is_many(frame: Frame) -> None:
    long = bytes(12_000) if isinstance(frame, ExtensionFrame) else frame.serialize_body() * 2000
    header = len(long).to_bytes(3, "big") + bytes((frame.type or 0xBE, 0, 0, 0, 0, 0))
    frames = InboundFrames(FrameBudget(lambda: 0.0))
    frames.max_frame_size = 16384
    frames.add_data(PREFACE + (header + long) * 20)
    with pytest.raises(DenialOfServiceError):
        list(frames)


@pytest.mark.parametrize("name", FRAMES)
async def test_who_sends_nothing_else_is_told_to_be_calm(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        await client.request("/echo", "POST", end=False)
        client.writer.write(FRAMES[name].serialize() * 3 * MAX_CREDIT)
        await client.read_for(10)
        assert client.ended
        [goaway] = [event for event in client.events if isinstance(event, ConnectionTerminated)]
        assert goaway.error_code == ErrorCodes.ENHANCE_YOUR_CALM
    assert "GOAWAY ENHANCE_YOUR_CALM" in caplog.text


async def test_many_priorities_end_the_connection_with_an_error_as_released() -> None:
    frames = [PriorityFrame(number, depends_on=0, stream_weight=1) for number in range(101, 2 * 1100 + 101, 2)]
    async with serving(Provoking(), released=True) as server, raw_h2(server.tls_port, client_tls()) as client:
        client.writer.write(b"".join(frame.serialize() for frame in frames))
        await client.read_for(5)
        assert client.ended
        assert not any(isinstance(event, ConnectionTerminated) for event in client.events)


async def test_malformed_requests_are_such_frames() -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        client.h2.encoder = encoder = AnyEncoder()
        for _ in range(MAX_CREDIT):
            number = client.h2.get_next_available_stream_id()
            client.h2.remote_settings.max_concurrent_streams = 2**31
            client.h2.remote_settings.acknowledge()
            encoder.instead = request((b"x", b"\0"))
            client.h2.send_headers(number, client.headers("/hello"), end_stream=True)
        await client.flush()
        await client.read_for(10)
        assert client.ended
        assert client.status(1) == 400
        assert any(isinstance(e, ConnectionTerminated) and e.error_code == 11 for e in client.events)


async def test_another_client_waits_for_a_few_frames_and_not_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a budget, so that what is left is the turn of the loop."""
    monkeypatch.setattr(FrameBudget, "check", lambda self: None)
    between: list[int] = []
    handled = 0
    begin = InboundFrames.begin_turn

    def counting(self: InboundFrames) -> None:
        nonlocal handled
        begin(self)
        handled += 1

    monkeypatch.setattr(InboundFrames, "begin_turn", counting)
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        before = handled
        client.writer.write(FRAMES["PING"].serialize() * 7000)
        await client.writer.drain()
        async with asyncio.timeout(20):
            while handled - before < 7000 // FRAMES_PER_TURN:
                seen = handled
                await asyncio.sleep(0)
                between.append(handled - seen)
    assert max(between) <= 2, "turns of the flood's connection for each of ours"


def test_iterating_stops_after_some_frames_and_goes_on() -> None:
    frames = InboundFrames(FrameBudget())
    frames.max_frame_size = 16384
    frames.add_data(PREFACE + FRAMES["PING"].serialize() * (2 * FRAMES_PER_TURN + 1))
    counts = []
    for interrupted in (True, True, False):
        frames.begin_turn()
        counts.append(len(list(frames)))
        assert frames.is_interrupted is interrupted
    assert counts == [FRAMES_PER_TURN, FRAMES_PER_TURN, 1]


def test_each_part_of_a_header_block_counts() -> None:
    """h2 joins them, calling itself for each; an interrupted block is joined all the same."""
    parts = [HeadersFrame(1, b"\x82"), *[ContinuationFrame(1)] * (FRAMES_PER_TURN - 5)]
    parts.append(ContinuationFrame(1, b"\x84", flags=["END_HEADERS"]))
    block = b"".join(part.serialize() for part in parts)
    frames = InboundFrames(budget := FrameBudget(lambda: 0.0))
    frames.max_frame_size = 16384
    frames.add_data(PREFACE + FRAMES["PING"].serialize() * 10 + block)
    assert (len(list(frames)), frames.is_interrupted) == (10, True)
    frames.begin_turn()
    [joined] = list(frames)
    assert (joined.data, frames.is_interrupted) == (b"\x82\x84", False)
    assert budget.credit == MAX_CREDIT - 10 - (len(parts) - 1) + CREDIT_PER_WORK


def test_a_long_head_takes_a_turn() -> None:
    frames = InboundFrames(budget := FrameBudget(lambda: 0.0))
    frames.max_frame_size = 16384
    head = HeadersFrame(1, b"\x90" * FRAMES_PER_TURN * HEAD_BYTES_OF_A_FRAME, flags=["END_HEADERS"]).serialize()
    frames.add_data(PREFACE + head * 3)
    for _ in range(3):
        frames.begin_turn()
        assert (len(list(frames)), frames.is_interrupted) == (1, True)
    assert budget.credit == MAX_CREDIT + 3 * CREDIT_PER_WORK


async def test_who_sends_empty_parts_of_heads_is_told_to_be_calm(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        for _ in range(50):
            number = client.h2.get_next_available_stream_id()
            client.h2.send_headers(number, client.headers("/quiet"))
            head = bytearray(client.h2.data_to_send())
            head[FLAGS] &= ~END_HEADERS
            end = ContinuationFrame(number, flags=["END_HEADERS"])
            client.writer.write(head + ContinuationFrame(number).serialize() * 60 + end.serialize())
        await client.read_for(10)
        assert client.ended
    assert "GOAWAY ENHANCE_YOUR_CALM" in caplog.text


def test_a_head_that_is_too_long_to_decode_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoder, "decode", None)
    decoder = OpaqueDecoder(Decoder(max_header_list_size=1000))
    with pytest.raises(OversizedHeaderListError):
        decoder.decode(bytes(decoder.max_header_list_size + 1))


async def test_heads_over_the_limit_are_refused_a_few_times() -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        large = {f"x-{number}": "x" * 1500 for number in range(50)}
        for _ in range(MAX_CREDIT // TOO_LARGE_COST):
            number = await client.request("/hello", **large)
            await client.until(lambda number=number: client.status(number) == 431)
        for _ in range(2):
            client.h2.send_headers(client.h2.get_next_available_stream_id(), client.headers("/hello", **large))
        await client.flush()
        await client.read_for(10)
        assert client.ended
        assert any(isinstance(e, ConnectionTerminated) and e.error_code == 11 for e in client.events)


def test_the_credit_comes_back_with_time_and_with_work() -> None:
    now = 0.0
    budget = FrameBudget(lambda: now)
    for _ in range(100):  # a ping a second, for ever
        now += 1
        budget.spend(CREDIT_PER_SECOND)
        budget.check()
    for _ in range(10 * MAX_CREDIT):  # two acknowledgements for each frame
        budget.earn()
        budget.spend(2)
        budget.check()
    budget.spend(MAX_CREDIT + 2 * CREDIT_PER_SECOND)
    with pytest.raises(DenialOfServiceError):
        for _ in range(3):
            budget.spend(1)
            budget.check()


async def acknowledge_each(client: RawH2, stream: int, frames: int) -> None:
    """As simple clients do: a window for the stream and one for the connection, after every frame."""
    while sum(isinstance(event, DataReceived) for event in client.events) < frames:
        seen = len(client.events)
        await client.until(lambda seen=seen: len(client.events) > seen, acknowledge=False)
        for event in client.events[seen:]:
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                for number in (0, stream):
                    update = WindowUpdateFrame(number, event.flow_controlled_length)
                    client.writer.write(update.serialize())
        await client.writer.drain()


async def test_who_acknowledges_every_frame_of_a_long_stream_may() -> None:
    class Chatty(Provoking):
        async def chat(self, receive: Any, send: Any) -> None:
            await self._open(send)
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                await asyncio.sleep(0)

    async with serving(Chatty()) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/chat")
        await acknowledge_each(client, stream, 2 * MAX_CREDIT)
        assert not client.ended


async def test_who_acknowledges_everything_late_may() -> None:
    class Chatty(Provoking):
        async def chat(self, receive: Any, send: Any) -> None:
            await self._open(send)
            for _ in range(2 * MAX_CREDIT):
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                await asyncio.sleep(0)
            await asyncio.Event().wait()

    async with serving(Chatty()) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/chat")
        await client.until(lambda: len(client.body(stream)) == 2 * MAX_CREDIT, acknowledge=False)
        updates = WindowUpdateFrame(0, 1).serialize() + WindowUpdateFrame(stream, 1).serialize()
        client.writer.write(updates * (2 * MAX_CREDIT))
        again = await client.request("/hello")
        await client.until(lambda: client.is_ended(again))


async def test_requests_and_their_resets_go_on_for_ever() -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        for _ in range(30):
            for _ in range(100):
                number = client.h2.get_next_available_stream_id()
                client.h2.send_headers(number, client.headers("/quiet"), end_stream=True)
                client.writer.write(client.h2.data_to_send() + RstStreamFrame(number, 8).serialize())
                client.h2.reset_stream(number, 8)
                client.h2.data_to_send()
            await client.flush()
            await client.read_for(0.01)
        number = await client.request("/hello")
        await client.until(lambda: client.is_ended(number))
