"""What a function sends and asks through its `Context`, and whether it awaited that: without `await` nothing happens.

Python only warns of it, in the server's log and without the tool's name.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import CoroutineType
from typing import Any, cast

from ..authoring.context import Asked, Context, unanswered
from ..protocol.errors import ToolFailed
from ..protocol.event import Event
from .callee import Callee, called

Emit = Callable[[Sequence[Event]], Coroutine[Any, Any, None]]


class Sends:
    """The events of one run that were handed over and are not sent yet."""

    __slots__ = ("_emit", "_open")

    def __init__(self, emit: Emit) -> None:
        self._emit = cast("Callable[[tuple[Event]], CoroutineType[Any, Any, None]]", emit)
        self._open: list[tuple[Event, CoroutineType[Any, Any, None]]] = []

    def send(self, event: Event) -> Coroutine[Any, Any, None]:
        coroutine = self._emit((event,))
        sent = self._open
        # One that has ended has no frame. Most often there is one, and it has: that is 2 % of a small event.
        if len(sent) == 1 and sent[0][1].cr_frame is None:
            sent[0] = (event, coroutine)
            return coroutine
        if sent:
            self._open = sent = [each for each in sent if each[1].cr_frame is not None]
        sent.append((event, coroutine))
        return coroutine

    async def check(self, callee: Callee, context: Context, maker: str = "") -> None:
        """At the end of the function, or of a maker of that name. Raises ToolFailed if it did not await what it sent or
        asked."""
        if not self._forgotten(context):
            return
        await asyncio.sleep(0)  # a task that was made of it may begin now
        forgotten = self._forgotten(context)
        if not forgotten:
            return
        method, times = _closed(forgotten)
        raise ToolFailed(
            f"The {_by(callee, maker)} called {method} without await, {times}, so that nothing came of it. "
            f"Write `await {method}`; in a thread, `asyncio.run_coroutine_threadsafe({method}, loop).result()`."
        )

    def _forgotten(self, context: Context) -> list[Asked]:
        self._open = [each for each in self._open if each[1].cr_frame is not None]
        asked = unanswered(context)
        if not self._open and not asked:
            return []
        sent = [(event.type.value, coroutine) for event, coroutine in self._open]
        return _not_begun([*sent, *asked])


def _by(callee: Callee, maker: str) -> str:
    return f"{called(callee)}, by what it depends on, {maker}," if maker else called(callee)


def check_waited(callee: Callee, context: Context, maker: str = "") -> None:
    """The same of what is plain. Raises ToolFailed if it did not wait for what it asked."""
    if forgotten := _not_begun(unanswered(context)):
        method, times = _closed(forgotten)
        raise ToolFailed(
            f"The {_by(callee, maker)} called {method} without ctx.wait, {times}, so that nothing came of it. "
            f"Write `ctx.wait({method})`."
        )


def _not_begun(asked: Iterable[Asked]) -> list[Asked]:
    return [each for each in asked if inspect.getcoroutinestate(each[1]) == inspect.CORO_CREATED]


def _closed(forgotten: Sequence[Asked]) -> tuple[str, str]:
    """(The method that was called first, how often anything was.)"""
    for _, coroutine in forgotten:
        coroutine.close()
    return f"ctx.{forgotten[0][0]}(…)", "once" if len(forgotten) == 1 else f"{len(forgotten)} times"
