"""What Hypercorn 0.18 does per request and per write, done with less: each in a file of its own, with what it gained.

An operator can leave all of them out (`MCP_APP_SPEEDUPS`), and every test of a defect holds without them. Nothing here
may repair anything, or change what a client or an application sees; a speed-up that gains nothing is removed.
"""

from __future__ import annotations

from mcp_app.server.fixes.replacing import Fix
from mcp_app.server.fixes.speedups import (
    app_queue,
    first_piece,
    idle_clock,
    last_frame,
    lean_event,
    one_write,
    plain_request,
    response_head,
    round_robin,
)

__all__ = ["SPEEDUPS"]

SPEEDUPS: tuple[Fix, ...] = (
    one_write.SPEEDUP,
    idle_clock.SPEEDUP,
    app_queue.SPEEDUP,
    last_frame.SPEEDUP,
    first_piece.SPEEDUP,
    round_robin.SPEEDUP,
    lean_event.SPEEDUP,
    plain_request.SPEEDUP,
    response_head.SPEEDUP,
)
"""In the order of their application, after the fixes. Of those that wrap the same method, the later ones see its events
first."""
