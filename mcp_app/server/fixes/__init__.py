"""Hypercorn 0.18's defects that cost streams, each with its remedy in a file of its own, and their installation.

`install()` puts them in place for the whole process, before or after servers were started, once; with them, unless they
are left out, the `speedups`. A fix never touches source it was not written for. Nothing here may change what an
application says or hears on a connection that behaves.
"""

from __future__ import annotations

import logging
from typing import Literal

from mcp_app.server.fixes import (
    backpressure,
    dead_app,
    draining,
    early_answer,
    ending_connection,
    graceful_timeout,
    idle_timer,
    late_data,
    late_request,
    malformed_request,
    paused_reader,
    rapid_reset,
    stalled_peer,
    too_many_streams,
)
from mcp_app.server.fixes.draining import on_draining
from mcp_app.server.fixes.replacing import Fix, FixMismatch, explain, forget_sources, put_back
from mcp_app.server.fixes.speedups import SPEEDUPS

__all__ = ["FIXES", "SPEEDUPS", "Fix", "FixMismatch", "install", "on_draining", "uninstall"]

FIXES: tuple[Fix, ...] = (
    backpressure.FIX,
    late_data.FIX,
    dead_app.FIX,
    too_many_streams.FIX,
    malformed_request.FIX,
    late_request.FIX,
    rapid_reset.FIX,
    early_answer.FIX,
    paused_reader.FIX,
    stalled_peer.FIX,
    idle_timer.FIX,
    ending_connection.FIX,
    draining.FIX,
    graceful_timeout.FIX,
)
"""In the order of their application. Of those that wrap the same method, the later ones see its events first."""

log = logging.getLogger("mcp_app.server")

_installed = False


def install(mode: Literal["strict", "warn"] = "strict", *, speedups: bool = True) -> None:
    """Put every fix in place, and the speed-ups if they are wanted, once per process; further calls do nothing.

    Where Hypercorn's source is not what a fix was written for, 'strict' raises `FixMismatch` and changes nothing;
    'warn' logs what stays unfixed and leaves that one fix out: a fix on unknown source could do more harm than the
    defect. A speed-up that does not fit is left out and logged in either mode: nothing depends on it.
    """
    global _installed
    if _installed:
        return
    mismatches = [(fix, fix.mismatch()) for fix in (*FIXES, *(SPEEDUPS if speedups else ()))]
    for fix, path in mismatches:
        if path is None:
            continue
        if mode == "strict" and fix in FIXES:
            raise FixMismatch(explain(fix, path))
        log.warning("not applied: %s", explain(fix, path))
    for fix, path in mismatches:
        if path is None:
            fix.apply()
    forget_sources()
    _installed = True


def uninstall() -> None:
    """Put Hypercorn's own methods back, for whoever wants to see a defect."""
    global _installed
    put_back()
    _installed = False
