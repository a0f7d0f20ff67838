"""How far a tool may be ahead of the reader it waits for: pure arithmetic on entry numbers and byte offsets.

Nobody waits here, and no entry is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..protocol.event import Event
from ..protocol.policy import WINDOW_BYTES, WINDOW_ENTRIES


class Window:
    """What was appended, and how much of it the reader has taken, in entries and in bytes."""

    __slots__ = ("appended", "appended_bytes", "taken", "taken_bytes")

    def __init__(self) -> None:
        self.appended = 0
        self.appended_bytes = 0
        self.taken = 0
        self.taken_bytes = 0

    def append(self, number: int, end: int) -> None:
        """All up to and with that entry is in the log; a reader may have been quicker to see it."""
        self.appended, self.appended_bytes = number, end
        if self.taken >= number:
            self.taken_bytes = end

    def take(self, number: int, end: int) -> None:
        """The reader has taken all up to and with that entry, whose `Entry.end` is `end`.

        A reader that came back knows its number, and its offset only with the next entry: there is none to come when
        it has them all.
        """
        self.taken = number
        self.taken_bytes = self.appended_bytes if number >= self.appended else end

    def fitting(self, events: Sequence[Event]) -> int:
        """How many of the events may be appended now. The one that fills the window is among them."""
        entries = WINDOW_ENTRIES - (self.appended - self.taken)
        room = WINDOW_BYTES - (self.appended_bytes - self.taken_bytes)
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
