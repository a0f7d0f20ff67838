"""Several listeners of one socket: each connection goes to who has fewest, and to anybody where nobody else accepts."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from mcp_app.server.engine.accepting import AcceptingSocket
from mcp_app.server.engine.admission import Admission, ConnectionPlace
from mcp_app.server.engine.sharing import ConnectionCounts, OpenConnections

WITHIN_SECONDS = 10.0


@pytest.fixture
def counts() -> Iterator[ConnectionCounts]:
    made = ConnectionCounts.create(3)
    yield made
    os.close(made.descriptor)


def test_who_has_more_than_another_that_accepts_is_ahead(counts: ConnectionCounts) -> None:
    one, two = OpenConnections(counts, 1), OpenConnections(counts, 2)
    one.write(5)
    assert not one.is_ahead(), "no other accepts"
    two.write(4)
    assert one.is_ahead()
    assert not two.is_ahead()
    two.write(5)
    assert not one.is_ahead()


def test_who_has_left_counts_no_more_and_writes_no_more(counts: ConnectionCounts) -> None:
    one, two = OpenConnections(counts, 1), OpenConnections(counts, 2)
    one.write(5)
    two.write(0)
    two.leave()
    assert not one.is_ahead()
    two.write(0)  # one of its connections ends, while another process has its number
    assert not one.is_ahead()


def test_what_was_killed_is_cleared_by_its_number(counts: ConnectionCounts) -> None:
    one, two = OpenConnections(counts, 1), OpenConnections(counts, 2)
    one.write(1)
    two.write(0)
    counts.clear(2)
    assert not one.is_ahead()


def test_processes_with_the_same_file_see_each_other(counts: ConnectionCounts) -> None:
    theirs = ConnectionCounts(os.dup(counts.descriptor), 3)
    one, two = OpenConnections(counts, 1), OpenConnections(theirs, 2)
    one.write(1)
    two.write(0)
    assert one.is_ahead()
    os.close(theirs.descriptor)


class Workers:
    """Listeners of one socket in one loop, each with its own count, as processes have."""

    def __init__(self, sock: socket.socket, counts: ConnectionCounts) -> None:
        self.taken: dict[int, int] = {}
        self.port = sock.getsockname()[1]
        self.listeners: dict[int, AcceptingSocket] = {}
        self._sock = sock
        self._counts = counts

    def add(self, number: int) -> None:
        self.taken[number] = 0
        shared = OpenConnections(self._counts, number)
        self.listeners[number] = AcceptingSocket(
            self._sock.dup(), self._serving(number), Admission(1000, 0), shared=shared
        )

    def _serving(self, number: int):  # type: ignore[no-untyped-def]
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: ConnectionPlace) -> None:
            self.taken[number] += 1
            try:
                await reader.read()
            finally:
                writer.close()

        return serve


@asynccontextmanager
async def listening(counts: ConnectionCounts, *numbers: int) -> AsyncIterator[Workers]:
    with socket.create_server(("127.0.0.1", 0), backlog=200) as sock:
        workers = Workers(sock, counts)
        for number in numbers:
            workers.add(number)
        try:
            yield workers
        finally:
            for listener in workers.listeners.values():
                listener.close()


@asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[list[socket.socket]]:
    loop = asyncio.get_running_loop()
    sockets = [socket.socket() for _ in range(count)]
    for sock in sockets:
        sock.setblocking(False)
    await asyncio.wait_for(
        asyncio.gather(*(loop.sock_connect(sock, ("127.0.0.1", port)) for sock in sockets)), WITHIN_SECONDS
    )
    try:
        yield sockets
    finally:
        for sock in sockets:
            sock.close()
        await asyncio.sleep(0.05)


async def until_taken(workers: Workers, count: int) -> None:
    async with asyncio.timeout(WITHIN_SECONDS):
        while sum(workers.taken.values()) < count:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)


async def test_connections_that_come_at_once_are_shared(counts: ConnectionCounts) -> None:
    async with listening(counts, 1, 2, 3) as workers, connected(workers.port, 99):
        await until_taken(workers, 99)
        assert all(31 <= taken <= 35 for taken in workers.taken.values()), workers.taken


async def test_one_that_was_started_again_gets_the_next(counts: ConnectionCounts) -> None:
    async with listening(counts, 1) as workers, connected(workers.port, 10):
        await until_taken(workers, 10)
        workers.add(2)
        async with connected(workers.port, 10):
            await until_taken(workers, 20)
            assert workers.taken[2] >= 9, workers.taken


async def test_one_that_does_not_accept_keeps_nobody_waiting(counts: ConnectionCounts) -> None:
    """It holds its loop, or was killed and nobody has noticed yet: it has fewest, and takes none."""
    OpenConnections(counts, 2).write(0)
    async with listening(counts, 1) as workers, connected(workers.port, 100):
        await until_taken(workers, 100)


async def test_after_a_stop_nothing_is_accepted(counts: ConnectionCounts) -> None:
    OpenConnections(counts, 2).write(0)
    async with listening(counts, 1, 3) as workers, connected(workers.port, 2):
        await until_taken(workers, 2)
        workers.listeners[1].stop_accepting()
        workers.listeners[1].stop_accepting()
        async with connected(workers.port, 3):
            await until_taken(workers, 5)
            assert workers.taken[1] <= 1
