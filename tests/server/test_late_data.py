"""HTTP/2: bodies that arrive after their answer."""

from __future__ import annotations

import asyncio

import pytest
from defects import Provoking, eventually
from h2.errors import ErrorCodes
from h2.events import DataReceived
from live_server import client_tls, serving
from raw_h2 import RawH2, raw_h2

from mcp_app.server.engine import lingering


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "SILENCE_SECONDS", 0.1)


async def refused_before_its_body(client: RawH2) -> tuple[int, int]:
    """A stream that ticks, and beside it a request refused before its body, which is then sent all the same."""
    ticking = await client.request("/tick")
    await client.until(lambda: client.body(ticking))
    refused = await client.request("/early", "POST", end=False)
    await client.until(lambda: client.is_ended(refused))
    return ticking, refused


def late_frame(client: RawH2, stream: int, size: int, *, end: bool) -> None:
    """A DATA frame as it is on its way while the answer comes: our own state must not hold it back."""
    from hyperframe.frame import DataFrame

    frame = DataFrame(stream, bytes(size), flags=["END_STREAM"] if end else [])
    client.writer.write(frame.serialize())


async def test_late_data_leaves_the_other_streams_alive() -> None:
    app = Provoking()
    async with serving(app) as server, raw_h2(server.tls_port, client_tls()) as client:
        ticking, refused = await refused_before_its_body(client)
        assert client.status(refused) == 401
        assert client.body(refused) == b"no"
        for _ in range(5):
            late_frame(client, refused, 10_000, end=False)
        late_frame(client, refused, 0, end=True)
        seen = len(client.body(ticking))
        await client.until(lambda: len(client.body(ticking)) > seen + 50)
        assert not client.ended
        assert client.reset_code(ticking) is None


async def test_the_client_is_told_to_stop_sending() -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        _, refused = await refused_before_its_body(client)
        await client.until(lambda: client.reset_code(refused) is not None)
        assert client.reset_code(refused) == ErrorCodes.NO_ERROR
        reset_at = client.events.index(next(e for e in client.events if getattr(e, "error_code", None) == 0))
        body_at = client.events.index(
            next(e for e in client.events if isinstance(e, DataReceived) and e.stream_id == refused)
        )
        assert body_at < reset_at, "the answer is complete before the reset (RFC 9113, 8.1)"


async def test_the_client_gets_window_to_finish_its_body_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries that do not read while they send wait for that."""
    monkeypatch.setattr(lingering, "SILENCE_SECONDS", 5.0)
    size = 300_000
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        _, refused = await refused_before_its_body(client)
        sent = 0
        async with asyncio.timeout(20):
            while sent < size:
                part = min(client.h2.local_flow_control_window(refused), 16384, size - sent)
                if part == 0:
                    await client.read_for(0.02)
                    continue
                client.h2.send_data(refused, bytes(part), end_stream=sent + part == size)
                sent += part
                await client.flush()
        await client.read_for(0.2)
        assert client.reset_code(refused) is None
        assert not client.ended


async def test_no_more_than_its_bound_is_taken_of_an_endless_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER_BYTES", 30_000)
    monkeypatch.setattr(lingering, "SILENCE_SECONDS", 3600.0)
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        _, refused = await refused_before_its_body(client)
        for _ in range(5):
            late_frame(client, refused, 10_000, end=False)
        await client.until(lambda: client.reset_code(refused) is not None)
        assert client.reset_code(refused) == ErrorCodes.NO_ERROR


async def test_a_body_that_trickles_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 0.5)
    monkeypatch.setattr(lingering, "SILENCE_SECONDS", 3600.0)
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        _, refused = await refused_before_its_body(client)
        for _ in range(1000):
            late_frame(client, refused, 1, end=False)
            await client.read_for(0.02)
            if client.reset_code(refused) is not None:
                break
        assert client.reset_code(refused) == ErrorCodes.NO_ERROR


async def test_a_whole_request_is_not_reset() -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        stream = await client.request("/echo", "POST", end=False)
        client.h2.send_data(stream, b"body", end_stream=True)
        await client.flush()
        await client.until(lambda: client.is_ended(stream))
        await client.read_for(0.2)
        assert client.body(stream) == b"body"
        assert client.reset_code(stream) is None


async def test_dropped_data_gives_the_connection_its_window_back() -> None:
    """More than a connection's window (64 KiB) is dropped in all; a later upload must still go through."""
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        for _ in range(20):
            refused = await client.request("/early", "POST", end=False)
            client.h2.send_data(refused, bytes(16000))
            await client.flush()
            await client.until(lambda refused=refused: client.reset_code(refused) is not None)
        stream = await client.request("/echo", "POST", end=False)
        client.h2.send_data(stream, bytes(10_000), end_stream=True)
        await client.flush()
        await client.until(lambda: client.is_ended(stream))
        assert len(client.body(stream)) == 10_000


async def test_the_defect_as_released() -> None:
    app = Provoking()
    async with serving(app, released=True) as server, raw_h2(server.tls_port, client_tls()) as client:
        _, refused = await refused_before_its_body(client)
        late_frame(client, refused, 10_000, end=False)
        await client.read_for(5)
        assert client.ended, "the connection was killed"
        await eventually(lambda: not app.running["tick"])
