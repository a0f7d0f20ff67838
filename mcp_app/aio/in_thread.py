"""Calls a function in a daemon thread of its own and gives its outcome to the event loop.

`asyncio.to_thread` will not do: the default executor's threads delay the interpreter's exit until the last one is done.
How many there are at once is the caller's affair.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from . import forked

R = TypeVar("R")


async def in_thread(function: Callable[[], R]) -> R:
    """What `function()` returns or raises. Who is cancelled does not stop the thread; its outcome is dropped then."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[R] = loop.create_future()
    call = functools.partial(contextvars.copy_context().run, function)
    threading.Thread(target=settle_by, args=(call, loop, outcome), daemon=True, name=f"call-{id(outcome):x}").start()
    return await outcome


def settle_by(function: Callable[[], R], loop: asyncio.AbstractEventLoop, future: asyncio.Future[R]) -> None:
    """In a thread: call the function, whose outcome is the future's. A forked copy that comes back from it ends."""
    begun = forked.generation
    try:
        value = function()
    except BaseException as error:
        forked.end_copy(begun, error)
        _settle(loop, future, None, error)
    else:
        forked.end_copy(begun)
        _settle(loop, future, value, None)


def _settle(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[R], value: Any, error: BaseException | None
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        elif isinstance(error, asyncio.CancelledError):
            future.cancel()
        elif isinstance(error, StopIteration | KeyboardInterrupt):
            # A future refuses the one (PEP 479); the other would stop the server, though no key was pressed here.
            wrapped = RuntimeError(f"the function raised {type(error).__name__}")
            wrapped.__cause__ = error
            future.set_exception(wrapped)
            future.exception()
        else:
            future.set_exception(error)
            future.exception()  # marked as retrieved: after a stop nothing awaits it

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        pass  # the loop is closed: the process is exiting
