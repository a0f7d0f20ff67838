"""The end of an HTTP/2 body on its last frame, and streams that take turns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from defects import Provoking, eventually
from h2.events import DataReceived
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h2 import StreamBuffer as ReleasedBuffer
from live_server import client_tls, serving
from priority.priority import DeadlockError, DuplicateStreamError, MissingStreamError
from raw_h2 import RawH2, raw_h2

from mcp_app.server.engine.round_robin import RoundRobin
from mcp_app.server.engine.streams import StreamBuffer

FRAME = 16384
BIG = bytes(range(256)) * 2048
"""512 KiB: many frames, and several of a client's windows."""


class Answering(Provoking):
    async def big(self, receive: Any, send: Any) -> None:
        await self._open(send)
        await send({"type": "http.response.body", "body": BIG})

    async def pieces(self, receive: Any, send: Any) -> None:
        """As an event stream ends: its last event, and then an end without bytes."""
        await self._open(send)
        await send({"type": "http.response.body", "body": b"one, ", "more_body": True})
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def slow_pieces(self, receive: Any, send: Any) -> None:
        await self._open(send)
        await send({"type": "http.response.body", "body": b"one, ", "more_body": True})
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"two"})


def frames(client: RawH2, stream: int) -> list[tuple[bytes, bool]]:
    """Each DATA frame's bytes, and whether it ends the stream."""
    return [
        (event.data, event.stream_ended is not None)
        for event in client.events
        if isinstance(event, DataReceived) and event.stream_id == stream
    ]


async def frames_of(path: str, method: str = "GET", *, released: bool) -> list[tuple[bytes, bool]]:
    async with serving(Answering(), released=released) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request(path, method)
        await client.until(lambda: client.is_ended(stream))
        again = await client.request("/hello")
        await client.until(lambda: client.is_ended(again))
        assert client.body(again) == b"hello"
        return frames(client, stream)


async def test_the_end_is_on_the_last_frame() -> None:
    assert await frames_of("/hello", released=False) == [(b"hello", True)]
    assert await frames_of("/hello", released=True) == [(b"hello", False), (b"", True)]


async def test_what_is_queued_when_the_end_comes_goes_out_with_it() -> None:
    assert await frames_of("/pieces", released=False) == [(b"one, two", True)]
    assert await frames_of("/slow_pieces", released=False) == [(b"one, ", False), (b"two", True)]


async def test_a_body_beyond_the_window_arrives_whole_and_ends() -> None:
    received = await frames_of("/big", released=False)
    assert b"".join(data for data, _ in received) == BIG
    assert [ended for _, ended in received].count(True) == 1
    assert received[-1][1]
    assert max(len(data) for data, _ in received) <= FRAME


async def test_a_shut_window_holds_the_last_frame_back() -> None:
    async with serving(Answering()) as server, raw_h2(server.tls_port, client_tls()) as client:
        full = await client.request("/big")
        await client.until(lambda: len(client.body(full)) == 65535, acknowledge=False)
        stream = await client.request("/hello")
        await client.until(lambda: client.status(stream), acknowledge=False)
        await client.read_for(0.2, acknowledge=False)
        assert frames(client, stream) == []
        client.h2.increment_flow_control_window(2**20)
        client.h2.increment_flow_control_window(2**20, full)
        await client.flush()
        await client.until(lambda: client.is_ended(stream) and client.is_ended(full))
        assert client.body(stream) == b"hello"
        assert client.body(full) == BIG


@pytest.mark.parametrize("released", [False, True])
async def test_an_answer_to_head_has_no_body(released: bool) -> None:
    received = await frames_of("/hello", "HEAD", released=released)
    assert received == [(b"", True)]


async def test_a_request_that_is_still_coming_is_stopped() -> None:
    """RFC 9113, 8.1, as where the end is not on the last frame: the sending task asks for it."""
    async with serving(Answering()) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/early", "POST", end=False)
        await client.until(lambda: client.reset_code(stream) is not None)
        assert client.reset_code(stream) == 0
        assert client.body(stream) == b"no"


async def test_nothing_is_remembered_of_a_stream_that_ended_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    protocols: list[H2Protocol] = []
    initiate = H2Protocol.initiate

    async def watched(self: H2Protocol, *args: Any) -> None:
        protocols.append(self)
        await initiate(self, *args)

    monkeypatch.setattr(H2Protocol, "initiate", watched)
    async with serving(Answering()) as server, raw_h2(server.tls_port, client_tls()) as client:
        streams = [await client.request("/hello") for _ in range(20)]
        await client.until(lambda: all(client.is_ended(stream) for stream in streams))
        protocol = protocols[0]
        await eventually(lambda: not protocol.streams)
        assert protocol.stream_buffers == {}
        line = protocol.priority
        assert isinstance(line, RoundRobin)
        assert (line._streams, dict(line._ready)) == (set(), {})


def test_a_line_lets_each_have_its_turn() -> None:
    line = RoundRobin()
    for number in (1, 3, 5):
        line.insert_stream(number)
    assert [next(line) for _ in range(6)] == [1, 3, 5, 1, 3, 5]
    line.block(3)
    assert [next(line) for _ in range(4)] == [1, 5, 1, 5]
    line.unblock(3)
    line.unblock(3)
    assert [next(line) for _ in range(3)] == [1, 5, 3]
    line.remove_stream(1)
    line.block(5)
    assert [next(line) for _ in range(2)] == [3, 3]
    line.remove_stream(3)
    with pytest.raises(DeadlockError):
        next(line)


def test_a_line_says_what_a_tree_says_of_streams_it_does_not_know_or_knows() -> None:
    line = RoundRobin()
    line.insert_stream(1)
    with pytest.raises(DuplicateStreamError):
        line.insert_stream(1)
    line.reprioritize(7, depends_on=1, weight=256, exclusive=True)
    for step in (line.block, line.unblock, line.remove_stream):
        with pytest.raises(MissingStreamError):
            step(7)


async def rounds_for_pieces(monkeypatch: pytest.MonkeyPatch, *, released: bool) -> int:
    """How often the sending task looks into the buffer of a stream with two pieces, each in a turn of its own."""
    rounds = 0
    buffer: type[Any] = ReleasedBuffer if released else StreamBuffer
    pop = buffer.pop

    async def counting(self: Any, max_length: int) -> bytes:
        nonlocal rounds
        rounds += 1
        return bytes(await pop(self, max_length))

    monkeypatch.setattr(buffer, "pop", counting)
    async with serving(Answering(), released=released) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/slow_pieces")
        await client.until(lambda: client.is_ended(stream))
        assert client.body(stream) == b"one, two"
    monkeypatch.undo()
    return rounds


async def test_a_stream_leaves_the_line_with_its_last_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        await rounds_for_pieces(monkeypatch, released=False) == 1
    )  # the second piece goes past the line, with the end
    assert await rounds_for_pieces(monkeypatch, released=True) > 2


@pytest.mark.parametrize("released", [False, True])
async def test_two_big_bodies_come_in_turns_whatever_a_client_says_of_priority(
    released: bool,
) -> None:
    async with serving(Answering(), released=released) as server, raw_h2(server.tls_port, client_tls()) as client:
        client.h2.prioritize(5, weight=256, depends_on=3)  # of streams that are not there yet
        streams = [await client.request("/big") for _ in range(2)]
        client.h2.prioritize(streams[0], weight=16)
        await client.flush()
        await client.until(lambda: all(client.is_ended(stream) for stream in streams))
        order = [e.stream_id for e in client.events if isinstance(e, DataReceived) and e.data]
        halves = order[: len(order) // 2]
        assert set(halves) == set(streams), "one was sent whole before the other began"
        assert [client.body(stream) == BIG for stream in streams] == [True, True]


async def test_a_stream_that_ends_while_its_piece_is_being_written_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sending task waits for a peer that reads slowly; the end goes past it, and finds it in that stream."""
    flush = H2Protocol._flush

    async def slow(self: H2Protocol) -> None:
        await flush(self)
        if "send_task" in repr(asyncio.current_task()):
            await asyncio.sleep(0.3)

    monkeypatch.setattr(H2Protocol, "_flush", slow)
    async with serving(Answering()) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/slow_pieces")
        await client.until(lambda: client.is_ended(stream))
        await client.read_for(0.5)  # the sending task looks for the stream
        again = await client.request("/hello")
        await client.until(lambda: client.is_ended(again))
        assert (client.body(stream), client.body(again)) == (b"one, two", b"hello")
