"""The last resort of a process that was asked to stop: a thread that ends it when nothing else has.

Python cannot stop a coroutine that swallows its cancellation, nor a thread; without this such a tool keeps the process,
its memory and its port until somebody kills it. Nothing here may stop anything in an orderly way: that has been tried.
"""

from __future__ import annotations

import os
import sys
import threading
import time

from hypercorn.config import Config

from mcp_app.server.engine.draining import READY_SECONDS

FAILED = 1
"""The exit status: something did not stop, and whoever looks after the process should know."""

MARGIN_SECONDS = 5.0
"""For closing loops and files after the bounded steps, on a machine that is busy."""

REFUSAL_SECONDS = 2.0
"""For the tasks that are left when everything else has ended: all of it stays below the 10 s of `docker stop`."""


def bound(config: Config) -> float:
    """Seconds an orderly stop can take: the last events, streams (twice: told to end, then cancelled), the application,
    the rest."""
    return READY_SECONDS + 2 * config.graceful_timeout + config.shutdown_timeout + MARGIN_SECONDS


def exit_after(seconds: float) -> None:
    """End the process with status 1 in `seconds`, unless it has ended by then."""
    threading.Thread(target=_exit, args=(seconds,), name="overdue", daemon=True).start()


def _exit(seconds: float) -> None:
    time.sleep(seconds)
    sys.stderr.write(f"mcp-app: not stopped {seconds:.0f} s after it was asked to (a tool that cannot be cancelled?); ")
    sys.stderr.write("ended by force\n")
    sys.stderr.flush()
    os._exit(FAILED)
