"""A run that another node works on, or has worked on, as a dialect finds it: what its record says, its entries from the
shared log, and what is asked of its owner by letters.

A `FoundRun` of runs/found.py, whose other kind is `Run`. No dialect is known here.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..eventlog.records import RunRecord
from ..eventlog.shared import LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS
from ..protocol.errors import LogUnavailable, McpAppError, UnknownRun
from ..protocol.event import Entry, Event
from ..protocol.linked import Kept, read_kept
from ..protocol.policy import Policy
from ..runs import Reader
from ..runs.end_line import ID_CHARACTERS
from ..runs.found import Named
from . import letters
from .remote_reader import RemoteReader

if TYPE_CHECKING:
    from ..runs.results import Weighed
    from .node import Node

RETRY = {"Retry-After": "1"}

ASK_SECONDS = LEASE_SECONDS + 2 * RENEW_SECONDS
"""How long the owner of a run is asked something: it may have died a moment ago, and the run is taken over within a
lease and one look for such runs."""

REPLY_SECONDS = 2.0
"""After which it is asked again, if the run is still its own: a tool may hold its loop."""

END_SECONDS = 2 * LEASE_SECONDS
"""How long a reader whose cap is over waits for the run's last event: its owner may have died a moment ago, and is
missed after a lease."""


def result_name(run: str, number: int) -> str:
    """The document of a kept result."""
    return f"result/{run}/{number}"


@dataclass(frozen=True, slots=True)
class CalleeName:
    """A callee that is not offered by this process."""

    name: str


class RemoteRun:
    """Its times are by the clocks that those of a `Run` are. `events`, `code` and `over` are as they were when it was
    found."""

    beside: Weighed | None = None
    abandoned = False

    def __init__(self, node: Node, record: RunRecord, callee: Named, policy: Policy) -> None:
        self._node = node
        self.record = record
        self.callee = callee
        self.policy = policy
        self.deadline = asyncio.get_running_loop().time() + record.deadline - node.now()
        self.log = _SharedEntries(node)
        self._readers: dict[Reader, RemoteReader] = {}
        self._open: set[Reader] = set()

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def label(self) -> str:
        return f"{self.id[:ID_CHARACTERS]} of node {self.record.owner[:ID_CHARACTERS]}"

    @property
    def principal(self) -> str:
        return self.record.principal

    @property
    def created(self) -> float:
        return self.record.created

    @property
    def cap(self) -> float:
        return self.record.cap

    @property
    def extra(self) -> bytes:
        return self.record.extra

    @property
    def code(self) -> str | None:
        return self.record.code

    @property
    def over(self) -> bool:
        return self.record.code is not None

    @property
    def ended(self) -> bool:
        return self.record.code is not None

    @property
    def events(self) -> int:
        return self.record.last

    def attach(self, after: int = 0) -> Reader:
        """As `Run.attach`: the function waits for it, where it works."""
        reader = self.follow(after)
        if not self.ended:
            self._readers[reader] = RemoteReader(self.id, after, self._tell)
        return reader

    def follow(self, after: int = 0) -> Reader:
        """As `Run.follow`."""
        reader = Reader(self, after)
        if not self._open:
            self._node.post.in_background(self._node.keep(self), f"keep run {self.id}")
        self._open.add(reader)
        return reader

    def acknowledge(self, reader: Reader) -> None:
        """As `Run.acknowledge`."""
        if (remote := self._readers.get(reader)) is not None:
            remote.acknowledge(reader.after, reader.end)

    def detach(self, reader: Reader) -> None:
        """As `Run.detach`: what it means is decided where the run is worked on."""
        self._open.discard(reader)
        if (remote := self._readers.pop(reader, None)) is not None:
            remote.close()

    def end_at_cap(self, seconds: float) -> None:
        """As `Run.end_at_cap`. Its last event is waited for within END_SECONDS."""
        self.log.give_up_at = asyncio.get_running_loop().time() + END_SECONDS
        self._tell({"do": "cap", "run": self.id, "seconds": seconds})

    async def cancel(self, end: McpAppError) -> None:
        """As `FoundRun.cancel`."""
        await self.ask({"do": "stop", "end": letters.error_object(end)})
        self.record = await self._node.log.record(self.id)

    async def refresh(self) -> None:
        """As `FoundRun.refresh`."""
        self.record = await self._node.log.record(self.id)

    async def publish(self) -> None:
        """It is."""

    async def end_event(self) -> Event:
        """As `FoundRun.end_event`."""
        until = asyncio.get_running_loop().time() + RETRY_SECONDS
        entries = await self._node.log.read(self.id, self.events - 1, until)
        if not entries:
            raise LogUnavailable("The last event of this run cannot be read now.", headers=RETRY)
        return entries[0].event

    @property
    def is_read(self) -> bool:
        """Whether somebody here reads it."""
        return bool(self._open)

    @property
    def has_readers(self) -> bool:
        """Whether its function waits for somebody here."""
        return bool(self._readers)

    async def find_owner(self) -> None:
        """The owner is dead: tell the next one of the readers here, once there is one. What fails is done again, as
        they are told of every few seconds."""
        with suppress(LogUnavailable, UnknownRun):
            before, self.record = self.record.owner, await self._node.log.record(self.id)
            if self.record.owner != before:
                for remote in self._readers.values():
                    remote.say()

    async def result(self, number: int) -> Kept:
        """As `FoundRun.result`."""
        found = await self._node.log.get(result_name(self.id, number))
        if found is None:
            raise UnknownRun("This run has no such result, or it is no longer kept.")
        return read_kept(found.value)

    async def ask(self, letter: letters.Letter) -> Any:
        """What the run's owner answers to a letter about it, done once; None for a run that has ended. Raises
        LogUnavailable when neither it nor another in its place answers within ASK_SECONDS."""
        node, clock, id_ = self._node, asyncio.get_running_loop().time, secrets.token_hex(16)
        until = clock() + ASK_SECONDS
        while True:
            try:
                record = await node.log.record(self.id)
                if record.code is not None:
                    return None
                if record.owner != node.id:  # else it has been taken over by this node, which is about to end it
                    return await node.post.ask(record.owner, {**letter, "run": self.id}, REPLY_SECONDS, id_)
            except (LogUnavailable, TimeoutError):
                pass
            if clock() >= until:
                raise LogUnavailable("The process that works on this run does not answer.", headers=RETRY)
            await asyncio.sleep(RETRY_SECONDS)

    def _tell(self, letter: letters.Letter) -> None:
        self._node.post.tell(self.record.owner, letter)


class _SharedEntries:
    """Reads the shared log. While that cannot be reached a reader waits, as for a run that says nothing."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.give_up_at = math.inf
        """When to wait no longer, on the event loop's clock."""

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        """As `EventLog.read`. Raises Fenced when this process is being stopped, LogUnavailable at `give_up_at`."""
        clock = asyncio.get_running_loop().time
        while True:
            by = min(until, self.give_up_at)
            entries: list[Entry] = []
            try:
                with self._node.draining.noticed():
                    entries = await self._node.log.read(run, after, by)
            except LogUnavailable:
                await asyncio.sleep(max(0.0, min(RETRY_SECONDS, by - clock())))
            if entries:
                return entries
            if clock() >= self.give_up_at:
                raise LogUnavailable("The process that works on this run does not answer.", headers=RETRY)
            if clock() >= until:
                return []
