"""Coming back, with a Last-Event-ID, a key or an id: the run that is meant, and the answer when there is none.

A Last-Event-ID never starts a run. How the rest of a run is answered is not decided here.
"""

from __future__ import annotations

from contextlib import suppress

from ...authoring.tool import Tool
from ...protocol import plain_events
from ...protocol.errors import InvalidRequest, McpAppError, RunConflict, UnknownRun
from ...protocol.event_id import HINT, NOWHERE, EventId
from ...protocol.http import sse
from ...runs import FoundRun, Run, Runs
from ...web.messages import STREAM_HEADERS, Answer


async def resumed(runs: Runs, event: EventId, principal: str, tool: Tool | None = None) -> FoundRun | None:
    """The principal's run to go on with after `event`; None when nothing is left of it.

    Raises UnknownRun, RunConflict for a run of another tool, InvalidRequest for a number that does not exist yet.
    """
    if event.last:
        return None
    try:
        run = await runs.find(event.run, principal)
    except UnknownRun:
        raise lost() from None
    if tool is not None and run.callee is not tool:
        raise RunConflict("Last-Event-ID is of a run of another tool.")
    if event.number > run.events and isinstance(run, Run):  # what a shared log has lost is `purged` where it is read
        raise InvalidRequest(f"Last-Event-ID is {event.number}; this run has had {run.events} events.", hint=HINT)
    return None if run.over and event.number == run.events else run


def run_named(runs: Runs, principal: str, name: str) -> str | None:
    """The id of the principal's run that was started here with this key, or that has this id; None for none."""
    run = runs.known.own_by_key(name, principal) or runs.known.own(name, principal)
    return None if run is None else run.id


async def run_named_anywhere(runs: Runs, principal: str, name: str) -> str | None:
    """As `run_named`, wherever it is worked on. Raises LogUnavailable."""
    run = await runs.find_by_key(name, principal, None, {})
    if run is None:
        with suppress(UnknownRun):
            run = await runs.find(name, principal)
    return None if run is None else run.id


def check_same(run: FoundRun, by_key: FoundRun | None) -> None:
    """Raises UnknownRun if the client's key does not find the run of its Last-Event-ID."""
    if by_key is None or by_key.id != run.id:
        raise lost()


def lost() -> UnknownRun:
    """The error for a client that comes back to a run that is not there."""
    return UnknownRun(
        "The run of this Last-Event-ID is not known: it ended when its caller left, the server was restarted, "
        "or it is no longer kept.",
        hint="Start it again without Last-Event-ID.",
    )


def ended_by(error: McpAppError, event: EventId | None) -> Answer:
    """A stream of one event, the error, for a client that takes it for the rest of its run.

    Only this ends them all. To EventSource and eventsource-client a status other than 200 says nothing, the second and
    @microsoft/fetch-event-source ask again after it; EventSource, eventsource-client and requests-sse also come back
    after a stream that has ended, but with its last id: and the answer to that is 204.
    """
    return Answer(200, STREAM_HEADERS, sse.OPEN + plain_events.error_frame(error, event or NOWHERE))
