"""A server that is replaced while others accept at its addresses: it finishes what it has begun, and fails no request.

It accepts no more connections, answers what still comes on those it has, and has their peers open others. The shutdown
follows (`worker`), which ends what has taken longer. Who replaces it, and when, is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from .accepting import AcceptingSocket
from .context import ServerContext

IDLE_SECONDS = 5.0
"""How long a connection over HTTP/1.1 stays open without a request: a client that keeps it may be about to send one,
which would fail if it were closed in that moment. By then most have sent one, and were told."""

BUSY_SHARE = 0.5
"""Of the time that there is: after it who still sends requests over HTTP/2, and never has none, is told to go on
elsewhere. What it has asked by then has the other half."""

LOOK_SECONDS = 0.2
"""Between two looks at whether something is still being answered."""


async def hand_over(context: ServerContext, listeners: Sequence[AcceptingSocket], seconds: float) -> None:
    """Return when nothing is being answered any more, IDLE_SECONDS from now at the earliest, `seconds` at the
    latest."""
    for listener in listeners:
        listener.stop_accepting()
    context.retire()
    busy = asyncio.get_running_loop().call_later(seconds * BUSY_SHARE, context.retire_busy)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.sleep(IDLE_SECONDS)
            while any(listener.is_opening for listener in listeners) or _is_answering(context):  # noqa: ASYNC110 - no request is to pay for telling
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        pass
    finally:
        busy.cancel()


def _is_answering(context: ServerContext) -> bool:
    return any(not connection.is_idle for connection in context.connections)
