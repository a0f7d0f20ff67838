"""The graceful time holds on every Python: connections still open at its end are aborted.

Upstream, from Python 3.12 on, the server first waits without bound until every connection is closed, and only then
applies `graceful_timeout`: a process with one open stream does not exit until its client leaves. (Python 3.11 does not
wait there.) Needs the fix `draining`, which says when the stop begins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hypercorn.asyncio.tcp_server import TCPServer

from mcp_app.server.fixes import draining
from mcp_app.server.fixes.replacing import Fix, Replacement

Run = Callable[[TCPServer], Awaitable[None]]


def abort_when_over(old: Run) -> Run:
    """Each connection watches for the stop of its own server, and takes its watch back at its end."""

    async def run(self: TCPServer) -> None:
        def begin() -> None:
            self.loop.call_later(self.config.graceful_timeout, self.writer.transport.abort)

        unsubscribe = draining.of(self.context).subscribe(begin)
        try:
            await old(self)
        finally:
            unsubscribe()

    return run


FIX = Fix(
    name="graceful_timeout",
    defect="on Python 3.12 and later the process does not exit while a client keeps a stream open",
    upstream=("https://github.com/pgjones/hypercorn/issues/308", "https://github.com/pgjones/hypercorn/pull/374"),
    replacements=(
        Replacement(
            TCPServer, "run", "9437d01a916d887bd579db5d61ade2d76626a9619a448817242ed4766296ec23", abort_when_over
        ),
    ),
)
