"""The state of one request over all of its streams: what has been sent, and the parts that the response repeats.

It is kept as long as the run, and counts towards the run's size. Messages are rendered in notifications.py and
results.py.
"""

from __future__ import annotations

from ..event import Entry, Event, EventType
from ..excerpt import Excerpt
from .notifications import Notifications
from .request_info import RequestInfo
from .results import response

_PARTIAL = EventType.PARTIAL  # looked up once: an enum's attribute access is slow


class Transcript(Notifications):
    """Updated entry by entry; each entry is recorded once, even if several readers receive it."""

    __slots__ = ("_parts", "last_number", "owner")

    def __init__(self, info: RequestInfo) -> None:
        self.info = info
        self._progress = None
        self.last_number = 0
        """The number of the last recorded entry."""
        self.owner: object = None
        """The token of the stream that sends the messages now: each message is sent on one stream only."""
        self._parts: Excerpt[Event] | None = None  # created for the first part: most runs stream none

    @property
    def size(self) -> int:
        """The bytes that are kept for the response."""
        return 0 if self._parts is None else self._parts.size

    def acquire(self) -> object:
        """Make the caller the owner and return its token; the previous owner must send no more."""
        self.owner = object()
        return self.owner

    def mute(self) -> None:
        """Send nothing but the response."""
        self.info = self.info._replace(progress_token=None, level=None)

    def add(self, entry: Entry) -> bytes | None:
        """Record the entry. Returns its notification, or None if the client did not request its kind."""
        self.record(entry)
        return self.notification(entry.event)

    def record(self, entry: Entry) -> None:
        """Record an entry without a notification."""
        self.last_number = entry.number
        event = entry.event
        if event.type is _PARTIAL:
            if self._parts is None:
                self._parts = Excerpt()
            self._parts.add(event, event.size)
        elif event.type is EventType.RESTARTED:  # the parts before are no part of the result
            self._parts = None

    def miss_parts(self) -> None:
        """Parts were sent that are not kept anywhere: the response says that it is not all."""
        self._parts = Excerpt()
        self._parts.total += 1

    def response(self, event: Event) -> bytes:
        """The run's last event as the response to the request."""
        return response(self.info, event, self._parts)

    def short_response(self, event: Event) -> bytes:
        """The same, for an event of a stream, where it has more than MAX_MESSAGE_BYTES."""
        return response(self.info, event, self._parts, short=True)
