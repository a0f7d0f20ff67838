"""The JSON fallback: a complete run as one JSON object, for callers whose Accept does not allow an event stream.

It reads as fast as the tool writes and keeps the first events up to a limit: a tool that floods costs its window and
that limit. The representation is chosen in protocol/http/accept.py; the HTTP status of an error belongs to the error.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

from ..protocol import asking, errors, plain_events
from ..protocol.error_kind import ErrorKind
from ..protocol.errors import Interrupted, Purged
from ..protocol.event import Entry, Event, EventType, decode
from ..protocol.excerpt import Excerpt
from . import Batches


async def collect(
    batches: Batches,
    tool: str,
    run: str,
    url: Callable[[], str] = str,
    skip: Callable[[], Awaitable[int]] | None = None,
) -> tuple[int, bytes]:
    """Read the run, which is at `url()`, to its end, and return the HTTP status and the JSON object.

    `skip` has the batches go on behind events that are no longer kept, and returns how many there were from the run's
    start: then the object has the end, and how many events there were. Raises what the reader raises (UnknownRun, and
    Purged where nothing can be skipped), and Interrupted where this process has lost the run.
    """
    progress: Excerpt[Event] = Excerpt()
    end: Event | None = None
    while True:
        try:
            batch = await batches.next(math.inf)
        except Purged:
            if skip is None:
                raise
            progress = Excerpt()
            progress.total = await skip() - 1  # `started` is no progress
            continue
        if batch is None:
            break
        for entry in batch:
            if not isinstance(entry, Entry):
                continue
            event = entry.event
            if event.last:
                end = plain_events.addressed(event, url)
            elif event.type is not EventType.STARTED:
                if event.type is EventType.RESTARTED:  # what was said before is said again
                    progress = Excerpt()
                progress.add(plain_events.addressed(event, url), event.size)
    if end is None:
        # A stream ends without a last event also when the run outlives the cap, but such runs are never collected.
        raise Interrupted(f"The process that worked on run {run} has lost it.")
    status = 200 if end.type is EventType.COMPLETE else _status(end)
    more: dict[str, Any] = {"truncated": True, "items": progress.total} if progress.truncated else {}
    return status, plain_events.json_answer(tool, end, progress.items, {"run": run, **more})


def _status(end: Event) -> int:
    """The status of the error's code; 500 for one of the author's own, which may be that of an end from outside."""
    statuses = _ENDED if end.error_kind is ErrorKind.SERVER else _ASKED
    return statuses.get(decode(end.data)["code"], errors.ToolError.status)


_ENDED = {error.code: error.status for error in errors.RunError.__subclasses__()}
_ASKED = {
    error.code: error.status
    for error in (asking.Declined, asking.MissingCapability, asking.NoAnswer, errors.InsufficientScope)
}
