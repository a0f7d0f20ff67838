"""A request that is answered in its own task ends when its client leaves, or when its time is over.

A server that tells who has left costs nothing. With another, a task listens for the client, but only when the answer is
still being made after LOOK_SECONDS. What is answered is not known here.
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

from ...aio import cancelling as ending
from ...aio.deadlines import Deadlines

logger = logging.getLogger("mcp_app.connection")

LOOK_SECONDS = 0.02
"""After this time somebody listens for the client: the answer to most calls is out by then, and a client that left
within it costs no more than the rest of its call, and is found by the write."""


QUEUE = "mcp_app.queue"
"""The ASGI extension by which our own server gives a request's queue: server/engine/waiting.py."""


class Queue(Protocol):
    """What it can do besides `receive`."""

    def ready(self) -> ASGIReceiveEvent | None:
        """The next message, if it is there."""

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        """Call it when the client has left, which may be now."""


class Leaving:
    """A block that is left early, without an exception, when the client has gone or `until` has come.

    It cancels the task that it is in, again and again until it is obeyed (`asyncio.wait_for` of Python 3.11 loses a
    cancellation that arrives together with a result), and tells that from a cancellation by anybody else.
    """

    __slots__ = (
        *("_before", "_cancels", "_ending", "_ends", "_listener"),
        *("_loop", "_looking", "_over", "_task", "_told", "_until"),
    )

    def __init__(
        self,
        receive: ASGIReceiveCallable,
        queue: Queue | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """`queue` tells when the client has left, where the server has such a one.

        `at_once`: the client is still sending, and what it sends has to be taken: a queue that nobody empties holds up
        all of its HTTP/2 connection.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by a task
        self._task = task
        self._loop = asyncio.get_running_loop()
        self._before = task.cancelling()
        self._listener: asyncio.Task[None] | None = None
        self._cancels = 0
        self._until = math.inf
        self._over = False
        self._ending = False
        self._ends = _ends_of(self._loop)
        self._looking: asyncio.TimerHandle | None = None
        self._told = queue is not None and not at_once
        if queue is not None and self._told:
            queue.on_disconnect(self._has_left)
        else:
            self._looking = self._loop.call_later(0 if at_once else LOOK_SECONDS, self._look, receive)

    def end_after(self, seconds: float | None) -> None:
        """Be over `seconds` from now, None for never."""
        self._until = math.inf if seconds is None else self._loop.time() + seconds
        if self._told or self._listener is not None:
            self._set_end()

    async def __aenter__(self) -> Leaving:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._over = True
        self._forget_timer()
        for _ in range(self._cancels):
            self._task.uncancel()
        ours = self._cancels > 0 and kind is asyncio.CancelledError and self._task.cancelling() <= self._before
        if self._listener is not None:
            await ending.end({self._listener})
            if not self._listener.cancelled() and (failed := self._listener.exception()) is not None:
                raise failed
        return ours

    def _look(self, receive: ASGIReceiveCallable) -> None:
        self._listener = self._loop.create_task(self._listen(receive))
        self._set_end()

    def _set_end(self) -> None:
        self._forget_timer()
        if self._until < math.inf:
            self._ends.at(self, self._until)

    def _forget_timer(self) -> None:
        self._ends.cancel(self)
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _listen(self, receive: ASGIReceiveCallable) -> None:
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        except Exception:
            self._end()
            raise
        self._end()

    def last_word(self) -> None:
        """What is sent now ends the answer: the server says that nobody is there any more within that very write."""
        self._ending = True

    def _has_left(self) -> None:
        """Told by the server: from outside, or by a write of our own that found the client gone."""
        if not (self._ending and asyncio.current_task() is self._task):
            self._end()

    def _end(self) -> None:
        if self._over:
            return
        self._forget_timer()
        if self._cancels == ending.CANCEL_TRIES:
            logger.error("a request does not end when it is cancelled: %s", self._task)
            return
        self._cancels += 1
        self._task.cancel()
        self._ends.at(self, self._loop.time() + ending.CANCEL_SECONDS)


_ends: WeakKeyDictionary[asyncio.AbstractEventLoop, ref[Deadlines[Leaving]]] = WeakKeyDictionary()
"""When the requests of a loop are over. The requests hold it, and its timer, which holds the loop: held here, it would
keep a closed loop for ever."""


def _ends_of(loop: asyncio.AbstractEventLoop) -> Deadlines[Leaving]:
    known = _ends.get(loop)
    ends = None if known is None else known()
    if ends is None:
        ends = Deadlines(Leaving._end)
        _ends[loop] = ref(ends)
    return ends
