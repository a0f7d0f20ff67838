"""A request that is answered in its own task ends when its client leaves, or when its time is over.

While an answer is made quickly nothing of this costs a task: only one that is still being made after LOOK_SECONDS has
somebody who listens for its client. What is answered is not known here.
"""

from __future__ import annotations

import asyncio
import logging
import math
from types import TracebackType

from hypercorn.typing import ASGIReceiveCallable

from . import ending

logger = logging.getLogger("mcp_app.connection")

LOOK_SECONDS = 0.02
"""After this time somebody listens for the client: the answer to most calls is out by then, and a client that left
within it costs no more than the rest of its call, and is found by the write."""


class Leaving:
    """A block that is left early, without an exception, when the client has gone or `until` has come.

    It cancels the task that it is in, again and again until it is obeyed (`asyncio.wait_for` of Python 3.11 loses a
    cancellation that arrives together with a result), and tells that from a cancellation by anybody else.
    """

    __slots__ = ("_before", "_cancels", "_listener", "_loop", "_over", "_receive", "_task", "_timer", "_until")

    def __init__(self, receive: ASGIReceiveCallable, *, at_once: bool = False) -> None:
        """`at_once`: the client is still sending, and what it sends has to be taken: a queue that nobody empties
        holds up all of its HTTP/2 connection."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by a task
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._before = task.cancelling()
        self._receive = receive
        self._listener: asyncio.Task[None] | None = None
        self._cancels = 0
        self._until = math.inf
        self._over = False
        self._timer = self._loop.call_later(0 if at_once else LOOK_SECONDS, self._look)

    def end_after(self, seconds: float | None) -> None:
        """Be over `seconds` from now, None for never."""
        self._until = math.inf if seconds is None else self._loop.time() + seconds
        if self._listener is not None:
            self._timer.cancel()
            self._set_end()

    async def __aenter__(self) -> Leaving:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._over = True
        self._timer.cancel()
        for _ in range(self._cancels):
            self._task.uncancel()
        ours = self._cancels > 0 and kind is asyncio.CancelledError and self._task.cancelling() <= self._before
        if self._listener is not None:
            await ending.end({self._listener})
            if not self._listener.cancelled() and (failed := self._listener.exception()) is not None:
                raise failed
        return ours

    def _look(self) -> None:
        self._listener = self._loop.create_task(self._listen())
        self._set_end()

    def _set_end(self) -> None:
        if self._until < math.inf:
            self._timer = self._loop.call_at(self._until, self._end)

    async def _listen(self) -> None:
        try:
            while (await self._receive())["type"] != "http.disconnect":
                pass
        except Exception:
            self._end()
            raise
        self._end()

    def _end(self) -> None:
        if self._over:
            return
        self._timer.cancel()
        if self._cancels == ending.CANCEL_TRIES:
            logger.error("a request does not end when it is cancelled: %s", self._task)
            return
        self._cancels += 1
        self._task.cancel()
        self._timer = self._loop.call_later(ending.CANCEL_SECONDS, self._end)
