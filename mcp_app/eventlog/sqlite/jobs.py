"""A thread with a connection of its own, to which the event loop gives jobs, and from which it gets their outcomes.

What a job does is not known here, nor when it is committed.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from ...aio.in_thread import in_thread
from ...protocol.errors import LogUnavailable

D = TypeVar("D")
"""What a job is given."""
R = TypeVar("R")

END_SECONDS = 30.0
"""How long a thread is waited for: longer than it waits for anything, and whoever waits for it is no longer than that
without an answer."""


@dataclass(slots=True, eq=False)
class Job(Generic[D]):
    """`future` gets what `work` returns or raises."""

    work: Callable[[D], Any]
    future: asyncio.Future[Any] | concurrent.futures.Future[Any]
    value: Any = None
    error: BaseException | None = None

    def run(self, given: D) -> None:
        try:
            self.value = self.work(given)
        except sqlite3.Error:
            raise  # of the database, and so of all that are in the transaction
        except Exception as error:
            self.error = error

    def settle(self) -> None:
        future = self.future
        if future.done():
            return
        if self.error is None:
            future.set_result(self.value)
        else:
            future.set_exception(self.error)
            future.exception()  # marked as retrieved: whoever was cancelled does not look


class DatabaseThread(ABC, Generic[D]):
    """`start` it, `submit` jobs, `close` it. Jobs are done in the order in which they came."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job[D] | None] = SimpleQueue()
        self._closing = False
        self._ended = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open the connection. Raises what `_open` raises; there is no thread then."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = self._loop.create_future()
        threading.Thread(target=self._live, args=(Job(_nothing, opened),), daemon=True, name=self._name).start()
        await opened

    def submit(self, work: Callable[[D], R]) -> asyncio.Future[R]:
        """On the event loop. Who cancels the future only does not see the outcome."""
        if self._loop is None or self._closing:
            raise closed()
        future: asyncio.Future[R] = self._loop.create_future()
        self._jobs.put(Job(work, future))
        return future

    def call(self, work: Callable[[D], R]) -> R:
        """In another thread: wait for the outcome."""
        if self._closing:
            raise closed()
        future: concurrent.futures.Future[R] = concurrent.futures.Future()
        self._jobs.put(Job(work, future))
        try:
            return future.result(END_SECONDS)
        except concurrent.futures.TimeoutError:
            raise closed() from None

    async def close(self) -> None:
        """Do what was submitted, unless it has to be waited for, and end the thread."""
        if self._closing or self._loop is None:
            return
        self._closing = True
        self._jobs.put(None)
        await in_thread(functools.partial(self._ended.wait, END_SECONDS))

    @abstractmethod
    def _open(self) -> None:
        """Connect."""

    @abstractmethod
    def _perform(self, first: Job[D]) -> None:
        """Do a job, and others that are waiting, and deliver the outcomes."""

    @abstractmethod
    def _end(self) -> None:
        """Close the connection."""

    def _live(self, opened: Job[D]) -> None:
        try:
            self._open()
        except Exception as error:
            opened.error = error
            self._ended.set()
            self._deliver([opened])
            return
        self._deliver([opened])
        while (job := self._next()) is not None:
            self._perform(job)
            del job  # what it holds is not kept until the next
        self._end()
        self._ended.set()
        while (job := self._waiting()) is not None:  # from another thread, at the same moment
            job.error = closed()
            self._deliver([job])

    def _next(self) -> Job[D] | None:
        """Wait for a job, or for the end."""
        while True:
            try:
                return self._jobs.get(timeout=self._idle())
            except Empty:
                continue

    def _idle(self) -> float | None:
        """Called when there is nothing to do; after so many seconds it is called again."""
        return None

    def _waiting(self) -> Job[D] | None:
        """The next job, if there is one already."""
        try:
            job = self._jobs.get_nowait()
        except Empty:
            return None
        if job is None and not self._ended.is_set():
            self._jobs.put(None)  # the end is for the thread itself to find
        return job

    def _deliver(self, jobs: Sequence[Job[D]], then: Callable[[], None] | None = None) -> None:
        """One turn of the loop for all of them; `then` is called there first."""
        others = [job for job in jobs if isinstance(job.future, asyncio.Future)]
        for job in jobs:
            if isinstance(job.future, concurrent.futures.Future):
                job.settle()
        if self._loop is not None and (others or then):
            try:
                self._loop.call_soon_threadsafe(functools.partial(_settle, others, then))
            except RuntimeError:
                pass  # the loop is closed: the process is exiting


def _settle(jobs: Sequence[Job[Any]], then: Callable[[], None] | None) -> None:
    if then is not None:
        then()
    for job in jobs:
        job.settle()


def _nothing(_: Any) -> None:
    return None


def closed() -> LogUnavailable:
    return LogUnavailable("The event log is closed.", headers={"Retry-After": "1"})
