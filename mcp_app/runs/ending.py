"""The last event of a run: its result, what it asks before it can go on, or why there is neither.

Nothing is appended here, and how a run came to its end is not known.
"""

from __future__ import annotations

from typing import Any

from ..asks import InputRequired
from ..kinds import Outcome
from ..protocol.errors import McpAppError
from ..protocol.event import Event, EventType, encode


def last_event(end: Outcome | InputRequired | McpAppError, number: int, milliseconds: int) -> Event:
    """The event, which is the run's `number`th, so many milliseconds after its start."""
    said: dict[str, Any] = {"duration_ms": milliseconds, "events": number}
    if isinstance(end, McpAppError):
        return Event(EventType.ERROR, encode(end.object()), encode(said))
    if isinstance(end, InputRequired):
        required = {"inputRequests": end.requests, "state": end.state}
        return Event(EventType.INPUT_REQUIRED, encode(required), encode(said))
    if end.items is not None:
        said["items"] = end.items
    if end.content:
        said["content"] = True
    return Event(EventType.COMPLETE, end.data, encode(said))
