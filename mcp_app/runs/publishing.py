"""A run as other nodes see it: how it becomes known to them, and what happens when this process has lost it.

What a node is, and how the shared log is reached, is not known here.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ..protocol.errors import EventTooLarge, Fenced, Interrupted, LogUnavailable, McpAppError, UnknownRun
from ..protocol.event import MAX_EVENT_BYTES, Event, encode
from ..protocol.linked import Kept
from ..protocol.policy import Policy
from .beginning import write_beginning
from .write_through import to_its_end

if TYPE_CHECKING:
    from ..asking import InputRequired
    from ..authoring.context import Caller
    from ..eventlog import EventLog
    from .host import Host
    from .results import OnKept
    from .writer import Writer


class Publishing:
    """The part of a `Run` that is about other nodes. `key` is the caller's own name for the run, `digest` that of its
    call. `abandoned`: this process has lost it to another. `beginning` is what it began with, where it may begin again
    in another (`write_beginning`)."""

    key: str | None = None
    digest = b""
    abandoned = False
    extra = b""
    beginning: bytes | None = None

    if TYPE_CHECKING:
        id: str
        policy: Policy
        log: EventLog
        over: bool
        _host: Host
        _writer: Writer
        _caller: Caller

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
        elsewhere, through = self._host.elsewhere, self._writer.through
        if elsewhere is None:
            return
        if through is not None:
            if extra:  # it was published before its dialect had something to say: a result of it was linked
                with suppress(Fenced):  # then it is another node's
                    await through.amend(policy=(policy or self.policy).name, extra=extra)
            return
        try:
            await to_its_end(elsewhere.publish(self, self._writer, extra, policy or self.policy))  # type: ignore[arg-type]
        except LogUnavailable as error:
            self.stop(error)
            raise

    async def share_results(self, kept: Mapping[int, Kept]) -> None:
        """Let other nodes read results that are about to be linked, and know the run. Raises LogUnavailable."""
        if self._host.elsewhere is not None:
            await self._host.elsewhere.keep_results(self, kept)  # type: ignore[arg-type]
            await self.publish()

    async def result(self, number: int) -> Kept:
        """The kept result of that number. Raises Purged for one that was dropped, UnknownRun for one that never was."""
        results = self._writer.results
        if results is None:
            raise UnknownRun("This run has no such result.")
        return results.get(number)

    async def amend(self, extra: bytes, policy: Policy | None = None) -> None:
        """Change the dialect's own in the record of a run that is published, and the row that it is about to have.
        Raises LogUnavailable, Fenced."""
        if self._writer.through is not None:
            await self._writer.through.amend(extra=extra, policy=None if policy is None else policy.name)

    def may_restart(self, params: Mapping[str, Any]) -> None:
        """It may begin again in another process, if there are any, with these parameters, which are JSON."""
        if not self.shares:
            return
        self.beginning = write_beginning(params, self._caller.access, self._caller.trace)
        self.keeps_known()

    def keeps_known(self) -> None:
        """From now on other processes know what its function has been told once (`Once`)."""
        if (asker := self._caller.asker) is not None:
            asker.once.keep = partial(_keep_known, weakref.ref(self))  # the run holds its asker

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


def share_results(run: Publishing) -> OnKept:
    """`run.share_results`, for who is held by the run: a method would be a circle, which only the collector opens."""
    weak = weakref.ref(run)

    async def share(kept: Mapping[int, Kept]) -> None:
        if (run := weak()) is not None:
            await run.share_results(kept)

    return share


async def _keep_known(run: weakref.ref[Publishing]) -> None:
    """Raises EventTooLarge."""
    found = run()
    if found is None or (asker := found._caller.asker) is None or (elsewhere := found._host.elsewhere) is None:
        return
    known = encode(asker.once.known)
    if len(known) > MAX_EVENT_BYTES:
        raise EventTooLarge(f"What is known once in this run has {len(known)} bytes; it may have {MAX_EVENT_BYTES}.")
    await elsewhere.keep_known(found, known)  # type: ignore[arg-type]
