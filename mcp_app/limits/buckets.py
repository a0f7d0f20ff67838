"""Token buckets: how often something may happen, for each of many keys.

Pure: the clock is an argument. A bucket is one number, the time at which it is full again (the generic cell rate
algorithm, ITU-T I.371): nothing has to be filled, and a bucket that is full is not kept.
"""

from __future__ import annotations

import math
from itertools import islice

MAX_KEYS = 65_536
"""Buckets that are not full: some 8 MiB. With more callers than that the first half of them begins anew, so that no
number of addresses takes the memory."""


class Buckets:
    """`count` tokens for each key, of which all come back within `seconds`, one by one."""

    __slots__ = ("_full_at", "_interval", "_sweep_at", "_tolerance", "count", "seconds")

    def __init__(self, count: int, seconds: float) -> None:
        self.count, self.seconds = count, seconds
        self._interval = seconds / count
        self._tolerance = seconds - self._interval * 0.999  # not all of a token: sums of floats are not exact
        self._full_at: dict[str, float] = {}
        self._sweep_at = 1024

    def __len__(self) -> int:
        """Buckets that are kept."""
        return len(self._full_at)

    def take(self, key: str, now: float) -> bool:
        """Take one token; False, and nothing is taken, if there is none."""
        full_at = self._full_at.get(key)
        if full_at is None or full_at < now:
            if full_at is None and len(self._full_at) >= self._sweep_at:
                self._sweep(now)
            self._full_at[key] = now + self._interval
            return True
        if full_at - now > self._tolerance:
            return False
        self._full_at[key] = full_at + self._interval
        return True

    def give_back(self, key: str) -> None:
        """What was taken last was not used."""
        self._full_at[key] -= self._interval

    def left(self, key: str, now: float) -> int:
        """Tokens that there are now."""
        missing = max(0.0, self._full_at.get(key, now) - now) / self._interval
        return max(0, self.count - math.ceil(missing - 0.001))

    def wait(self, key: str, now: float) -> float:
        """Seconds until there is a token."""
        return max(0.0, self._full_at.get(key, now) - now - self._tolerance)

    def _sweep(self, now: float) -> None:
        """Forget the buckets that are full, and the oldest ones beyond half of MAX_KEYS: the next sweep is so many new
        keys later, however many callers there are."""
        kept = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        if (excess := len(kept) - MAX_KEYS // 2) > 0:
            kept = dict(islice(kept.items(), excess, None))
        self._full_at = kept
        self._sweep_at = max(1024, 2 * len(kept))
