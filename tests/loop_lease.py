"""A node whose lease is kept on the clock of the test's loop, so that leases take no time. Not a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcp_app.eventlog.shared import RENEW_SECONDS
from mcp_app.nodes.lease import Lease


def now() -> float:
    return asyncio.get_running_loop().time()


def keep_by_task(lease: Lease, on_lost: Callable[[], None]) -> Callable[[], None]:
    """A `Keeping`."""

    async def keep() -> None:
        seconds: float | None = RENEW_SECONDS
        while seconds is not None:
            await asyncio.sleep(seconds)
            seconds = lease.renew()
        on_lost()

    task = asyncio.create_task(keep(), name="keeps a lease")
    return lambda: None if task is asyncio.current_task() else (task.cancel(), None)[1]
