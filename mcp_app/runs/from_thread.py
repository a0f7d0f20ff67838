"""Coroutines that a thread waits for: each runs on the event loop, in order with the events that the thread sent.

Tools are not known here.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ..protocol.event import Event
from .channel import Channel


class Pending:
    """A coroutine to be run on the loop, and its outcome."""

    __slots__ = ("begun", "coroutine", "future")

    size = 0
    """Bytes that it counts in a channel: it carries no event."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.coroutine = coroutine
        self.begun = False
        self.future: concurrent.futures.Future[Any] = concurrent.futures.Future()


Item = Event | Pending


class Waits:
    """The coroutines that the threads of one run wait for. `wait` is called in threads, all else on the loop."""

    def __init__(self, channel: Channel[Item]) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._open: set[Pending] = set()
        self._over = False
        self._tasks: set[asyncio.Task[None]] = set()

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run the coroutine on the loop and return its result. Raises CancelledError once the run ended."""
        call = Pending(coroutine)
        with self._lock:
            if not self._over:
                self._open.add(call)
        try:
            if call not in self._open:
                raise asyncio.CancelledError("the run was ended")
            self._channel.put(call)
            return call.future.result()
        except concurrent.futures.CancelledError:
            raise asyncio.CancelledError("the run was ended") from None
        finally:
            self._open.discard(call)
            if not call.begun:
                call.coroutine.close()

    def begin(self, items: Sequence[Item]) -> Iterator[list[Event]]:
        """Yield the events among the items, in order, and start each coroutine in its place between them."""
        events: list[Event] = []
        for item in items:
            if isinstance(item, Event):
                events.append(item)
                continue
            if events:
                yield events
                events = []
            item.begun = True
            task = asyncio.create_task(_work(item))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if events:
            yield events

    @asynccontextmanager
    async def answered(self) -> AsyncIterator[None]:
        """At the end of the block every coroutine is cancelled, and no thread waits any more."""
        try:
            yield
        finally:
            with self._lock:
                self._over = True
            for task in list(self._tasks):
                task.cancel()
            for call in list(self._open):
                call.future.cancel()


async def _work(call: Pending) -> None:
    try:
        value = await call.coroutine
    except asyncio.CancelledError:
        call.future.cancel()
        raise
    except BaseException as error:
        if not call.future.cancelled():
            call.future.set_exception(error)
    else:
        if not call.future.cancelled():
            call.future.set_result(value)
