"""Steps and parts of a run: what an event of a step becomes in the run above it, how far the run is, how deep calls go.

A **step** is a tool that another one called, or a part of its work that a tool named. A **part** is a share of a
function's progress, in percent. Pure: no loop and no clock; nothing is called or sent here.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from ..protocol.errors import ToolFailed
from ..protocol.event import Event, EventType, Shape, decode, encode, number

MAX_DEPTH = 8
"""Calls of tools by tools, one in the other. A tool that calls itself without end is found here, before it has cost a
thread or a connection for each level."""

MAX_CHILDREN = 1000
"""Tools called below one run. Each may be as dear as a call by a client, which `MCP_APP_MAX_RUNS` bounds, and a run
counts as one there."""

MAX_NAME_CHARS = 128
"""Of a part, as of a tool. The name stands in each event of its step, and in the keys of its questions."""

WHOLE = 100.0
"""A function's progress is in percent where it has parts."""

_NUMBERS = ("progress", "total")

_UNFINISHED = "unfinished"
_UNFINISHED_JSON = b'"unfinished":true'  # in a name the quotation marks would be escaped

_DECIMALS = 4
"""Of a percentage: a part of a part of 1,000 steps still moves."""


class Gauge:
    """How far one function is, in percent, by what its parts report. It never goes back.

    A part counts from where it begins: what lies before it is done, except the parts that are being worked on, of which
    only what they report is. So parts one after the other go from one share to the next, and parts at once add up.
    """

    __slots__ = ("_lock", "_reached", "_value", "_working")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # threads of a plain function report, too
        self._reached = 0.0
        self._value = 0.0
        self._working: list[Part] = []

    def begin(self, part: Part) -> None:
        """The part is being worked on, until `end`."""
        with self._lock:
            self._working.append(part)

    def end(self, part: Part) -> None:
        with self._lock:
            self._working.remove(part)

    def report(self, part: Part, done: float) -> float:
        """The part is done from 0 to 1. Returns how far the function is."""
        with self._lock:
            part.done = max(part.done, done)
            return self._reach(part.at)

    def reach(self, at: float) -> float:
        """The same of a part that another process knows: it is at `at` percent."""
        with self._lock:
            return self._reach(at)

    def numbers(self, part: Part, done: float) -> dict[str, Any]:
        """`report`, as it stands in the metadata of an event."""
        return {"progress": self.report(part, done), "total": number(WHOLE)}

    def _reach(self, at: float) -> float:
        self._reached = max(self._reached, at)
        pending = sum(max(0.0, min(each.end, self._reached) - each.at) for each in self._working)
        self._value = max(self._value, self._reached - pending)
        return number(round(self._value, _DECIMALS))


class GaugeElsewhere(Gauge):
    """The gauge of a function in a process: the server's own knows what else is worked on, and finishes the numbers."""

    __slots__ = ()

    def numbers(self, part: Part, done: float) -> dict[str, Any]:
        with self._lock:
            part.done = max(part.done, done)
            return {"progress": part.at, "total": number(WHOLE), _UNFINISHED: True}


def finished_numbers(event: Event, gauge: Callable[[], Gauge]) -> Event:
    """An event of a process, with the numbers of the server's gauge where it has those of a `GaugeElsewhere`."""
    if _UNFINISHED_JSON not in event.metadata:
        return event
    metadata: dict[str, Any] = decode(event.metadata)
    del metadata[_UNFINISHED]
    metadata["progress"] = gauge().reach(metadata["progress"])
    return Event(event.type, event.data, encode(metadata), event.shape)


class Part:
    """From `start` to `end` percent of a function's progress, and the `path` of steps by which the function's own
    events differ from those of this part.

    `gauge` is the function's; None for a step whose progress is no share of it. `name` is the part's own, None if it
    has none. `is_call`: it is that of another tool.
    """

    __slots__ = ("done", "end", "gauge", "is_call", "name", "path", "start")

    def __init__(
        self,
        gauge: Gauge | None,
        start: float = 0.0,
        end: float = WHOLE,
        above: Sequence[str] = (),
        name: str | None = None,
        *,
        is_call: bool = False,
    ) -> None:
        self.gauge = gauge
        self.start = start
        self.end = end
        self.name = name
        self.path = tuple(above) if name is None else (*above, name)
        self.is_call = is_call
        self.done = 0.0

    @property
    def at(self) -> float:
        """How far the function is when this part is as far as it is, and all before it is done."""
        return self.start + self.done * (self.end - self.start)

    def part(self, start: float, end: float, name: str | None) -> Part:
        """A part of this part. Raises ValueError unless 0 <= start <= end <= 100, and for what is no name."""
        if not (_is_percentage(start) and _is_percentage(end) and start <= end):
            raise ValueError(f"a part is from 0 to {WHOLE:g} percent, not from {start!r} to {end!r}")
        if name is not None and not (isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS):
            raise ValueError(f"a part's name is a text of 1 to {MAX_NAME_CHARS} characters, not {name!r:.200}")
        share = (self.end - self.start) / WHOLE
        return Part(self.gauge, self.start + share * start, self.start + share * end, self.path, name)

    def call(self, step: str) -> Part:
        """The part of one call in this part, a step of that name."""
        above = self.path if self.name is None else self.path[:-1]
        return Part(self.gauge, self.start, self.end, above, step, is_call=True)

    def begin(self) -> None:
        """A call in this part begins; `close` must follow."""
        if self.gauge is not None:
            self.gauge.begin(self)

    def close(self) -> None:
        if self.gauge is not None:
            self.gauge.end(self)

    def finished(self) -> Event | None:
        """A call in this part has its result. Returns the progress that it has not reported itself."""
        if self.gauge is None or self.done >= 1.0 or self.start == self.end:
            return None
        return self.event(Event(EventType.PROGRESS, b"{}", b'{"progress":1,"total":1}'))

    def event(self, event: Event) -> Event:
        """An event of this part as one of the function's: with the path, and with the function's numbers.

        What was reported in the step itself is `step` in the metadata.
        """
        if event.shape is Shape.PRIVATE:
            return event
        metadata: dict[str, Any] = decode(event.metadata) if event.metadata else {}
        reported: dict[str, float] = {name: metadata.pop(name) for name in _NUMBERS if name in metadata}
        numbers = self._numbers(reported)
        below = metadata.pop("path", None)
        step = metadata.pop("step", None) if below else reported
        path = [*self.path, *(below or ())]
        if path:
            numbers["path"] = path
            if step:
                numbers["step"] = step
        data = {**numbers, **metadata}
        kind = EventType.STEP if self.is_call and event.type is EventType.PARTIAL else event.type
        return Event(kind, event.data, encode(data) if data else b"", event.shape)

    def _numbers(self, reported: dict[str, float]) -> dict[str, Any]:
        done, total = reported.get("progress"), reported.get("total")
        if self.gauge is None or done is None:
            return {}
        if total is None or total <= 0:
            return self.gauge.numbers(self, self.done)
        return self.gauge.numbers(self, min(max(done / total, 0.0), 1.0))


def _is_percentage(value: Any) -> bool:
    return not isinstance(value, str | bytes) and math.isfinite(value) and 0 <= value <= WHOLE


class Tree:
    """Counts the tools called below one run."""

    __slots__ = ("_children",)

    def __init__(self) -> None:
        self._children = 0

    def enter(self, name: str, above: Sequence[str]) -> None:
        """The tool `name` is called by the last of `above`, which are the callers from the run down.

        Raises ToolFailed beyond MAX_DEPTH and MAX_CHILDREN.
        """
        if len(above) > MAX_DEPTH:
            raise ToolFailed(
                f"The tool {name} was not called: tools call each other {MAX_DEPTH} deep at most, and this would be "
                f"one more, below {' > '.join(above)}. Does one of them call itself without end?"
            )
        if self._children >= MAX_CHILDREN:
            raise ToolFailed(
                f"The tool {name} was not called: one call of {above[0]} calls at most {MAX_CHILDREN} others, and has "
                "called as many. Give a tool a list of what is to be done, instead of calling it for each."
            )
        self._children += 1


class StepNames:
    """The names of one function's steps, each once, in the order of its calls: `fetch`, `fetch-2`, `fetch-3`."""

    __slots__ = ("_last", "_lock", "_used")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, int] = {}
        self._used: set[str] = set()

    def next(self, name: str) -> str:
        with self._lock:
            chosen = name
            while chosen in self._used:
                self._last[name] = self._last.get(name, 1) + 1
                chosen = f"{name}-{self._last[name]}"
            self._used.add(chosen)
            return chosen
