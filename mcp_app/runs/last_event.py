"""The last event of a run: its result, what it asks before it can go on, or why there is neither.

Nothing is appended here, and how a run came to its end is not known.
"""

from __future__ import annotations

from ..asking import InputRequired
from ..protocol.errors import McpAppError
from ..protocol.event import Event, EventType, encode
from .execution import Outcome


def last_event(end: Outcome | InputRequired | McpAppError, number: int, milliseconds: int) -> Event:
    """The event, which is the run's `number`th, so many milliseconds after its start."""
    metadata = b'"duration_ms":%d,"events":%d' % (milliseconds, number)
    if isinstance(end, Outcome):
        items = b"" if end.items is None else b',"items":%d' % end.items
        content = b',"content":true' if end.result.content else b""
        return Event(EventType.COMPLETE, end.result.data, b"{%b%b%b}" % (metadata, items, content))
    if isinstance(end, McpAppError):
        return Event(EventType.ERROR, encode(end.object()), b"{%b}" % metadata)
    required = {"inputRequests": end.requests, "state": end.state}
    return Event(EventType.INPUT_REQUIRED, encode(required), b"{%b}" % metadata)
