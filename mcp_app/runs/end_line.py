"""The line of the log that says how a run ended, and for whom it ran. Nothing is decided here.

The id of a run stands in it cut short, as whoever has the whole may read and cancel the run.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar

ID_CHARACTERS = 8
"""Of an id in the log: enough to find a run among the 4 billion of which two share it, and too few to act on it."""

logger = logging.getLogger("mcp_app.runs")


Origin = tuple[str, str]
"""Where the request came from that started a run: its peer's address, and its version of HTTP, empty if it did not come
over HTTP."""

ORIGIN: ContextVar[Origin] = ContextVar("mcp_app.origin", default=("-", "-"))
"""Of the request that the current task answers. For the log alone: no decision may depend on it."""


def log_end(
    tool: str,
    outcome: str,
    seconds: float,
    events: int,
    run: str,
    origin: Origin,
    error_id: str | None,
    trace_id: str | None,
    step: str | None = None,
) -> None:
    """Log the end of a run, or of a step of one: a tool that another one called."""
    if not logger.isEnabledFor(logging.INFO):
        return
    peer, http_version = origin
    run = run[:ID_CHARACTERS]
    way = f"HTTP/{http_version} {peer}" if http_version else peer
    line = f"{tool} {outcome} {seconds:.3f} s {events} events run={run} {way}"
    if step is not None:
        line = f"{line} step={step}"
    if error_id is not None:
        line = f"{line} error_id={error_id}"
    if trace_id is not None:
        line = f"{line} [trace_id {trace_id}]"
    fields = {
        "tool": tool,
        "outcome": outcome,
        "seconds": seconds,
        "events": events,
        "run": run,
        "http": http_version or None,
        "peer": peer,
        "error_id": error_id,
        "trace_id": trace_id,
    }
    if step is not None:
        fields["step"] = step
    logger.info(line, extra={"fields": fields})
