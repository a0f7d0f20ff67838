"""The same limits over several processes: each holds the rules against what all have taken, as far as it was told.

What was taken is told each second and not asked for at each request, which costs a request nothing: within such a
second callers may get more than a rule allows, by what the other processes let in. How they are told is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..config.limits import Rule
from .buckets import MAX_KEYS, Buckets
from .charges import Charges
from .counts import Counts

SHARE = 50
"""Less than a fiftieth of a rule is not told: most callers take so little that no rule asks for it."""

HEARD_SECONDS = 15.0
"""After which a process that says nothing has nothing open any more."""

Told = Mapping[str, Mapping[str, Mapping[str, int]]]
"""`taken` since the last time, and `open` now: by the names of rules, then by key."""


class SharedBuckets(Buckets):
    """Buckets that know what was taken from them here since it was told."""

    __slots__ = ("_taken",)

    def __init__(self, count: int, seconds: float) -> None:
        super().__init__(count, seconds)
        self._taken: dict[str, int] = {}

    def take(self, key: str, now: float) -> bool:
        if not super().take(key, now):
            return False
        self._taken[key] = self._taken.get(key, 0) + 1
        return True

    def give_back(self, key: str) -> None:
        super().give_back(key)
        self._taken[key] = self._taken.get(key, 1) - 1

    def tell(self) -> dict[str, int]:
        """What was taken since the last time, of the keys that took enough."""
        least = max(1, self.count // SHARE)
        told = {key: taken for key, taken in self._taken.items() if taken >= least}
        self._taken = {} if len(self._taken) > MAX_KEYS else {k: n for k, n in self._taken.items() if 0 < n < least}
        return told

    def taken_elsewhere(self, key: str, count: int, now: float) -> None:
        """Another process has given out so many tokens; a bucket is at most empty by it."""
        full_at = max(self._full_at.get(key, now), now) + count * self._interval
        self._full_at[key] = min(full_at, now + self.seconds)


class SharedCounts(Counts):
    """Counts that know what is open elsewhere."""

    __slots__ = ("elsewhere",)

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.elsewhere: dict[str, Mapping[str, int]] = {}
        """By process, what each key has open there."""

    def enter(self, key: str) -> bool:
        others = sum(each.get(key, 0) for each in self.elsewhere.values())
        if self._open.get(key, 0) + others >= self.count:
            return False
        return super().enter(key)

    def tell(self) -> dict[str, int]:
        """What is open here, of the keys that have enough."""
        least = max(1, self.count // SHARE)
        return {key: count for key, count in self._open.items() if count >= least}


class SharedCharges(Charges):
    """Charges of one process among others."""

    def __init__(self, rules: Iterable[Rule], clock: Callable[[], float], **more: Any) -> None:
        self._buckets: dict[str, SharedBuckets] = {}
        self._counts: dict[str, SharedCounts] = {}
        self._heard: dict[str, float] = {}
        super().__init__(rules, clock, **more)

    def _make_buckets(self, rule: Rule, seconds: float) -> Buckets:
        made = self._buckets[rule.name] = SharedBuckets(rule.most, seconds)
        return made

    def _make_counts(self, rule: Rule) -> Counts:
        made = self._counts[rule.name] = SharedCounts(rule.most)
        return made

    def tell(self) -> dict[str, dict[str, dict[str, int]]]:
        """What the others are to hear."""
        now = self._clock()
        for process in [each for each, at in self._heard.items() if at <= now - HEARD_SECONDS]:
            del self._heard[process]
            for counts in self._counts.values():
                counts.elsewhere.pop(process, None)
        return {
            "taken": {name: told for name, each in self._buckets.items() if (told := each.tell())},
            "open": {name: told for name, each in self._counts.items() if (told := each.tell())},
        }

    def hear(self, process: str, told: Told) -> None:
        """What another process has told. Rules that are not this one's are left out."""
        now = self._heard[process] = self._clock()
        for name, taken in told["taken"].items():
            if (buckets := self._buckets.get(name)) is not None:
                for key, count in taken.items():
                    buckets.taken_elsewhere(key, count, now)
        for name, counts in self._counts.items():
            counts.elsewhere[process] = told["open"].get(name, {})
