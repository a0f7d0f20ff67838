"""`CancelScope`: cancels a request that is answered in its own task when its client disconnects or its deadline passes.

A server that reports a disconnect by a callback makes this free. With any other, a task listens for the disconnect, but
only once the answer has taken LISTEN_AFTER_SECONDS. What the answer is is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from types import TracebackType
from typing import Protocol
from weakref import WeakKeyDictionary, ref

from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent

from ...aio import cancelling
from ...aio.deadlines import Deadlines

logger = logging.getLogger("mcp_app.connection")

LISTEN_AFTER_SECONDS = 0.02
"""Delay before a task listens for the disconnect: most calls have been answered by then, and a client that disconnects
within it costs no more than the rest of its call, and is detected by the write."""


QUEUE_KEY = "mcp_app.queue"
"""The ASGI extension by which our own server passes a request's queue: server/engine/waiting.py."""


class Queue(Protocol):
    """The part of that queue's interface that ASGI's `receive` lacks."""

    def poll(self) -> ASGIReceiveEvent | None:
        """The next message, or None if the queue is empty."""

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the client has disconnected, immediately if it already has."""


class CancelScope:
    """An async context manager whose block is cancelled, without an exception outside, on disconnect or time-out.

    It cancels the task it is in, repeatedly until the block ends (`asyncio.wait_for` of Python 3.11 loses a
    cancellation that arrives together with a result), and distinguishes that from a cancellation by any other code.
    """

    __slots__ = (
        *("_cancels", "_cancels_before", "_deadline", "_deadlines", "_has_exited", "_is_final_write"),
        *("_listen_timer", "_listener", "_loop", "_server_notifies", "_task"),
    )

    def __init__(
        self,
        receive: ASGIReceiveCallable,
        queue: Queue | None = None,
        *,
        listen_now: bool = False,
    ) -> None:
        """`queue` reports the client's disconnect, if the server provides one.

        `listen_now`: the client is still sending, and its messages must be received: a queue that is not emptied blocks
        its whole HTTP/2 connection.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by a task
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._cancels_before = task.cancelling()
        self._listener: asyncio.Task[None] | None = None
        self._cancels = 0
        self._deadline = math.inf
        self._has_exited = False
        self._is_final_write = False
        self._deadlines = _deadlines_of(self._loop)
        self._listen_timer: asyncio.TimerHandle | None = None
        self._server_notifies = queue is not None and not listen_now
        if queue is not None and self._server_notifies:
            queue.on_disconnect(self._on_disconnect)
        else:
            self._listen_timer = self._loop.call_later(
                0 if listen_now else LISTEN_AFTER_SECONDS, self._start_listener, receive
            )

    def set_timeout(self, seconds: float | None) -> None:
        """Cancel the block `seconds` from now, None for never."""
        self._deadline = math.inf if seconds is None else self._loop.time() + seconds
        if self._server_notifies or self._listener is not None:
            self._schedule_deadline()

    async def __aenter__(self) -> CancelScope:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._has_exited = True
        self._cancel_timers()
        for _ in range(self._cancels):
            self._task.uncancel()
        is_own = (
            self._cancels > 0 and kind is asyncio.CancelledError and self._task.cancelling() <= self._cancels_before
        )
        if self._listener is not None:
            await cancelling.end({self._listener})
            if not self._listener.cancelled() and (failed := self._listener.exception()) is not None:
                raise failed
        return is_own

    def _start_listener(self, receive: ASGIReceiveCallable) -> None:
        self._listener = self._loop.create_task(self._listen(receive))
        self._schedule_deadline()

    def _schedule_deadline(self) -> None:
        self._cancel_timers()
        if self._deadline < math.inf:
            self._deadlines.at(self, self._deadline)

    def _cancel_timers(self) -> None:
        self._deadlines.cancel(self)
        if self._listen_timer is not None:
            self._listen_timer.cancel()
            self._listen_timer = None

    async def _listen(self, receive: ASGIReceiveCallable) -> None:
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        except Exception:
            self._cancel()
            raise
        self._cancel()

    def begin_final_write(self) -> None:
        """The next write ends the answer: during it the server reports the stream's end as a disconnect, which is
        ignored."""
        self._is_final_write = True

    def _on_disconnect(self) -> None:
        """Called by the server: on its own account, or within a write of this task that finds the client
        disconnected."""
        if not (self._is_final_write and asyncio.current_task() is self._task):
            self._cancel()

    def _cancel(self) -> None:
        if self._has_exited:
            return
        self._cancel_timers()
        if self._cancels == cancelling.CANCEL_TRIES:
            logger.error("a request does not end when it is cancelled: %s", self._task)
            return
        self._cancels += 1
        self._task.cancel()
        self._deadlines.at(self, self._loop.time() + cancelling.CANCEL_SECONDS)


_deadlines: WeakKeyDictionary[asyncio.AbstractEventLoop, ref[Deadlines[CancelScope]]] = WeakKeyDictionary()
"""The deadlines of a loop's requests. A weak reference: the requests hold the Deadlines, whose timer holds the loop;
held here, it would keep a closed loop alive forever."""


def _deadlines_of(loop: asyncio.AbstractEventLoop) -> Deadlines[CancelScope]:
    known = _deadlines.get(loop)
    deadlines = None if known is None else known()
    if deadlines is None:
        deadlines = Deadlines(CancelScope._cancel)
        _deadlines[loop] = ref(deadlines)
    return deadlines
