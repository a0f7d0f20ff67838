"""The back-pressure window: how far a tool may be ahead of its reader, in entries and bytes.

Pure arithmetic on entry numbers and byte offsets. Nothing waits here, and no entry is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol.event import Event
from ..protocol.policy import WINDOW_BYTES, WINDOW_ENTRIES


class Window:
    """What was appended, and how much of it the reader acknowledged, in entries and in bytes."""

    __slots__ = ("acknowledged", "acknowledged_bytes", "appended", "appended_bytes", "entries")

    def __init__(self) -> None:
        self.appended = 0
        self.appended_bytes = 0
        self.acknowledged = 0
        self.acknowledged_bytes = 0
        self.entries = WINDOW_ENTRIES

    def narrow(self, narrow: bool) -> None:
        """While it is narrow, one entry fills it: a tool waits until its reader has acknowledged everything."""
        self.entries = 1 if narrow else WINDOW_ENTRIES

    def append(self, number: int, end: int) -> None:
        """All entries up to and including this one are in the log; the reader may have acknowledged it already."""
        self.appended, self.appended_bytes = number, end
        if self.acknowledged >= number:
            self.acknowledged_bytes = end

    def acknowledge(self, number: int, end: int) -> None:
        """The reader has written all entries up to and including this one, whose `Entry.end` is `end`.

        A reader that resumes knows the entry's number, and its offset only from the next entry on. When it has read
        them all there is no next entry, and the offset is that of the last one appended.
        """
        self.acknowledged = number
        self.acknowledged_bytes = self.appended_bytes if number >= self.appended else end

    def fitting(self, events: Sequence[Event]) -> int:
        """How many of the events may be appended now, including the one that fills the window."""
        entries = self.entries - (self.appended - self.acknowledged)
        room = WINDOW_BYTES - (self.appended_bytes - self.acknowledged_bytes)
        if entries <= 0 or room <= 0:
            return 0
        if len(events) == 1:
            return 1
        count = 0
        for event in events:
            if count >= entries or room <= 0:
                break
            room -= event.size
            count += 1
        return count
