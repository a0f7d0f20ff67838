"""What a dialect may do with a run that it has found: one of this process, or one that another works on.

Interfaces only; `Run` is the one, `RemoteRun` of mcp_app/nodes the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..protocol.errors import McpAppError
from ..protocol.event import Entry, Event
from ..protocol.linked import Kept
from ..protocol.policy import Policy

if TYPE_CHECKING:
    from .reader import Reader
    from .results import Weighed


class Named(Protocol):
    """A callee, of which another process may know the name only."""

    @property
    def name(self) -> str: ...


class Readable(Protocol):
    """What the entries of a run are read from."""

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        """As `EventLog.read`."""


class FoundRun(Protocol):
    """A run as `Runs.find` returns it. What its members mean stands in run.py."""

    @property
    def id(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def callee(self) -> Named: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def principal(self) -> str: ...
    @property
    def created(self) -> float: ...
    @property
    def cap(self) -> float: ...
    @property
    def deadline(self) -> float: ...
    @property
    def code(self) -> str | None: ...
    @property
    def over(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def events(self) -> int: ...
    @property
    def log(self) -> Readable: ...
    @property
    def beside(self) -> Weighed | None: ...
    @property
    def abandoned(self) -> bool: ...
    @property
    def extra(self) -> bytes:
        """The dialect's own in the run's record; empty for a run of this process."""

    def attach(self, after: int = 0) -> Reader:
        """A reader for whom the function waits."""

    def follow(self, after: int = 0) -> Reader:
        """A reader that the run does not care about."""

    def acknowledge(self, reader: Reader) -> None:
        """The reader has written all it was given."""

    def detach(self, reader: Reader) -> None:
        """The reader is closed."""

    def end_at_cap(self, seconds: float) -> None:
        """A reader has reached its cap, which ends the run."""

    async def cancel(self, end: McpAppError) -> None:
        """End the run with `end` as its last event; one that has ended is not changed. Raises LogUnavailable where the
        process that works on it does not answer."""

    async def end_event(self) -> Event:
        """The last event of a run that is over. Raises LogUnavailable."""

    async def refresh(self) -> None:
        """Know `events`, `code` and `over` as they are now. Raises UnknownRun, LogUnavailable."""

    async def result(self, number: int) -> Kept:
        """The kept result of that number. Raises Purged, UnknownRun, LogUnavailable."""

    async def publish(self) -> None:
        """Make it known to other nodes."""
