"""Names in the log what holds the event loop: a function that works on it for 100 ms or more while all callers wait.

A thread looks at the loop 20 times a second; a call pays for that with one context variable. Nothing is stopped here.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..aio.signal_mask import stops_for_main_thread_only
from .holder import Holder, Stack
from .threads import Threads

HELD = 0.1
"""Seconds from which on the loop counts as held: what a person notices, and ten times the longest turn of our own."""

_TICK = 0.05
"""Seconds between two looks: two of them within HELD, and 20 wake-ups a second, most of which find the loop idle."""

_STUCK = 5.0
"""Seconds after which a function that still holds the loop is named: it may never end."""

_AGAIN = 60.0
"""Seconds for which one function has no second line: it is called as often as callers like."""

logger = logging.getLogger("mcp_app.runs")


@dataclass(slots=True)
class _Probe:
    """A callback that the loop is asked for when it is at work at `sent`; `answered` when it came to that. `holder` is
    who was seen at work since, always the same."""

    sent: float
    holder: Holder | None
    answered: float | None = None
    reported: bool = False


@dataclass(slots=True)
class _Line:
    """The last line about one function, and what was left out since."""

    at: float
    more: int = 0
    seconds: float = 0.0


class LoopWatch:
    """Watches one event loop, in seconds of `clock`. `holds` and `seconds` count how often and for how long it was
    held."""

    def __init__(self, threads: Threads, clock: Callable[[], float] = time.monotonic) -> None:
        self.holds = 0
        self.seconds = 0.0
        self._threads = threads
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._stop: threading.Lock | None = None

    def start(self) -> None:
        """On the loop, in a task: watch it until `stop`."""
        self._loop = asyncio.get_running_loop()
        self._stack = Stack(self._loop)
        self._stop = threading.Lock()
        self._stop.acquire()
        with stops_for_main_thread_only():
            threading.Thread(target=self._watch, args=(self._stop,), daemon=True, name="loop-watch").start()

    def stop(self) -> None:
        """Does nothing if it was not started."""
        if self._stop is not None:
            self._stop.release()
            self._stop = None

    def _watch(self, stop: threading.Lock) -> None:
        probe: _Probe | None = None
        due, before = self._clock() + _TICK, self._stack.cpu_seconds()
        while not stop.acquire(timeout=_TICK):
            now, after = self._clock(), self._stack.cpu_seconds()
            late = now - due
            if late >= HELD and after.process - before.process < HELD:  # the machine stood still, or others had it
                if probe is not None:
                    probe.sent += late
            elif late >= HELD and after.loop - before.loop < HELD:
                probe = None
                self._report(self._plain_function(), late)
            elif probe is not None:
                probe = self._look_again(probe, now)
            elif late >= HELD:  # C code that let no other thread run, not even this one, until now
                probe = self._ask(now - late, self._stack.holder())
            elif self._stack.is_at_work():
                probe = self._ask(now)
            due, before = now + _TICK, after

    def _ask(self, since: float, holder: Holder | None = None) -> _Probe | None:
        probe = _Probe(since, holder)
        try:
            self._loop.call_soon_threadsafe(self._answer, probe)
        except RuntimeError:  # the loop is closed: the process is exiting
            return None
        return probe

    def _answer(self, probe: _Probe) -> None:
        probe.answered = self._clock()

    def _look_again(self, probe: _Probe, now: float) -> _Probe | None:
        """None once the loop has come to the probe. A turn of many functions, each of them short, is nobody's."""
        held = (probe.answered or now) - probe.sent
        if probe.answered is not None:
            if probe.holder is not None and held >= HELD:
                self._report(probe.holder, held)
            return None
        holder = self._stack.holder()
        if probe.holder is None:
            probe.holder = holder
        elif holder is None or holder.name != probe.holder.name:
            return self._ask(now)
        elif held >= _STUCK and not probe.reported:
            probe.reported = True
            self._log(f"loop held for {held:.1f} s, and still, by", probe.holder, held, "")
        return probe

    def _plain_function(self) -> Holder | None:
        """What works in a thread and keeps the interpreter's lock holds the loop, too."""
        names = self._threads.names[:3]
        return (
            Holder("a plain function that lets no other thread run", f"one of: {', '.join(names)}") if names else None
        )

    def _report(self, holder: Holder | None, seconds: float) -> None:
        if holder is None:
            return
        self.holds += 1
        self.seconds += seconds
        now = self._clock()
        line = self._lines.get(holder.name)
        if line is not None and now - line.at < _AGAIN:
            line.more += 1
            line.seconds += seconds
            return
        more = "" if line is None or not line.more else f" ({line.more} times more before, {line.seconds:.1f} s)"
        self._lines[holder.name] = _Line(now)
        self._log(f"loop held {seconds:.1f} s by", holder, seconds, more)

    def _log(self, what: str, holder: Holder, seconds: float, more: str) -> None:
        fields = {"loop_held_seconds": round(seconds, 3), "by": holder.name, "where": holder.place, "run": holder.run}
        logger.warning("%s %s%s", what, holder, more, extra={"fields": fields})
