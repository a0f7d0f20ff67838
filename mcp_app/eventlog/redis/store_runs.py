"""Runs: their records, and their entries in one stream each. The scripts decide; here is what they are asked."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ...protocol.errors import Fenced, Gap, Purged, UnknownRun
from ...protocol.event import Entry, Event
from ...protocol.policy import Retention
from .. import READ_BYTES, READ_ENTRIES
from ..coding import decode_event, decode_record, encode_event, encode_record
from ..quota import AGE, Quota, Usage, beyond
from ..records import RECORD_FORMAT, Ending, RunRecord
from . import scripts
from .store import OwnedRun
from .store_ended import EndedStore
from .store_nodes import NodeStore

T = TypeVar("T")

ABANDONED_MS = 24 * 3600 * 1000
"""How long Redis keeps a run beyond its deadline that no node ends: all are gone, and one may come back."""

FARTHEST_MS = 2.0**53
"""For a deadline without end: Redis takes whole milliseconds."""


class RunStore(NodeStore, EndedStore):
    """Everything about runs."""

    async def create(self, record: RunRecord, keep: Retention) -> None:
        keys = self._run_keys(record.id)
        history = await self._client.history(keys[0])
        fields: dict[str, bytes | str | int] = {
            "record": self._cipher.seal(f"run/{record.id}", encode_record(record)),
            "format": record.format,
            "policy": record.policy,
            "extra": self._cipher.seal(f"run/{record.id}", record.extra),
            "attempt": record.attempt,
            "last": record.last,
            "shown": record.last,
            "finish": record.end,
            "oldest": record.last + 1,
            "start": record.end,
            "entries": keep.entries,
            "bytes": keep.bytes,
            "history": history,
        }
        deadline = int(min(record.deadline * 1000, FARTHEST_MS))
        flat = [part for field in fields.items() for part in field]
        # Both at once: who stops between two steps would leave a run that nobody finds.
        done = await asyncio.gather(
            self._hold(record.owner, record.id),
            self._client.run(scripts.CREATE, keys, record.owner, deadline, ABANDONED_MS, *flat),
            return_exceptions=True,
        )
        if isinstance(done[0], Fenced) and done[1] == b"done":
            await self.forget(record.id)
        for each in done:
            if isinstance(each, BaseException):
                raise each
        if done[1] == b"taken":
            await self._release(record.owner, record.id)
            raise ValueError(f"run {record.id} has a log already")
        self._owned[record.id] = OwnedRun(record.owner, record.principal, record.last)

    async def append(
        self, run: str, owner: str, first: int, events: Sequence[Event], ending: Ending | None = None
    ) -> None:
        keys = self._run_keys(run)
        history = await self._client.history(keys[0])
        closing = ("", "", "") if ending is None else (ending.code, repr(ending.until), math.ceil(ending.until * 1000))
        sealed = [
            part for event in events for part in (event.size, self._cipher.seal(f"run/{run}", encode_event(event)))
        ]
        show = 0 if self._replicas else 1
        answer = await self._client.run(scripts.APPEND, keys, owner, first, history, show, *closing, *sealed)
        match answer[0]:
            case b"done":
                known = self._owned.get(run)
                self._owned[run] = OwnedRun(owner, "" if known is None else known.principal, int(answer[1]))
                if self._replicas:  # the answer came once they have it
                    await self._client.run(scripts.SHOW, keys[:1], answer[1])
            case b"gap":
                raise Gap(int(answer[1]))
            case b"ended":
                raise ValueError(f"run {run} has ended: nothing follows")
            case b"fenced":
                self._owned.pop(run, None)
                raise Fenced(f"run {run} belongs to node {answer[1].decode()}")
            case _:
                raise _unknown()
        if ending is not None:  # whoever could not be told of the end repeats it: all of this can be done twice
            principal = self._owned[run].principal or (await self.record(run)).principal
            await self._list_ended(run, principal, int(answer[2]), ending.until)
            self._owned.pop(run, None)
            await self._release(owner, run)

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        keys = self._run_keys(run)
        bell = self._wakeups.enter(keys[0])
        try:
            while True:
                # A bell that is heard knows the last number: where that was seen, there is nothing to ask for.
                rung, asks = bell.rung, not (bell.last and bell.heard and after >= bell.last)
                if asks:
                    answer = await self._client.run(scripts.READ, keys, after, READ_ENTRIES, READ_BYTES, writes=False)
                    if answer[0] != b"wait":
                        return self._entries(run, after, answer)
                    if until <= asyncio.get_running_loop().time():
                        return []
                    if bell.heard and bell.rung == rung:
                        bell.last = int(answer[1])
                if not bell.heard:
                    await self._wakeups.listen(bell)  # and look again: it may have come meanwhile
                elif not await self._wakeups.wait(bell, rung, until):
                    return []
        finally:
            self._wakeups.leave(bell)

    async def record(self, run: str) -> RunRecord:
        key = self._run_key(run)
        flat = await self._client.read(key, "HGETALL", key)
        if not flat:
            raise _unknown()
        return self._record(run, dict(zip(flat[::2], flat[1::2], strict=True)))

    async def amend(self, run: str, owner: str, *, policy: str | None = None, extra: bytes | None = None) -> None:
        fields: list[bytes | str] = []
        if policy is not None:
            fields += ["policy", policy]
        if extra is not None:
            fields += ["extra", self._cipher.seal(f"run/{run}", extra)]
        answer = await self._client.run(scripts.AMEND, (self._run_key(run),), owner, *fields)
        if answer == b"fenced":
            raise Fenced(f"run {run} belongs to another node")
        if answer == b"unknown":
            raise _unknown()

    async def keep(self, run: str, until: float) -> None:
        answer = await self._client.run(scripts.KEEP, self._run_keys(run), math.ceil(until * 1000))
        if answer == b"unknown":
            raise _unknown()
        await self._list_read(run, until)

    async def sweep(self, quota: Quota) -> Usage:
        totals = await self._totals()
        forgotten = Counter({AGE: totals.expired})
        if not totals.within(quota) and (token := await self._alone()) is not None:
            try:
                for run, why in beyond(await self._listed(), quota).items():
                    if await self._unlist(run, though_read=False):  # else somebody reads it now
                        await self._forget(run)
                        forgotten[why] += 1
            finally:
                await self._done(token)
            totals = await self._totals()
            forgotten[AGE] += totals.expired
        return Usage(await self._working(), totals.runs, totals.bytes, +forgotten)

    async def forget(self, run: str) -> None:
        await self._forget(run)
        await self._unlist(run, though_read=True)

    async def _forget(self, run: str) -> None:
        keys = self._run_keys(run)
        owner = await self._client.run(scripts.FORGET, keys)
        self._owned.pop(run, None)
        if owner is not None:
            await self._release(owner.decode(), run)

    # --- whose owner is dead -----------------------------------------------------------------------------------------

    async def take_over(self, node: str, most: int) -> list[RunRecord]:
        living, dead = await self._living_and_dead()
        if node not in living:
            raise Fenced(f"node {node} has lost its lease")
        taken: list[RunRecord] = []
        for other in dead:
            runs = self._node_key(other, "runs")
            while len(taken) < most:
                # By chance: all nodes look at the same time, and each shall find others.
                found = await self._client.read(runs, "SRANDMEMBER", runs, most - len(taken))
                done = await asyncio.gather(*(self._take(run.decode(), other, node) for run in found))
                taken += [record for record, _ in done if record is not None]
                if not any(gone for _, gone in done):
                    break
            await self._tidy(other)
        return taken

    async def _take(self, run: str, dead: str, node: str) -> tuple[RunRecord | None, bool]:
        """The record if this node owns the run now, and whether it is off the dead node's list."""
        keys = self._run_keys(run)
        await self._hold(node, run)
        history = await self._client.history(keys[0])
        answer = await self._client.run(
            scripts.TAKE, keys, dead, node, RECORD_FORMAT, history, scripts.SKIPPED, ABANDONED_MS
        )
        if answer == b"newer":
            await self._release(node, run)
            return None, False
        runs = self._node_key(dead, "runs")
        await self._client.write(runs, "SREM", runs, run)
        if answer == b"gone":
            await self._release(node, run)
            return None, True
        record = await self.record(run)
        self._owned[run] = OwnedRun(node, record.principal, record.last)
        return record, True

    async def _confirm(self, run: str) -> None:
        """Another primary may not know what this node works on; and if it has all that was written, nobody needs to
        doubt it later. Raises LogUnavailable."""
        if run not in self._owned:
            return
        node, _, last = self._owned[run]
        key = self._run_key(run)
        try:
            await self._hold(node, run)
            await self._client.run(scripts.CONFIRM, (key,), node, last, await self._client.history(key))
        except Fenced:
            self._owned.pop(run, None)

    # -----------------------------------------------------------------------------------------------------------------

    def _entries(self, run: str, after: int, answer: list[Any]) -> list[Entry]:
        match answer[0]:
            case b"found":
                flat = answer[1:]
                return [
                    Entry(after + at, self._decoded(decode_event, run, data), int(end))
                    for at, (data, end) in enumerate(zip(flat[::2], flat[1::2], strict=True), 1)
                ]
            case b"ended":
                raise Purged(f"Event {after} of this run has been lost, and nothing follows it.")
            case b"purged":
                raise Purged(f"Events {after + 1} to {int(answer[1]) - 1} of this run are no longer kept.")
            case _:
                raise _unknown()

    def _decoded(self, decode: Callable[[bytes], T], run: str, data: bytes) -> T:
        """Raises LogUnavailable for what cannot be read: the operator's log says why."""
        try:
            return decode(self._opened(f"run/{run}", data))
        except ValueError as error:
            raise self._client.unavailable(error) from error

    def _record(self, run: str, fields: Mapping[bytes, bytes]) -> RunRecord:
        """As it was created, with what has changed since. What is not at enough replicas has not happened yet."""
        record = self._decoded(decode_record, run, fields[b"record"])
        ended = b"code" in fields and fields[b"shown"] == fields[b"last"]
        return replace(
            record,
            owner=fields[b"owner"].decode(),
            policy=fields[b"policy"].decode(),
            extra=self._opened(f"run/{run}", fields[b"extra"]),
            attempt=int(fields[b"attempt"]),
            last=int(fields[b"last"]),
            end=int(fields[b"finish"]),
            code=fields[b"code"].decode() if ended else record.code,
            until=float(fields[b"until"]) if ended else record.until,
        )


def _unknown() -> UnknownRun:
    return UnknownRun("This run is not known.")
