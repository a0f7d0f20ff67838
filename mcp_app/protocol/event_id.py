"""The ids of a run's events in the plain dialect: `<run>/<number>`, and `<run>/0<number>` where nothing follows.

So the id alone says that a client has read to the end, also to a server that has forgotten the run or was restarted.
No run is looked up here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .errors import InvalidRequest

HINT = "Send back the id of the last event as it came."

_ID = re.compile(r"([0-9a-f]{32})/(0(?=.))?(0(?<=00)|[1-9][0-9]{0,14})", re.ASCII)


class EventId(NamedTuple):
    """`number` counts the run's events from 1; `last` says that its reader is not to come back."""

    run: str
    number: int
    last: bool = False

    def __str__(self) -> str:
        return f"{self.run}/{'0' if self.last else ''}{self.number}"


NOWHERE = EventId("0" * 32, 0, last=True)
"""The end of a stream that belongs to no run."""


def parse_event_id(value: str) -> EventId:
    """Parse a Last-Event-ID. Raises InvalidRequest when the format is not ours."""
    match = _ID.fullmatch(value)
    if match is None:
        raise InvalidRequest("Last-Event-ID is not an id of this server.", hint=HINT)
    return EventId(match[1], int(match[3]), match[2] is not None)
