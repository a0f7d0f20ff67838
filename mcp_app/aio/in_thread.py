"""Calls a function in a daemon thread of its own and gives its outcome to the event loop.

`asyncio.to_thread` will not do: the default executor's threads delay the interpreter's exit until the last one is done.
How many there are at once is the caller's affair.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

R = TypeVar("R")


async def in_thread(function: Callable[[], R]) -> R:
    """What `function()` returns or raises. Who is cancelled does not stop the thread; its outcome is dropped then."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[R] = loop.create_future()
    context = contextvars.copy_context()

    def body() -> None:
        try:
            value = context.run(function)
        except BaseException as error:
            settle(loop, outcome, None, error)
        else:
            settle(loop, outcome, value, None)

    threading.Thread(target=body, daemon=True, name=f"call-{id(outcome):x}").start()
    return await outcome


def settle(loop: asyncio.AbstractEventLoop, future: asyncio.Future[R], value: Any, error: BaseException | None) -> None:
    """In a thread: set the future's result, or the exception of the function whose outcome it is."""

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
