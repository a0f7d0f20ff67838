"""What a log that several processes share tells its owner, and who starts it: nothing of it reaches a caller."""

from __future__ import annotations


class Fenced(Exception):
    """Another node owns what this one wanted to change. It never reaches a caller."""


class Gap(Exception):
    """The log ends at number `last`, before what was to be appended: a failover has lost what came between, and its
    owner appends that first. It never reaches a caller."""

    def __init__(self, last: int) -> None:
        super().__init__(f"the log of this run ends at number {last}")
        self.last = last


class LogRefused(Exception):
    """The event log that is configured cannot be used: the message says why, and what to do."""
