"""The last event of a run: its result, what it asks before it can go on, or why there is neither.

Nothing is appended here, and how a run came to its end is not known.
"""

from __future__ import annotations

from ..asking import InputRequired
from ..protocol.errors import McpAppError
from ..protocol.event import Event, EventType, Shape, encode
from .execution import Outcome


def last_event(end: Outcome | InputRequired | McpAppError, number: int, milliseconds: int) -> Event:
    """The event, which is the run's `number`th, so many milliseconds after its start."""
    metadata = b'"duration_ms":%d,"events":%d' % (milliseconds, number)
    if isinstance(end, Outcome):
        data, content = end.result
        if end.linked is not None:
            return Event(EventType.COMPLETE, data, b'{%b,"content":true,"linked":true}' % metadata, end.linked)
        if end.items is not None:
            return Event(EventType.COMPLETE, data, b'{%b,"items":%d}' % (metadata, end.items), Shape.PARTS)
        if content:
            return Event(EventType.COMPLETE, data, b'{%b,"content":true}' % metadata, Shape.CONTENT)
        return Event(EventType.COMPLETE, data, b"{%b}" % metadata)
    if isinstance(end, McpAppError):
        return Event(EventType.ERROR, encode(end.object()), b"{%b}" % metadata, error_kind=end.error_kind)
    required = {"inputRequests": end.requests, "state": end.state}
    return Event(EventType.INPUT_REQUIRED, encode(required), b"{%b}" % metadata)
