"""A run as other nodes see it: how it becomes known to them, and what happens when this process has lost it.

What a node is, and how the shared log is reached, is not known here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..protocol.errors import Interrupted, LogUnavailable, McpAppError
from ..protocol.event import Event
from ..protocol.policy import Policy
from .write_through import to_its_end

if TYPE_CHECKING:
    from ..asking import InputRequired
    from ..eventlog import EventLog
    from .host import Host
    from .writer import Writer


class Publishing:
    """The part of a `Run` that is about other nodes. `key` is the caller's own name for the run, `digest` that of its
    call. `abandoned`: this process has lost it to another."""

    key: str | None = None
    digest = b""
    abandoned = False
    extra = b""

    if TYPE_CHECKING:
        id: str
        policy: Policy
        log: EventLog
        over: bool
        _host: Host
        _writer: Writer

        def stop(self, end: McpAppError | InputRequired) -> None: ...

    @property
    def shares(self) -> bool:
        """Whether there is a log by which other nodes can know it."""
        return self._host.elsewhere is not None

    async def publish(self, extra: bytes = b"", policy: Policy | None = None) -> None:
        """Make it known to other nodes, before its id is first handed out: whoever has the id may ask any of them.
        Does nothing without a shared log. Idempotent.

        `extra` is the dialect's own, in the run's record; `policy` the row that it is about to have. Raises
        LogUnavailable, and the run ends with it.
        """
        elsewhere = self._host.elsewhere
        if elsewhere is None or self._writer.through is not None:
            return
        try:
            await to_its_end(elsewhere.publish(self, self._writer, extra, policy or self.policy))  # type: ignore[arg-type]
        except LogUnavailable as error:
            self.stop(error)
            raise

    async def amend(self, extra: bytes) -> None:
        """Change the dialect's own in the record of a run that is published. Raises LogUnavailable, Fenced."""
        if self._writer.through is not None:
            await self._writer.through.amend(extra=extra)

    def abandon(self) -> None:
        """It is another node's, or will be: its function is cancelled, nothing more is appended, and its streams end
        without a last event, so that their readers go on elsewhere."""
        if self.over:  # all of it is written
            return
        self.abandoned = True
        self.log.forget(self.id)
        self.stop(Interrupted("The process that worked on the run has lost the event log."))

    async def refresh(self) -> None:
        """It is this process' own: they are."""

    async def end_event(self) -> Event:
        """The last event of a run that is over."""
        return (await self.log.read(self.id, self._writer.events - 1, 0))[0].event

    async def cancel(self, end: McpAppError) -> None:
        """`stop`, as who has found the run says it, wherever that is worked on."""
        self.stop(end)
