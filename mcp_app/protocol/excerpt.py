"""The first of what a run streamed, as much as one answer repeats: what did not fit is counted, not kept.

Nothing is known here of what is kept, or of the answer.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

MAX_ITEMS = 1000
"""Items of one answer: more is a download, which wants the stream."""

MAX_BYTES = 1024 * 1024
"""The same in bytes: the answer is held in memory as a whole, next to its parts."""


class Excerpt(Generic[T]):
    """`items` are the first that fitted, `size` their bytes together, `seen` how many there were."""

    __slots__ = ("items", "seen", "size")

    def __init__(self) -> None:
        self.items: list[T] = []
        self.size = 0
        self.seen = 0

    def add(self, item: T, size: int) -> None:
        """Keep the item of that many bytes if it fits. After one that did not none is kept: a list with holes would be
        read as whole."""
        whole = len(self.items) == self.seen
        self.seen += 1
        if whole and len(self.items) < MAX_ITEMS and self.size + size <= MAX_BYTES:
            self.items.append(item)
            self.size += size

    @property
    def truncated(self) -> bool:
        return self.seen > len(self.items)
