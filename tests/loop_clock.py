"""An event loop whose clock jumps: when nothing is left to do but wait for a timer, it is that time at once.

    @on_loop_clock
    async def test_that_a_run_is_kept(…) -> None:
        await asyncio.sleep(600)        # takes no time

Nothing here sleeps, so a test of ten minutes needs a millisecond and no slack. Not for tests with threads: the clock
would run away while a thread works. After the test no task may be left, nor a timer that is still to come.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

from mcp_app.aio.deadlines import Deadlines

_TURNS = 20  # of the loop, for what was cancelled or closed to end


class _Jumping(selectors.DefaultSelector):
    """Waits for no timer: says how long it would have waited, and that nothing came."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:  # no timer either: only a signal, or another thread, can go on from here
            return super().select(None)
        found = super().select(0)
        if not found:
            self.now += max(0.0, timeout)
        return found


class ClockLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 1000 and moves only when all have to wait."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        self._timers: weakref.WeakSet[asyncio.TimerHandle] = weakref.WeakSet()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        timer = super().call_at(when, callback, *args, context=context)
        self._timers.add(timer)
        return timer

    @property
    def timers(self) -> list[asyncio.TimerHandle]:
        """Those that are still to come, and will do something then."""
        return [
            timer
            for timer in self._timers
            if not timer.cancelled() and timer.when() > self.time() and not _finds_nothing(timer)
        ]


def _finds_nothing(timer: asyncio.TimerHandle) -> bool:
    """Whether it is that of `Deadlines` which were all called off."""
    owner = getattr(timer._callback, "__self__", None)  # type: ignore[attr-defined]
    return isinstance(owner, Deadlines) and not len(owner)


def on_loop_clock(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on a ClockLoop of its own, and look at what it leaves."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def checked() -> None:
            await test(*args, **kwargs)
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks left: {left}"
            loop = asyncio.get_running_loop()
            assert isinstance(loop, ClockLoop)
            assert not loop.timers, f"timers left: {loop.timers}"

        with asyncio.Runner(loop_factory=ClockLoop) as runner:
            runner.run(checked())

    return run
