"""How many of something are open at once, for each of many keys. Pure, and without a clock."""

from __future__ import annotations


class Counts:
    """At most `count` at once for each key. A key that has none is not kept."""

    __slots__ = ("_open", "count")

    def __init__(self, count: int) -> None:
        self.count = count
        self._open: dict[str, int] = {}

    def __len__(self) -> int:
        """Keys that have any."""
        return len(self._open)

    def enter(self, key: str) -> bool:
        """Begin one; False, and nothing begins, if as many are open as may be. Paired with `leave`."""
        open_now = self._open.get(key, 0)
        if open_now >= self.count:
            return False
        self._open[key] = open_now + 1
        return True

    def leave(self, key: str) -> None:
        """One is over."""
        open_now = self._open[key] - 1
        if open_now:
            self._open[key] = open_now
        else:
            del self._open[key]
