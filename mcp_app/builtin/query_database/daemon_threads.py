"""Work in threads that nothing waits for when the process ends. What the work is, is not known here.

The threads of `asyncio.to_thread` are few, all that a program does uses them, and its exit waits for each: a statement
that cannot be interrupted would keep it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar

from mcp_app import Depends

T = TypeVar("T")

_AT_WORK: set[asyncio.Future[Any]] = set()
"""Of all threads of this process."""


class DaemonThreads:
    """At most `limit` at work at once; more wait for their turn. Bound to the event loop of its first use."""

    def __init__(self, limit: int, name: str) -> None:
        self._turns = asyncio.Semaphore(limit)
        self._name = name

    async def run(self, work: Callable[[], T], stop: Callable[[], None], *, patience: float) -> T:
        """Its value, or what it raises, when it has had its turn.

        Who is cancelled meanwhile calls `stop`, and waits for `patience` seconds at most. The work keeps its turn until
        it has ended, however long that takes.
        """
        await self._turns.acquire()
        try:
            ended = self.start(work)
        except BaseException:
            self._turns.release()
            raise
        ended.add_done_callback(lambda _: self._turns.release())
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            stop()
            await asyncio.wait({ended}, timeout=patience)
            raise

    def start(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Begin at once, for what takes no time: nobody's turn is waited for. To be awaited, or not."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[T] = loop.create_future()
        ended.add_done_callback(_AT_WORK.discard)
        ended.add_done_callback(lambda each: each.cancelled() or each.exception())  # marked as seen: nobody may wait

        def settle(set_outcome: Callable[[Any], None], outcome: Any) -> None:
            if not ended.done():
                set_outcome(outcome)

        def tell(set_outcome: Callable[[Any], None], outcome: Any) -> None:
            try:
                loop.call_soon_threadsafe(settle, set_outcome, outcome)
            except RuntimeError:
                return  # the loop is closed: nobody waits

        def thread() -> None:
            try:
                value = work()
            except BaseException as error:
                tell(ended.set_exception, error)
            else:
                tell(ended.set_result, value)

        threading.Thread(target=thread, name=self._name, daemon=True).start()
        _AT_WORK.add(ended)  # a thread that could not be started would be waited for without end
        return ended


async def _until_ended() -> AsyncIterator[None]:
    try:
        yield
    finally:
        loop = asyncio.get_running_loop()
        if ours := [each for each in _AT_WORK if each.get_loop() is loop]:
            await asyncio.wait(ours)


ThreadsEnd = Annotated[None, Depends(_until_ended)]
"""For a tool with a process of its own: its result is sent, and the process works for another call when its threads
have ended. One that cannot be stopped has its process killed, so that the next call does not meet it there."""
