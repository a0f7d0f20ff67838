"""What the runs that work hold in memory together, and how much of it they may.

Counted as things are held, by their sizes, not measured: parameters, header fields, the log, kept results. What a tool
allocates by itself is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..protocol.errors import Overloaded

SHORT = 3 / 4
"""Of the limit. Above it tools wait for their readers at every event, and logs keep little: the last quarter is for new
runs, or a few hundred readers that stopped reading would keep all others out."""

MOST = 5 / 4
"""Of the limit. Above the limit itself no run is admitted; those that work have a quarter more for what they still say.
A run that would exceed it ends."""

RUN_BYTES = 4096
"""What a run takes beside its events and its caller's data: it bounds many small runs as bytes bound few large ones."""

ENTRY_BYTES = 320
"""What an entry of the log takes beside its data: an entry, an event, two bytes objects, numbers. Measured: 275."""

_VALUE_BYTES = 40
_CONTAINER_BYTES = 160
"""What a value, and an object or array, of the parameters takes at most once it is parsed: 24 MiB were measured for
1 MiB of `{"a":1},…`. Counted by punctuation, which costs a hundredth of parsing."""

_SMALL = 1024
"""A smaller body is within RUN_BYTES, whatever is in it; nearly all are."""

_FIELD_BYTES = 128
"""Of a header field, beside its value: its name, and the strings themselves."""


class NoMemory(Overloaded):
    """A run would hold too much. A class of its own, as NoThread is."""


class Memory:
    """The sum, in bytes: `held`. Above `limit` no run is admitted; SHORT and MOST are for those that work."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: float = math.inf) -> None:
        self.limit = limit
        self.held = 0

    @property
    def short(self) -> bool:
        """Whether those that work must do with little."""
        return self.held > self.limit * SHORT


class Share:
    """What one run holds of it: its request, and what it has said."""

    __slots__ = ("_memory", "_released", "_request", "_said")

    def __init__(self, memory: Memory | None = None, request: int = 0) -> None:
        self._memory = memory or Memory()
        self._request = request
        self._said = 0
        self._released = False
        self._memory.held += request

    @property
    def short(self) -> bool:
        return self._memory.short

    def check(self, size: int) -> None:
        """Raises NoMemory if the run may not hold so many bytes more."""
        if self._memory.held + size > self._memory.limit * MOST:
            raise NoMemory("The run was ended: the runs that are being worked on hold as much memory as they may.")

    def add(self, size: int) -> None:
        """Count so many bytes of what it has said more, or less."""
        if not self._released:
            self._said += size
            self._memory.held += size

    def release_request(self) -> None:
        """Idempotent."""
        self._memory.held -= self._request
        self._request = 0

    def release(self) -> None:
        """What it has said is not counted here any more, nor what it still says. Idempotent."""
        self.add(-self._said)
        self._released = True


def request_bytes(body: bytes, headers: Mapping[str, str]) -> int:
    """What a request takes as long as its run is worked on: its body, the values parsed from it, and its fields."""
    fields = sum(map(len, headers.values())) + _FIELD_BYTES * len(headers)
    if len(body) <= _SMALL:
        return fields
    containers = body.count(b"[") + body.count(b"{")
    return fields + 2 * len(body) + _VALUE_BYTES * body.count(b",") + _CONTAINER_BYTES * containers
