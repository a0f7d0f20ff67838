"""HTTP/2 connections under strain: too many streams, rapid resets, many requests."""

from __future__ import annotations

import asyncio
import gc

import psutil
from defects import Provoking, eventually
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated
from live_server import client_tls, serving
from raw_h2 import RawH2, raw_h2

BELOW_MEMORY_NOISE = 8 * 2**20


def open_at_once(client: RawH2, count: int, path: str = "/quiet") -> list[int]:
    """Requests in one packet, not held back by the server's announced limit, as before its SETTINGS are read."""
    numbers = []
    for _ in range(count):
        number = client.h2.get_next_available_stream_id()
        client.h2.remote_settings.max_concurrent_streams = 2**31
        client.h2.remote_settings.acknowledge()
        client.h2.send_headers(number, client.headers(path), end_stream=True)
        numbers.append(number)
    return numbers


async def test_one_stream_too_many_is_refused_alone() -> None:
    app = Provoking()
    async with (
        serving(app, h2_max_concurrent_streams=10) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        streams = open_at_once(client, 13)
        await client.flush()
        await client.until(lambda: all(client.reset_code(number) is not None for number in streams[10:]))
        assert {client.reset_code(number) for number in streams[10:]} == {ErrorCodes.REFUSED_STREAM}
        await client.until(lambda: all(client.status(number) == 200 for number in streams[:10]))
        assert app.running["quiet"] == 10

        client.h2.reset_stream(streams[0])
        await client.flush()
        await eventually(lambda: app.running["quiet"] == 9)
        again = open_at_once(client, 1, "/hello")[0]
        await client.flush()
        await client.until(lambda: client.is_ended(again))


async def test_the_announced_limit_is_the_configured_one() -> None:
    async with (
        serving(Provoking(), h2_max_concurrent_streams=77) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        stream = await client.request("/hello")
        await client.until(lambda: client.is_ended(stream))
        assert client.h2.remote_settings.max_concurrent_streams == 77


async def test_too_many_streams_the_defect_as_released() -> None:
    async with (
        serving(Provoking(), h2_max_concurrent_streams=10, released=True) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        streams = open_at_once(client, 11)
        await client.flush()
        await client.read_for(2)
        assert any(isinstance(event, ConnectionTerminated) for event in client.events)
        assert client.ended, "and every stream with it"
        assert not client.is_ended(streams[0])


def reset_rapidly(client: RawH2, count: int) -> None:
    for number in open_at_once(client, count):
        client.h2.reset_stream(number, ErrorCodes.CANCEL)


async def test_rapid_resets_leave_no_task_no_memory_and_the_other_streams() -> None:
    app = Provoking()
    async with serving(app) as server, raw_h2(server.tls_port, client_tls()) as client:
        ticking = await client.request("/tick")
        await client.until(lambda: client.body(ticking))
        reset_rapidly(client, 500)  # so that what is allocated once does not count
        await client.flush()
        await client.read_for(0.5)
        tasks, memory = len(asyncio.all_tasks()), psutil.Process().memory_info().rss

        for _ in range(6):
            reset_rapidly(client, 500)
        await client.flush()
        seen = len(client.body(ticking))
        await client.until(lambda: len(client.body(ticking)) > seen + 100)
        await eventually(lambda: app.running["quiet"] == 0)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks)
        gc.collect()
        assert psutil.Process().memory_info().rss - memory < BELOW_MEMORY_NOISE


async def test_resets_one_packet_later_leave_no_task_either() -> None:
    """Started, then reset: each was an application for a moment."""
    app = Provoking()
    async with serving(app) as server, raw_h2(server.tls_port, client_tls()) as client:
        ticking = await client.request("/tick")
        await client.until(lambda: client.body(ticking))
        tasks = len(asyncio.all_tasks())
        for _ in range(30):
            numbers = open_at_once(client, 100)
            await client.flush()
            await client.read_for(0.01)
            for number in numbers:
                client.h2.reset_stream(number, ErrorCodes.CANCEL)
            await client.flush()
        seen = len(client.body(ticking))
        await client.until(lambda: len(client.body(ticking)) > seen + 50)
        await eventually(lambda: app.running["quiet"] == 0 and len(asyncio.all_tasks()) <= tasks)


async def test_rapid_resets_the_defect_as_released() -> None:
    app = Provoking()
    async with serving(app, released=True) as server, raw_h2(server.tls_port, client_tls()) as client:
        ticking = await client.request("/tick")
        await client.until(lambda: client.body(ticking))
        reset_rapidly(client, 3000)
        await client.flush()
        await client.read_for(5)
        assert client.ended, "the connection was killed"


async def requests_beside_a_stream(client: RawH2, count: int) -> int:
    """Many requests, one after the other, on the connection of an open stream. Returns how many were answered."""
    await client.request("/tick")

    def is_ending() -> bool:
        return client.ended or any(isinstance(event, ConnectionTerminated) for event in client.events)

    for answered in range(count):
        number = client.h2.get_next_available_stream_id()
        if is_ending():
            return answered
        client.h2.send_headers(number, client.headers("/hello"), end_stream=True)
        await client.flush()
        await client.until(lambda number=number: client.is_ended(number) or is_ending())
        if not client.is_ended(number):
            return answered
        client.events.clear()
    return count


async def test_request_1001_on_one_connection_is_answered_and_the_stream_beside_it_lives() -> None:
    async with serving(Provoking()) as server, raw_h2(server.tls_port, client_tls()) as client:
        assert await requests_beside_a_stream(client, 1100) == 1100
        await client.until(lambda: client.body(1))


async def test_request_1001_with_the_default_that_hypercorn_toml_replaces() -> None:
    async with (
        serving(Provoking(), keep_alive_max_requests=1000) as server,
        raw_h2(server.tls_port, client_tls()) as client,
    ):
        assert await requests_beside_a_stream(client, 1100) < 1005
