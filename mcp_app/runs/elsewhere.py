"""What the runs of this process need of the others: an interface, which mcp_app/nodes has.

Without a shared log there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from ..protocol.linked import Kept
from ..protocol.policy import Policy
from .found import FoundRun
from .write_through import LogCounts

if TYPE_CHECKING:
    from .run import Run
    from .writer import Writer


class KeyTaken(Exception):
    """A run of another process was started with this key a moment ago. It never reaches a caller."""


class Elsewhere(Protocol):
    """The other processes, by way of the log that all share."""

    @property
    def counts(self) -> LogCounts: ...

    @property
    def present(self) -> bool:
        """Whether this process has a lease: others believe that it is there, and its runs are its own."""

    async def publish(self, run: Run, writer: Writer, extra: bytes, policy: Policy) -> None:
        """Make a run of this process known, by its writer, with `policy` as its row. Raises LogUnavailable."""

    async def keep_results(self, run: Run, kept: Mapping[int, Kept]) -> None:
        """Keep results of the run, by their numbers, for as long as it may be kept. Raises LogUnavailable."""

    async def find(self, run_id: str, principal: str) -> FoundRun:
        """A run of the principal's that is not one of this process. Raises UnknownRun, LogUnavailable."""

    async def find_by_key(self, key: str, principal: str, digest: bytes | None) -> FoundRun | None:
        """The run that another process has started with this key, for a call of this digest; None for any. Raises
        RunConflict, LogUnavailable."""

    async def claim_key(self, run: Run) -> None:
        """Make the key of a run that is about to begin its own. Raises KeyTaken, LogUnavailable."""

    async def keep_known(self, run: Run, known: bytes) -> None:
        """Keep what a run knows once, for another process that may begin it again; it waits while the log cannot be
        reached. Raises CancelledError when the run is another's."""

    def drain(self) -> None:
        """End the streams of runs that are worked on elsewhere: their readers go on at another process."""
