"""What a tool is handed besides its parameters: the way to say what happens, and what it may know of its caller.

In a coroutine or an async generator every method is awaited. In a plain function, which works in a thread of its own,
the same methods are called without `await`; they return when the event is taken. Nothing of HTTP is here but the
request's headers, as a mapping.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from .protocol.event import Event, EventType, encode, number

Level = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
"""RFC 5424, 6.2.1, as MCP has them."""

_LEVELS = frozenset(Level.__args__)  # type: ignore[attr-defined]

Send = Callable[[Event], Awaitable[None]]


class Caller:
    """Who called and when that ends; the same for the whole run.

    `deadline` is a point on time.monotonic()'s clock, in seconds. `reason` is set when the run is ended.
    """

    __slots__ = ("clock", "deadline", "headers", "principal", "reason")

    def __init__(
        self, *, principal: str, headers: Mapping[str, str], deadline: float, clock: Callable[[], float]
    ) -> None:
        self.principal = principal
        self.headers = headers
        self.deadline = deadline
        self.clock = clock
        self.reason: str | None = None


class Context:
    """Handed to a tool that has a parameter annotated `Context`, under whatever name."""

    __slots__ = ("_caller", "_send")

    def __init__(self, send: Send, caller: Caller) -> None:
        self._send = send
        self._caller = caller

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> Awaitable[None]:
        """Say how far the work is: `done` of `total`, in any unit of the tool's own.

        Raises ValueError for what is no finite number.
        """
        return self._send(
            Event(
                EventType.PROGRESS,
                encode({} if message is None else {"message": message}),
                _numbers(done, total),
            )
        )

    def partial(self, data: Any, *, progress: float | None = None, total: float | None = None) -> Awaitable[None]:
        """Send a part of the result now; with numbers, say how far the work is as well.

        Raises ValueError when the data cannot be serialised, and for what is no finite number.
        """
        numbers = b"" if progress is None and total is None else _numbers(progress, total)
        return self._send(Event(EventType.PROGRESS, encode(data), numbers))

    def log(self, level: Level, message: str, data: Any = None) -> Awaitable[None]:
        """Send a line for the caller's log.

        Raises ValueError for an unknown level, or data that cannot be serialised.
        """
        if level not in _LEVELS:
            raise ValueError(f"{level!r} is not a log level: {', '.join(sorted(_LEVELS))}")
        line = {"level": level, "message": message}
        return self._send(Event(EventType.LOG, encode(line if data is None else {**line, "data": data})))

    @property
    def cancelled(self) -> bool:
        """Whether the run was ended and the tool should stop.

        A coroutine is told by CancelledError; a plain function that computes for long without a word looks here.
        """
        return self._caller.reason is not None

    @property
    def cancel_reason(self) -> str | None:
        """Why the run was ended, as an error code: left, time_cap, shutdown, cancelled; None while it is not."""
        return self._caller.reason

    @property
    def deadline(self) -> float:
        """When the run will be ended whatever it does, as a point on time.monotonic()'s clock, in seconds."""
        return self._caller.deadline

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self._caller.deadline - self._caller.clock())

    @property
    def principal(self) -> str:
        """Who calls. `anonymous` as long as the server does not authenticate."""
        return self._caller.principal

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's header fields, names in lower case; of a repeated field the values joined by a comma."""
        return self._caller.headers


def _numbers(progress: float | None, total: float | None) -> bytes:
    numbers = {"progress": progress, "total": total}
    return encode({name: _number(name, value) for name, value in numbers.items() if value is not None})


def _number(name: str, value: Any) -> float | int:
    """A JSON number that every reader can hold: a binary64. Of whatever can be made one: a Decimal, numpy's."""
    try:
        converted = float(value)
    except (TypeError, ValueError, OverflowError):
        converted = math.nan
    if not math.isfinite(converted):
        raise ValueError(f"{name} is {str(value)[:40]}, not a finite number")
    return number(converted)
