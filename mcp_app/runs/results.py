"""What of one run is too large for an event: kept with it, numbered from 1, until it is forgotten.

What is too large, and what stands in its place, is decided in protocol (linked.py, beside.py). Nothing is served here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from ..aio.in_thread import in_thread
from ..protocol.beside import divide
from ..protocol.errors import Purged, UnknownRun
from ..protocol.event import MAX_EVENT_BYTES, Event, EventType, Shape, decode, encode
from ..protocol.linked import MAX_RESULT_BYTES, Kept, link, too_large
from .memory import Share

RESULTS_BYTES = 4 * MAX_RESULT_BYTES
"""What one run keeps at once: a tool that yields large parts without end would else fill the memory by itself. Beyond
it the oldest are dropped, as events are from the log."""

THREAD_BYTES = 2 * 1024 * 1024
"""More is taken apart in a thread: on the event loop 16 MiB of Base64 would hold all others up for 0.8 s."""

METADATA_BYTES = 2048
"""Of an event, for what is said about its data. Also for the JSON-RPC message around it: clients that bound an event
take a value of the largest size."""

_LINKED = {"content": True, "linked": True}


class Bounds(NamedTuple):
    """The largest event in bytes, and for how many seconds a run is kept after its end."""

    max_event_bytes: int = MAX_EVENT_BYTES
    keep_seconds: float = 600.0

    @property
    def error_bytes(self) -> int:
        """What an error may have: it stands in the last event beside other things."""
        return self.max_event_bytes // 2


OnKept = Callable[[Mapping[int, Kept]], Awaitable[None]]
"""Is told of results by their numbers. What it raises ends the function."""


class Weighed(Protocol):
    """What is kept beside a run's log, for as long as the run is."""

    @property
    def size(self) -> int:
        """In bytes."""


class Results:
    """The kept results of one run, which count in its `share`. `size` is the sum of theirs, in bytes."""

    __slots__ = ("_bounds", "_kept", "_last", "_new", "_on_kept", "_run", "_share", "size")

    def __init__(self, run: str, bounds: Bounds, share: Share, on_kept: OnKept | None = None) -> None:
        """`on_kept` is called with what was kept before its links are shown to anybody."""
        self._on_kept = on_kept
        self._new: dict[int, Kept] = {}
        self._run = run
        self._bounds = bounds
        self._share = share
        self._kept: dict[int, Kept] = {}
        self._last = 0
        self.size = 0

    def get(self, number: int) -> Kept:
        """The result of that number. Raises Purged for one that was dropped, UnknownRun for one that never was."""
        kept = self._kept.get(number)
        if kept is None:
            if 0 < number <= self._last:
                raise Purged(f"Result {number} of this run is no longer kept.")
            raise UnknownRun("This run has no such result.")
        return kept

    async def fit(self, event: Event) -> Event:
        """The part of a result with links in it. Raises as `fit_result`, and EventTooLarge for what is no part."""
        if event.type is not EventType.PARTIAL and event.type is not EventType.STEP:
            raise too_large("An event", event.size, self._bounds.max_event_bytes)
        data, shape, _ = await self.fit_result(event.data, event.shape)
        metadata = decode(event.metadata) if event.metadata else {}
        return Event(event.type, data, encode({**metadata, **_LINKED}), shape)

    async def fit_result(self, data: bytes, shape: Shape, beside: bytes = b"") -> tuple[bytes, Shape, bytes]:
        """A result, or a part of one, and what it has beside it, as they fit into an event, with links if necessary.

        Raises EventTooLarge, and NoMemory where memory is too short to keep it.
        """
        room = self._bounds.max_event_bytes - METADATA_BYTES
        if len(data) + len(beside) > THREAD_BYTES:
            found = await in_thread(lambda: divide(data, shape, beside, room))
        else:
            found = divide(data, shape, beside, room)
        if found is None:
            return data, shape, beside
        linked = found.linked(self._keep, data, shape)
        if self._on_kept is not None:
            new, self._new = self._new, {}
            await self._on_kept(new)
        return linked

    def _keep(self, kept: Kept) -> dict[str, Any]:
        size, most = len(kept.data), self._bounds.max_event_bytes
        self._share.check(size)
        self._last += 1
        self._kept[self._last] = kept
        if self._on_kept is not None:
            self._new[self._last] = kept
        before = self.size
        self.size += size
        while self.size > RESULTS_BYTES:
            self.size -= len(self._kept.pop(next(iter(self._kept))).data)
        self._share.add(self.size - before)
        kept_for = f"it is kept until {self._bounds.keep_seconds:g} seconds after the end of the run"
        return link(self._run, self._last, kept, f"{size} bytes, too many for an event of {most}: {kept_for}.")
