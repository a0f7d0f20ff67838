"""The two threads between the event loop and the client, on pipes."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from mcp_app.aio.in_thread import in_thread
from mcp_app.stdio.threads import MAX_UNWRITTEN, READ_BYTES, InputThread, OutputThread

SECONDS = 20.0
PIPE = 64 * 1024
"""What a pipe holds, at least where these tests run; more changes nothing in them."""


class Ends:
    """A pipe: the descriptors of its reader and its writer."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def close(self, *descriptors: int) -> None:
        for each in descriptors:
            try:
                os.close(each)
            except OSError:  # the test has closed it
                continue


@pytest.fixture
def pipe() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close(made.writing, made.reading)


def unexpected(error: OSError) -> None:
    raise error


def read_all(descriptor: int, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += os.read(descriptor, size - len(found))
    return found


async def test_messages_are_written_as_lines_in_their_order(pipe: Ends) -> None:
    output = OutputThread(pipe.writing, unexpected)
    expected = b""
    for number in range(1000):
        await output.send(b"%d" % number)
        expected += b"%d\n" % number
    assert await in_thread(partial(read_all, pipe.reading, len(expected))) == expected
    assert await output.flush(SECONDS)


async def test_who_sends_waits_for_a_client_that_does_not_read_and_goes_on_when_it_does(pipe: Ends) -> None:
    output = OutputThread(pipe.writing, unexpected)
    sent = 0

    async def send() -> None:
        nonlocal sent
        while sent < 100:
            await output.send(b"x" * 16 * 1024)
            sent += 1

    sending = asyncio.create_task(send())
    await asyncio.sleep(0)
    assert not await output.flush(0.2)
    stuck = sent
    assert MAX_UNWRITTEN <= stuck * 16 * 1024 <= MAX_UNWRITTEN + 2 * PIPE
    reading = asyncio.create_task(in_thread(partial(read_all, pipe.reading, 100 * (16 * 1024 + 1))))
    await asyncio.wait_for(sending, SECONDS)
    await asyncio.wait_for(reading, SECONDS)
    assert await output.flush(SECONDS)


async def test_a_message_of_any_size_is_sent(pipe: Ends) -> None:
    output = OutputThread(pipe.writing, unexpected)
    size = 3 * MAX_UNWRITTEN
    reading = asyncio.create_task(in_thread(partial(read_all, pipe.reading, size + 1)))
    await asyncio.wait_for(output.send(b"y" * size), SECONDS)
    assert await asyncio.wait_for(reading, SECONDS) == b"y" * size + b"\n"


async def test_who_is_cancelled_while_waiting_sends_nothing(pipe: Ends) -> None:
    output = OutputThread(pipe.writing, unexpected)
    size = 2 * MAX_UNWRITTEN
    await output.send(b"a" * size)
    waiting = asyncio.create_task(output.send(b"never"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    reading = asyncio.create_task(in_thread(partial(read_all, pipe.reading, size + 1)))
    await asyncio.wait_for(reading, SECONDS)
    await output.send(b"last")
    assert await in_thread(partial(os.read, pipe.reading, 100)) == b"last\n"


async def test_a_client_that_has_left_is_told_of_once_and_nobody_waits_any_more(pipe: Ends) -> None:
    failures: list[OSError] = []
    failed = asyncio.Event()

    def fail(error: OSError) -> None:
        failures.append(error)
        failed.set()

    output = OutputThread(pipe.writing, fail)
    await output.send(b"a" * 2 * MAX_UNWRITTEN)
    waiting = asyncio.create_task(output.send(b"b"))
    await asyncio.sleep(0)
    pipe.close(pipe.reading)
    await asyncio.wait_for(failed.wait(), SECONDS)
    await asyncio.wait_for(waiting, SECONDS)
    await asyncio.wait_for(output.send(b"c"), SECONDS)
    assert not await output.flush(SECONDS)
    assert [each.errno for each in failures] == [errno.EPIPE]


async def test_a_descriptor_that_somebody_made_non_blocking_is_written_all_the_same(pipe: Ends) -> None:
    os.set_blocking(pipe.writing, False)
    output = OutputThread(pipe.writing, unexpected)
    size = 4 * PIPE
    reading = asyncio.create_task(in_thread(partial(read_all, pipe.reading, size + 1)))
    await output.send(b"z" * size)
    assert await asyncio.wait_for(reading, SECONDS) == b"z" * size + b"\n"


async def test_input_is_read_to_its_end_which_is_heard_by_the_thread_as_well(pipe: Ends) -> None:
    ended = threading.Event()
    incoming = InputThread(pipe.reading, ended.set)
    os.write(pipe.writing, b"one")
    assert await asyncio.wait_for(incoming.read(), SECONDS) == b"one"
    assert not ended.is_set()
    os.write(pipe.writing, b"two")
    pipe.close(pipe.writing)
    assert await asyncio.wait_for(incoming.read(), SECONDS) == b"two"
    assert await asyncio.wait_for(incoming.read(), SECONDS) == b""
    assert await in_thread(partial(ended.wait, SECONDS))


async def test_the_end_is_heard_behind_input_that_nobody_takes_and_which_is_still_there(pipe: Ends) -> None:
    incoming = InputThread(pipe.reading, lambda: None)
    size = READ_BYTES + PIPE // 2
    assert await in_thread(partial(os.write, pipe.writing, b"x" * size)) == size
    await asyncio.sleep(0.1)
    assert not incoming.ended.is_set()
    pipe.close(pipe.writing)
    await asyncio.wait_for(incoming.ended.wait(), SECONDS)
    while piece := await asyncio.wait_for(incoming.read(), SECONDS):
        size -= len(piece)
    assert size == 0


async def test_who_reads_slowly_is_not_taken_for_one_who_does_not(pipe: Ends) -> None:
    output = OutputThread(pipe.writing, unexpected)
    await output.send(b"x" * (2 * MAX_UNWRITTEN))
    stalled = asyncio.create_task(output.stalled(0.5))
    for _ in range(10):
        await in_thread(partial(read_all, pipe.reading, 8 * 1024))
        await asyncio.sleep(0.1)
    assert not stalled.done()
    await asyncio.wait_for(stalled, SECONDS)


async def test_input_that_nobody_takes_is_not_read(pipe: Ends) -> None:
    incoming = InputThread(pipe.reading, lambda: None)
    os.set_blocking(pipe.writing, False)
    written = 0
    with pytest.raises(BlockingIOError):
        for _ in range(100):
            written += os.write(pipe.writing, b"x" * READ_BYTES)
            await asyncio.sleep(0.01)
    assert written <= 2 * READ_BYTES + PIPE
    while written:
        written -= len(await asyncio.wait_for(incoming.read(), SECONDS))
