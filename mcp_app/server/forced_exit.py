"""The last resort of a process that was told to stop: a thread that ends it if nothing else has.

Python cannot stop a coroutine that ignores its cancellation, nor a thread; without this such a tool keeps the process,
its memory and its port until somebody kills it. Nothing here may stop anything gracefully: that has been tried before.
"""

from __future__ import annotations

import _thread
import contextlib
import faulthandler
import os
import threading
import time
from collections.abc import Coroutine
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from typing import Any

from hypercorn.config import Config

from mcp_app.aio.signal_mask import stops_for_main_thread_only
from mcp_app.server.engine.draining import DRAIN_SECONDS, SHUTDOWN_DELAY
from mcp_app.server.logs.output import flush_all, standard_error

EXIT_STATUS = 1
"""Something did not stop, and the process supervisor should know."""

MARGIN_SECONDS = 5.0
"""Time to close loops and files after the bounded steps, on a busy machine."""

LEFTOVER_SECONDS = 2.0
"""Time for tasks still running after everything else has ended: the total stays below the 10 s of `docker stop`."""

FLUSH_SECONDS = 0.5
"""For the last lines of a log that somebody may not be reading: what does not stop must end."""

STANDARD_ERROR = 2


def shutdown_seconds(config: Config) -> float:
    """The longest a graceful shutdown can take, in seconds: until it begins, the last events, streams (twice: told to
    end, then cancelled), the application, the rest."""
    delay: float = getattr(config, SHUTDOWN_DELAY, 0)
    return delay + DRAIN_SECONDS + 2 * config.graceful_timeout + config.shutdown_timeout + MARGIN_SECONDS


def exit_after(seconds: float) -> None:
    """End the process with status 1 in `seconds`, unless it has ended by then. Can be called by a signal handler."""
    # No thread can be started: the stop has to end by itself.
    with contextlib.suppress(RuntimeError), stops_for_main_thread_only():
        # Not by `threading`, whose lock the code that a signal interrupts may hold.
        _thread.start_new_thread(_exit, (seconds,))


async def bounded(serving: Coroutine[Any, Any, None]) -> None:
    """Serve. Everything that can end gracefully has ended then, or did not start; what still runs is a tool that
    ignores its cancellation, or what an author's function left behind when it failed: it has LEFTOVER_SECONDS."""
    try:
        await serving
    finally:
        exit_after(LEFTOVER_SECONDS)


def exit_without_python(seconds: float) -> None:
    """The same for code that lets no thread of Python's run until then, as a regular expression does: a thread of C
    ends the process, and says where it is."""
    with contextlib.suppress(RuntimeError), stops_for_main_thread_only():
        faulthandler.dump_traceback_later(seconds, exit=True, file=STANDARD_ERROR)


def _exit(seconds: float) -> None:
    time.sleep(seconds)
    children = active_children()
    standard_error().write(
        f"mcp-app: not stopped {seconds:.0f} s after it was asked to ({_reason(children)}); ended by force"
    )
    flush_all(FLUSH_SECONDS)
    for child in children:
        child.terminate()
    os._exit(EXIT_STATUS)


def _reason(children: list[BaseProcess]) -> str:
    """What the exit waits for without a bound: threads, and the processes of multiprocessing."""
    alive = [each.name for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]
    threads = f"threads that no exit ends: {', '.join(alive)}" if alive else ""
    named = [f"{child.name} (pid {child.pid})" for child in children]
    processes = f"processes that no exit ends: {', '.join(named)}" if named else ""
    return "; ".join(filter(None, [processes, threads])) or "a tool that cannot be cancelled?"
