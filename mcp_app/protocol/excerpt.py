"""The first items that a run streamed, up to a limit: one answer repeats them. Further items are counted, not kept.

The type of the items and the format of the answer are not known here.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

MAX_ITEMS = 1000
"""Items in one answer: a client that needs more should read the stream."""

MAX_BYTES = 1024 * 1024
"""The same limit in bytes: the complete answer is held in memory, in addition to its parts."""


class Excerpt(Generic[T]):
    """`items` are the items that are kept, `size` is their size in bytes, `total` the number of all items."""

    __slots__ = ("items", "size", "total")

    def __init__(self) -> None:
        self.items: list[T] = []
        self.size = 0
        self.total = 0

    def add(self, item: T, size: int) -> None:
        """Count the item, of `size` bytes, and keep it if it fits. Once an item did not fit none is kept: a list with
        gaps would be taken for a complete one."""
        complete = len(self.items) == self.total
        self.total += 1
        if complete and len(self.items) < MAX_ITEMS and self.size + size <= MAX_BYTES:
            self.items.append(item)
            self.size += size

    @property
    def truncated(self) -> bool:
        return self.total > len(self.items)
