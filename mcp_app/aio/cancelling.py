"""Cancels the tasks of a request until all of them have ended. This module does not know what the tasks do."""

from __future__ import annotations

import asyncio
import logging

logger = logging.getLogger("mcp_app.connection")

CANCEL_SECONDS = 0.1
"""Seconds after which a task that is still running is cancelled again: `asyncio.wait_for` of Python 3.11 loses a
cancellation that arrives together with a result, and Quart awaits the body and the response with it."""

CANCEL_TRIES = 100
"""Ten seconds of retries: a task that still runs after them is a defect, and is logged rather than awaited forever."""


async def end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel `tasks` until all are done. A cancellation of the caller meanwhile is re-raised at the end."""
    cancelled: asyncio.CancelledError | None = None
    for _ in range(CANCEL_TRIES):
        pending = {task for task in tasks if not task.done()}
        if not pending:
            break
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=CANCEL_SECONDS)
        except asyncio.CancelledError as error:
            cancelled = error
    else:
        logger.error("a request's task does not end when it is cancelled: %s", [t for t in tasks if not t.done()])
    if cancelled is not None:
        raise cancelled
