"""The last event of a run: its result, what it asks before it can go on, or why there is neither.

Nothing is appended here, and how a run came to its end is not known.
"""

from __future__ import annotations

from ..asking import InputRequired
from ..protocol.beside import NAME
from ..protocol.errors import McpAppError
from ..protocol.event import Event, EventType, Shape, encode
from .execution import Outcome

_VALUE = Shape.VALUE  # looked up once: an enum's attribute access is slow
_BESIDE = b',"%b":' % NAME.encode()


def last_event(end: Outcome | InputRequired | McpAppError, number: int, milliseconds: int) -> Event:
    """The event, which is the run's `number`th, so many milliseconds after its start."""
    metadata = b'"duration_ms":%d,"events":%d' % (milliseconds, number)
    if isinstance(end, Outcome):
        data, content, beside = end.result
        shape = _VALUE
        if end.linked is not None:
            metadata, shape = metadata + b',"content":true,"linked":true', end.linked
        elif end.items is not None:
            metadata, shape = b'%b,"items":%d' % (metadata, end.items), Shape.PARTS
        elif content:
            metadata, shape = metadata + b',"content":true', Shape.CONTENT
        if beside:
            return Event(EventType.COMPLETE, data, b"{%b%b%b}" % (metadata, _BESIDE, beside), shape, beside=True)
        return Event(EventType.COMPLETE, data, b"{%b}" % metadata, shape)
    if isinstance(end, McpAppError):
        return Event(EventType.ERROR, encode(end.object()), b"{%b}" % metadata, error_kind=end.error_kind)
    required = {"inputRequests": end.requests, "state": end.state}
    return Event(EventType.INPUT_REQUIRED, encode(required), b"{%b}" % metadata)
