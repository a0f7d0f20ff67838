"""What the runs that work hold in memory together, and how much of it they may.

Counted as things are held, by their sizes, not measured: parameters, header fields, the log, kept results. What a tool
allocates by itself is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

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


class Memory:
    """The sum, in bytes: `held` of at most `limit`. `limit` stops new runs only; those that work go on."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: float = math.inf) -> None:
        self.limit = limit
        self.held = 0


class Share:
    """What one run holds of it."""

    __slots__ = ("_memory", "size")

    def __init__(self, memory: Memory | None = None, size: int = 0) -> None:
        self._memory = memory or Memory()
        self.size = size
        self._memory.held += size

    def add(self, size: int) -> None:
        """Count so many bytes more, or less."""
        self.size += size
        self._memory.held += size


def request_bytes(body: bytes, headers: Mapping[str, str]) -> int:
    """What a request takes as long as its run is worked on: its body, the values parsed from it, and its fields."""
    fields = sum(map(len, headers.values())) + _FIELD_BYTES * len(headers)
    if len(body) <= _SMALL:
        return fields
    containers = body.count(b"[") + body.count(b"{")
    return fields + 2 * len(body) + _VALUE_BYTES * body.count(b",") + _CONTAINER_BYTES * containers
