"""What a coroutine sends through its `Context`, and whether it awaited that: without `await` nothing is sent.

Python only warns of it, in the server's log and without the tool's name.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Sequence
from types import CoroutineType
from typing import Any, cast

from ..protocol.errors import ToolFailed
from ..protocol.event import Event

Emit = Callable[[Sequence[Event]], Coroutine[Any, Any, None]]


class Sends:
    """The events of one run that were handed over and are not sent yet."""

    __slots__ = ("_emit", "_open")

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._open: list[tuple[Event, CoroutineType[Any, Any, None]]] = []

    def send(self, event: Event) -> Coroutine[Any, Any, None]:
        coroutine = cast("CoroutineType[Any, Any, None]", self._emit((event,)))
        if self._open:  # a coroutine that has ended has no frame
            self._open = [each for each in self._open if each[1].cr_frame is not None]
        self._open.append((event, coroutine))
        return coroutine

    async def check(self, tool: str) -> None:
        """At the end of the function. Raises ToolFailed if it did not await what it sent."""
        if not self._forgotten():
            return
        await asyncio.sleep(0)  # a task that was made of it may begin now
        forgotten = self._forgotten()
        if not forgotten:
            return
        for _, coroutine in forgotten:
            coroutine.close()
        method = f"ctx.{forgotten[0][0].type.value}(…)"
        times = "once" if len(forgotten) == 1 else f"{len(forgotten)} times"
        raise ToolFailed(
            f"The tool {tool} called {method} without await, {times}, so that nothing was sent. "
            f"Write `await {method}`; in a thread, `asyncio.run_coroutine_threadsafe({method}, loop).result()`."
        )

    def _forgotten(self) -> list[tuple[Event, CoroutineType[Any, Any, None]]]:
        return [each for each in self._open if inspect.getcoroutinestate(each[1]) == inspect.CORO_CREATED]
