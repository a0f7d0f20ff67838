"""What one request's client was told of its run, in all of its streams: how far, and what the response repeats.

It belongs to the run, and is weighed with it. How messages look is in notifications.py and results.py.
"""

from __future__ import annotations

from ..event import Entry, Event, EventType
from ..excerpt import Excerpt
from .asked import Asked
from .notifications import Notifications
from .results import response

_PARTIAL = EventType.PARTIAL  # looked up once: an enum's metaclass does it, slowly


class Transcript(Notifications):
    """Grows entry by entry; each counts once, however many readers come for it."""

    __slots__ = ("_parts", "counted", "holder")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._progress = None
        self.counted = 0
        """The number of the last entry that is in it."""
        self.holder: object = None
        """The token of whoever gives its messages out now: each goes to one stream only."""
        self._parts: Excerpt[Event] | None = None  # made for the first: most runs stream none

    @property
    def size(self) -> int:
        """Bytes of what is kept for the response."""
        return 0 if self._parts is None else self._parts.size

    def hand_over(self) -> object:
        """The token of a new holder; whoever held it before is over."""
        self.holder = object()
        return self.holder

    def add(self, entry: Entry) -> bytes | None:
        """Count the entry; its notification, if the client asked for its kind."""
        self.keep(entry)
        return self.notification(entry.event)

    def keep(self, entry: Entry) -> None:
        """Count an entry that nobody is told of."""
        self.counted = entry.number
        event = entry.event
        if event.type is _PARTIAL:
            if self._parts is None:
                self._parts = Excerpt()
            self._parts.add(event, event.size)

    def response(self, event: Event) -> bytes:
        """The run's last event as the response to the request."""
        return response(self.asked, event, self._parts)
