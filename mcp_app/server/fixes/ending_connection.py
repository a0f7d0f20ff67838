"""A connection that ends in the middle of its work ends alone and quietly.

Upstream, two things go wrong then. A stream that ends while its connection is being ended asks for a new idle timer,
which a task group that is shutting down refuses ("TaskGroup is shutting down", with a traceback for the operator). And
an error in one connection, if it ends after the process was asked to stop, becomes the error of the whole server: the
exit status is 1. Here no timer is wanted any more, and a connection's error is logged and stays its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import AsyncioSingleTask

from mcp_app.server.fixes.replacing import Fix, Replacement

Action = Callable[[], Coroutine[Any, Any, None]]
Restart = Callable[[AsyncioSingleTask, TaskGroup, Action], Awaitable[None]]
Run = Callable[[TCPServer], Awaitable[None]]

log = logging.getLogger("mcp_app.server")


def no_timer_at_the_end(old: Restart) -> Restart:
    """As upstream, but a task group that takes no more tasks is no error."""

    async def restart(self: AsyncioSingleTask, task_group: TaskGroup, action: Action) -> None:
        await self.stop()
        async with self._lock:
            timer = action()
            try:
                self._handle = task_group._task_group.create_task(timer)
            except RuntimeError:
                timer.close()

    return restart


def keep_errors(old: Run) -> Run:
    """Log what upstream lets escape. Cancelled means that the graceful time is over, and this is the end of the task:
    asyncio 3.11 reports a connection that ends as cancelled with a traceback."""

    async def run(self: TCPServer) -> None:
        try:
            await old(self)
        except asyncio.CancelledError:
            self.writer.transport.abort()
        except Exception:
            log.exception("a connection was ended by an error in the server")
            self.writer.transport.abort()

    return run


FIX = Fix(
    name="ending_connection",
    defect="one connection that fails while the process stops makes its exit status 1, with a traceback",
    upstream=("https://github.com/pgjones/hypercorn/issues/265",),
    replacements=(
        Replacement(
            AsyncioSingleTask,
            "restart",
            "6dec09bf4f83cb90598fc85340e6ce9ccbe7a6aa70689d7bddef03438d2e2463",
            no_timer_at_the_end,
        ),
        Replacement(TCPServer, "run", "9437d01a916d887bd579db5d61ade2d76626a9619a448817242ed4766296ec23", keep_errors),
    ),
)
