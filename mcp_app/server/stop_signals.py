"""A signal that orders a stop is heard twice: at once, whatever holds the loop, and on the loop.

asyncio's own handler only wakes the loop, to which no signal comes while a tool works on it. What a stop is, is not
known here.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType


def listen(number: int, at_once: Callable[[], object], on_loop: Callable[[], object]) -> None:
    """Call `at_once()` between two instructions of the main thread, with what any of them may have locked, then
    `on_loop()` by the running loop.

    A call of the system that the signal interrupts is made again (PEP 475), also a write to a pipe that nobody reads:
    asyncio has the kernel do that, which does not return for it.
    """
    asyncio.get_running_loop().add_signal_handler(number, on_loop)
    of_loop = signal.getsignal(number)
    assert callable(of_loop)  # noqa: S101 - what the loop has just set

    def handle(number: int, frame: FrameType | None) -> None:
        of_loop(number, frame)
        at_once()

    signal.signal(number, handle)
