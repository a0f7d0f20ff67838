"""The runs that have ended and are kept for who may come back: how many of them, and when they are forgotten.

What is worked on is not known here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ..aio.deadlines import Deadlines
from ..eventlog.quota import AGE, ALL, PRINCIPAL, Quota
from .run import Run


class FinishedRuns:
    """Forgets each run at its time, and earlier those beyond the quota: the oldest of a caller who has more than it
    may; while all have more, the oldest of the caller who has most bytes kept, so that nobody's results are lost to who
    has many. One that is being read stays until that is over, and the newest stays whatever its size. `forget` is
    called with each once; `forgotten` counts them, by reason."""

    def __init__(self, quota: Quota, forget: Callable[[Run], object]) -> None:
        self._quota = quota
        self.forgotten: Counter[str] = Counter()
        self._forget = forget
        self._runs: dict[Run, int] = {}  # their bytes, oldest first
        self._own: dict[str, dict[Run, None]] = {}  # each caller's
        self._held: Counter[str] = Counter()
        self._times = Deadlines(self.kept_long_enough)
        self._overdue: set[Run] = set()
        self.bytes = 0
        """What is kept of all, in bytes."""

    def __contains__(self, run: Run) -> bool:
        return run in self._runs

    def add(self, run: Run, until: float) -> None:
        """Keep it until that time, of the loop's clock."""
        self._times.at(run, until)
        self._runs[run] = 0
        self._own.setdefault(run.payer.key, {})[run] = None
        self.weigh(run)

    def weigh(self, run: Run) -> None:
        """Count the bytes of a run again: whoever read it may have kept something beside it."""
        if run not in self._runs:
            return
        grown = run.held - self._runs[run]
        self.bytes += grown
        self._held[run.payer.key] += grown
        self._runs[run] = run.held
        self._make_room(run.payer.key)

    def idle(self, run: Run) -> None:
        """Nobody reads it any more."""
        if run in self._overdue:
            self.remove(run, AGE)
        else:
            self.weigh(run)

    def kept_long_enough(self, run: Run) -> None:
        """Forget it; a reader that is reading it may read to its end. One that works, and will be kept, may be named
        before it ends."""
        if run in self._runs and run.idle:
            self.remove(run, AGE)
        else:
            self._overdue.add(run)

    def remove(self, run: Run, why: str) -> None:
        """Forget it now. `why` is a reason of eventlog/quota.py."""
        self.forgotten[why] += 1
        self._overdue.discard(run)
        self._times.cancel(run)
        held = self._runs.pop(run)
        self.bytes -= held
        payer = run.payer.key
        self._held[payer] -= held
        del self._own[payer][run]
        if not self._own[payer]:
            del self._own[payer], self._held[payer]
        self._forget(run)

    def close(self) -> None:
        """Cancel the timer."""
        self._times.close()

    def _make_room(self, payer: str) -> None:
        quota = self._quota
        while (own := self._own.get(payer)) and (
            len(own) > quota.principal_runs or self._held[payer] > quota.principal_bytes
        ):
            oldest = _first_idle(own, next(reversed(own)))
            if oldest is None:
                break
            self.remove(oldest, PRINCIPAL)
        while self.bytes > quota.bytes or len(self._runs) > quota.runs:
            oldest = self._oldest_idle()
            if oldest is None:
                break
            self.remove(oldest, ALL)

    def _oldest_idle(self) -> Run | None:
        newest = next(reversed(self._runs))
        if len(self._own) > 1:
            heaviest = max(self._held, key=self._held.__getitem__)
            if (own := _first_idle(self._own[heaviest], newest)) is not None:
                return own
        return _first_idle(self._runs, newest)


def _first_idle(runs: Iterable[Run], newest: Run) -> Run | None:
    """The first, but the newest, that nobody reads."""
    return next((run for run in runs if run is not newest and run.idle), None)
