"""When a worker that has ended is started again, and whether it is to be. Pure: the clock is an argument."""

from __future__ import annotations

STABLE_SECONDS = 10.0
"""A worker that was ready for this long is started again at once: what ended it does not end the next."""

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
"""Delays before one that ended sooner, doubled each time: a start is a second of a processor, which those that serve
need; and half a minute is as long as an operator who has mended it waits."""

GIVE_UP = 5
"""Ends in a row, of every worker, after which the server gives up: 8 s of delays."""


class Backoff:
    """The ends of the processes of one worker."""

    def __init__(self) -> None:
        self.failures = 0
        """Ends in a row, none of which came after STABLE_SECONDS."""

    def delay(self, ready_seconds: float | None) -> float:
        """One has ended, after it was ready for so many seconds, or None if it never was. Seconds until the next."""
        if ready_seconds is not None and ready_seconds >= STABLE_SECONDS:
            self.failures = 0
            return 0.0
        self.failures += 1
        return float(min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (self.failures - 1)))

    def forget(self) -> None:
        """What ended them may be mended."""
        self.failures = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether it has failed so often that the server gives up, if no other worker serves."""
        return self.failures >= GIVE_UP
