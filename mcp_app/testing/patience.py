"""Waiting with a bound of real time, whatever the event loop's clock says. What is waited for is not known here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NothingCame(TimeoutError):
    """What a test waits for did not come in time. The message says what was waited for, and what came before."""


async def patiently(waiting: Coroutine[Any, Any, T], seconds: float, describe: Callable[[], str]) -> T:
    """What `waiting` returns. Raises NothingCame with `describe()` after `seconds` of real time.

    The time is kept by a thread: a timer of the loop would go with its clock, which a test may stop or move.
    """
    task = asyncio.ensure_future(waiting)
    loop = asyncio.get_running_loop()
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    def in_thread() -> None:
        try:
            loop.call_soon_threadsafe(expire)
        except RuntimeError:
            pass  # the loop is closed: nobody waits

    timer = threading.Timer(seconds, in_thread)
    timer.daemon = True
    timer.start()
    try:
        return await task
    except asyncio.CancelledError:
        if expired:
            raise NothingCame(f"{describe()} (waited for {seconds:g} s)") from None
        raise
    finally:
        timer.cancel()
