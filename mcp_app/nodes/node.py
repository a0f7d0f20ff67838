"""`Node`: this process among those that share a log. It joins with a lease, and joins again as another node when it has
lost it; it publishes its runs, finds those of others, and takes over those of the dead.

An `Elsewhere` of runs/elsewhere.py. HTTP and dialects are not known here.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import time
import weakref
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from ..authoring.tool import Registry
from ..config.settings import Settings
from ..eventlog.quota import Quota
from ..eventlog.records import RunRecord
from ..eventlog.shared import RENEW_SECONDS, RETRY_SECONDS, SharedLog
from ..protocol.errors import Fenced, LogUnavailable, UnknownRun
from ..protocol.linked import Kept
from ..protocol.policy import ROWS, Policy
from ..runs import Run, Runs
from ..runs.known import KnownRuns
from ..runs.write_through import LogCounts
from ..runs.writer import Writer
from .drained_waits import DrainedWaits
from .known_once import KnownOnce
from .lease import Keeping, Lease, keep_by_thread
from .post import Post
from .publishing import PublishedRuns
from .remote_run import RETRY, CalleeName, RemoteRun
from .restarts import Restarts, Reviver
from .run_keys import SharedRunKeys
from .run_letters import RunLetters
from .take_over import TakeOver
from .visits import SharedVisits

logger = logging.getLogger("mcp_app.nodes")

SWEEP_SECONDS = 30.0
"""Between two looks for runs that the log need not keep. What is read meanwhile is kept for two of them."""

_RUN_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_POLICIES = {policy.name: policy for policy in ROWS}


class Node:
    """`keeping` renews its lease, and `clock` says how old that is: the loop's may stand still while a tool holds it.
    `counts` are for an operator."""

    def __init__(
        self,
        log: SharedLog,
        settings: Settings,
        tools: Registry,
        *,
        keeping: Keeping = keep_by_thread,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.log = log
        self.counts = LogCounts()
        self.post = Post(log)
        self.draining = DrainedWaits()
        self.visits = SharedVisits(log, self.post, self.now)
        self._tools = tools
        self._keeping, self._lease_clock = keeping, clock
        self._clock = asyncio.get_running_loop().time
        self._keys = SharedRunKeys(log, self.now)
        self._published = PublishedRuns(
            log, self.now, self.counts, keep_seconds=settings.keep_seconds, max_event_bytes=settings.max_event_bytes
        )
        self._keep_seconds = settings.keep_seconds
        self.take_over = TakeOver(log, settings.keep_seconds, self.counts)
        self._known_once = KnownOnce(log, self._kept_until)
        self.keep_known = self._known_once.keep
        self.revivers: dict[str, Reviver] = {}
        self._remote: weakref.WeakSet[RemoteRun] = weakref.WeakSet()
        self._lease: Lease | None = None
        self._stop_keeping: Callable[[], None] = lambda: None
        self._offset = 0.0
        self._quota, self._sweep_at = Quota.of(settings), 0.0
        self._woken = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._on_joined: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._letters: RunLetters | None = None
        self._stopped = self._away = False

    # --- its life ----------------------------------------------------------------------------------------------------

    async def start(self, known: KnownRuns) -> None:
        """Join the others; `known` are the runs of this process. Raises LogRefused, and LogUnavailable for a log that
        cannot be reached."""
        await self.log.open()
        self._letters = RunLetters(self.post, known)
        self.post.on_dead = self._owner_is_dead
        self.post.on_away = self._was_away
        await self._join()
        self._tasks = [asyncio.create_task(self._watch(), name="watch over other nodes")]

    async def stop(self) -> None:
        """Leave the others: runs that are not ended by now are theirs. Idempotent."""
        if self._stopped:
            return
        self._stopped = True
        lease, self._lease = self._lease, None
        self._stop_keeping()
        self._published.lose_all()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self.post.close()
        if self._letters is not None:
            self._letters.close()
        if lease is not None:
            with suppress(LogUnavailable):  # then it ends by itself
                await self.log.leave(lease.node)
        await self.log.close()

    @property
    def present(self) -> bool:
        return self._lease is not None

    @property
    def id(self) -> str:
        """This node's id. Raises LogUnavailable while it has no lease."""
        if self._lease is None:
            raise LogUnavailable("This process has lost the event log, and is about to find it again.", headers=RETRY)
        return self._lease.node

    def now(self) -> float:
        """The log's clock, as far as it is known: seconds since the epoch."""
        return self._clock() + self._offset

    def drain(self) -> None:
        self.draining.begin()

    def on_joined(self, callback: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Call it now, and each time that this process joins again: what it was told meanwhile is lost."""
        self._on_joined.append(callback)
        self.post.in_background(callback(), "what is read on joining")

    async def _join(self) -> Lease:
        id_ = await self.log.join()
        self._offset = await self.log.now() - self._clock()
        loop = asyncio.get_running_loop()
        lease = self._lease = Lease(self.log, id_, self.counts, self._lease_clock)

        def lost() -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._lost, lease)

        self._stop_keeping = self._keeping(lease, lost)
        self.post.begin(id_)
        for callback in self._on_joined:
            self.post.in_background(callback(), "what is read on joining")
        logger.info("this process is node %s", id_)
        return lease

    def _lost(self, lease: Lease) -> None:
        """The lease is over: whatever was this node's is another's, or will be."""
        if self._lease is lease:
            self._lease = None
            logger.error("node %s has lost its lease: its runs end here, and it joins again", lease.node)
            self._published.lose_all()
            self._woken.set()

    async def _watch(self) -> None:
        """Take over what the dead leave, notice a log that was away, and come back after one's own death."""
        while True:
            # Not all nodes at once: each of them would find the same runs.
            share = random.uniform(0.7, 1.0)  # noqa: S311 - a time, not a secret
            seconds = RENEW_SECONDS * share if self.present else RETRY_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._look(self._lease or await self._join())
            except LogUnavailable:
                self._away = True
            except Exception:  # a defect of a log must not end the watch
                logger.exception("the watch over other nodes failed, and goes on")

    async def _look(self, lease: Lease) -> None:
        """Raises LogUnavailable."""
        self._offset = await self.log.now() - self._clock()
        try:
            await self.take_over.look(lease.node, self.now())
        except Fenced:
            self._stop_keeping()
            self._lost(lease)
            return
        if self._away or self._published.left_over:
            self._away = False
            await self._published.check()
        if self._clock() >= self._sweep_at:
            self._sweep_at = self._clock() + SWEEP_SECONDS
            await self._sweep()

    def _was_away(self) -> None:
        """The log could not be reached for a moment: it may have lost what was written last."""
        self._away = True
        self._woken.set()

    async def _sweep(self) -> None:
        """Keep what is read here, and forget what is too much. Raises LogUnavailable."""
        for run in tuple(self._remote):
            if run.is_read:
                await self.keep(run)
        self.counts.usage = await self.log.sweep(self._quota)
        self.counts.forgotten += self.counts.usage.forgotten

    # --- runs --------------------------------------------------------------------------------------------------------

    async def publish(self, run: Run, writer: Writer, extra: bytes, policy: Policy) -> None:
        await self._published.publish(self.id, run, writer, extra, policy)

    async def keep_results(self, run: Run, kept: Mapping[int, Kept]) -> None:
        await self._published.keep_results(run, kept)

    async def find(self, run_id: str, principal: str) -> RemoteRun:
        if not _RUN_ID.fullmatch(run_id):
            raise UnknownRun("This run is not known.")
        record = await self.log.record(run_id)
        if record.principal != principal:
            raise UnknownRun("This run is not known.")
        return self._found(record)

    async def find_by_key(self, key: str, principal: str, digest: bytes | None) -> RemoteRun | None:
        record = await self._keys.find(principal, key, digest)
        return None if record is None else self._found(record)

    def begin_again_with(self, runs: Runs) -> None:
        """From now on runs of the dead whose tools say so begin again here, as this process is ready to work."""
        again = (self.log, runs, self._tools, self._published, self._known_once, self.revivers)
        self.take_over.restart = Restarts(*again).restart

    def _kept_until(self, run: Run) -> float:
        return self.now() + run.cap + self._keep_seconds

    async def claim_key(self, run: Run) -> None:
        assert run.key is not None  # noqa: S101 - it is claimed as it has one
        until = self._kept_until(run)
        await self._keys.claim(run.principal, run.key, run.id, run.digest, self.id, until)

    async def keep(self, run: RemoteRun) -> None:
        """Somebody here reads the run: it is not forgotten before the look after the next. What fails is done then."""
        with suppress(UnknownRun, LogUnavailable):
            await self.log.keep(run.id, self.now() + 2 * SWEEP_SECONDS)

    def _found(self, record: RunRecord) -> RemoteRun:
        policy = _POLICIES.get(record.policy)
        if policy is None:
            raise UnknownRun("This run was started by another release of this server, which alone can show it.")
        callee = self._tools.find(record.callee) or CalleeName(record.callee)
        run = RemoteRun(self, record, callee, policy)
        self._remote.add(run)
        return run

    def _owner_is_dead(self, owner: str) -> None:
        """Who reads one of its runs here tells the next one."""
        for run in tuple(self._remote):
            if run.record.owner == owner and run.has_readers:
                self.post.in_background(run.find_owner(), f"owner of run {run.id}")
