"""Runs the event loop until its main task has ended, whatever else raises on it.

asyncio lets SystemExit and KeyboardInterrupt out of the loop, from every task and every callback, and `loop.stop()`
stops it: either, in a child task of one tool, would end the process and everyone's streams. No signal and no socket is
known here.
"""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from mcp_app.server.loop_errors import log_error

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

log = logging.getLogger("mcp_app.server")


def run(main: Coroutine[Any, Any, object], *, debug: bool = False, loop_factory: LoopFactory | None = None) -> None:
    """`asyncio.run`, but only `main` ends it: what another task or a callback raises is logged, and the loop goes on.

    A task that raised has the exception as its outcome, so that whoever awaits it gets it, as from `gather`. Ctrl-C
    must come by `loop.add_signal_handler`: a KeyboardInterrupt elsewhere than in `main` is taken for a tool's.
    """
    # What is left at the end of the process is not traversed once more: 2.3 of 2.6 s with 60,000 runs kept.
    atexit.register(gc.freeze)
    with asyncio.Runner(debug=debug, loop_factory=loop_factory) as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(log_error)
        try:
            _run_until_complete(loop, main)
        finally:
            _run_until_complete(loop, _end_others())  # before the runner does it, whom their SystemExit would end


def _run_until_complete(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, object]) -> None:
    task = loop.create_task(coroutine)
    while not task.done():
        try:
            loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt) as error:
            if task.done():
                raise
            log.exception("a task or a callback raised %s, which does not end the server", type(error).__name__)
        except RuntimeError:  # all that asyncio says of it: "Event loop stopped before Future completed."
            if task.done() or loop.is_closed():
                raise
            log.warning("a task or a callback stopped the event loop, which goes on: loop.stop() is not for tools")


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others)
    await asyncio.get_running_loop().shutdown_asyncgens()
