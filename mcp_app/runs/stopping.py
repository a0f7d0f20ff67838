"""Stops a function that works: cancels its task, and again where a cancellation was swallowed.

Why it is stopped, and what its run's last event is, is not known here.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .writer import Writer

STOP_GRACE = 5.0
"""Seconds that a cancelled function has for its cleanup before it is cancelled again."""

STOP_TRIES = 5
"""Times it is cancelled again, a second apart: `asyncio.wait_for` of Python 3.11 can swallow one."""


async def stop(task: asyncio.Task[Any], writer: Writer) -> bool:
    """Cancel the task until it is done, and let it write nothing more. Whether it is done in the end."""
    for seconds in (STOP_GRACE, *[1.0] * STOP_TRIES):
        if seconds != STOP_GRACE or not task.cancelling():  # else its loop ends: one cleanup, and time for it
            task.cancel()
        writer.refuse()
        done, _ = await asyncio.wait({task}, timeout=seconds)
        writer.release()
        if done:
            return True
    return False
