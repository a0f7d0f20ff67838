"""Ending tasks of a request so that none is left: cancelled until they have ended. Whose they are is not known here."""

from __future__ import annotations

import asyncio
import logging

logger = logging.getLogger("mcp_app.connection")

CANCEL_SECONDS = 0.1
"""How long a cancelled task has before it is cancelled again: `asyncio.wait_for` of Python 3.11 loses a cancel that
arrives together with a result, and Quart waits with it for the body and for the response."""

CANCEL_TRIES = 100
"""Ten seconds of trying: what still runs then is a defect, and is logged rather than waited for without end."""


async def end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel until all are done, also when we are cancelled meanwhile: that is passed on at the end."""
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
