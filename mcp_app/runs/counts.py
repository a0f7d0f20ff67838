"""What is known of all runs of a process at a glance: how many, in which state. Nothing is changed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .at_work import AtWork
    from .dependencies import Dependencies
    from .known import KnownRuns
    from .run import Run


class RunCounts:
    """The part of `Runs` that is looked at."""

    if TYPE_CHECKING:
        _at_work: AtWork
        dependencies: Dependencies
        known: KnownRuns

    @property
    def working(self) -> int:
        """Runs being worked on now."""
        return len(self._at_work.runs)

    @property
    def at_work(self) -> list[Run]:
        """These runs."""
        return list(self._at_work.runs)

    @property
    def cleaning(self) -> int:
        """What is still done for runs that have ended: functions that clean up, and values that are being closed."""
        return len(self._at_work.closing) + self.dependencies.closings.begun

    @property
    def kept(self) -> int:
        """Runs that can be read, those being worked on among them."""
        return len(self.known.runs)

    @property
    def draining(self) -> bool:
        """Whether the server is being stopped, and new runs are refused."""
        return self._at_work.draining
