"""All runs of this process: how many at once, the keys that find them again.

Time is the event loop's clock. HTTP is not known here.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..asking import Asker, NullAsker
from ..authoring.around import Arounds
from ..authoring.context import Caller
from ..authoring.tool import Registry
from ..config.memory import memory_limit
from ..config.settings import Settings
from ..eventlog import EventLog
from ..eventlog.quota import Quota
from ..limits.charges import Charges
from ..protocol.access import Access
from ..protocol.account import Trail
from ..protocol.errors import Shutdown
from ..protocol.event import number
from ..protocol.http.trace import Trace, extract_trace
from ..protocol.payer import NOBODY, Payer
from ..protocol.policy import Policy
from .at_work import AtWork
from .audited import AuditedCall
from .callee import Callee
from .counts import RunCounts
from .dependencies import Dependencies
from .elsewhere import Elsewhere
from .finished import FinishedRuns
from .found import FoundRun
from .host import Host
from .keys import call_digest
from .known import KnownRuns
from .loop_watch import LoopWatch
from .memory import RUN_BYTES, Memory, request_bytes
from .places import placing
from .processes import processes_of
from .queues import Queues
from .results import Bounds
from .run import Run, expiries
from .threads import Threads


class Runs(RunCounts):
    """Starts, finds, drains and forgets runs. `tools` call each other by name; `arounds` are around their calls.

    `ended` counts runs by how they ended: "complete" or an error code. `started` counts all. `finished` are those that
    are kept. `steps` counts the tools that tools called, by tool and by how they ended. `watch` names what holds the
    loop, once it is started. `dependencies` is what functions need; its `stop` ends the whole. `charges` holds the
    limits of what callers may have; None for none. `trail` is told of each call. `lock` is `RunKeys.lock`. `elsewhere`
    are the other processes; None without a shared log.
    """

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        tools: Registry | None = None,
        arounds: Arounds = (),
        charges: Charges | None = None,
        trail: Trail | None = None,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self.charges = charges
        self.threads, self.processes = Threads(settings.threads), processes_of(settings)
        self.queues, self.watch = Queues(), LoopWatch(self.threads)
        self.dependencies = Dependencies(settings.cap_seconds)
        self.started = 0
        self.ended: Counter[str] = Counter()
        self.steps: Counter[tuple[str, str]] = Counter()
        self._settings = settings
        self._log = log
        self.clock = asyncio.get_running_loop().time
        self.known = KnownRuns(elsewhere)
        self.lock = self.known.keys.lock
        working, quarter = settings.working_bytes, memory_limit() // 4
        self.memory = Memory(quarter if working is None else working)
        self._at_work = AtWork(settings.max_runs, self.memory)
        self.finished = FinishedRuns(Quota.of(settings, quarter), self._drop)
        self.host = Host(
            log,
            Registry() if tools is None else tools,
            tuple(arounds),
            self.threads,
            placing(self.processes),
            self.queues,
            charges,
            self.dependencies,
            self.memory,
            Bounds(settings.max_event_bytes, settings.keep_seconds),
            self.steps,
            trail,
            expiries(),
            self._at_work.lingering,
            settings.linger_seconds,
            self._on_end,
            self._on_idle,
            elsewhere,
        )
        self.elsewhere = elsewhere

    async def start(
        self,
        callee: Callee,
        arguments: dict[str, Any],
        policy: Policy,
        *,
        access: Access,
        headers: Mapping[str, str],
        body: bytes = b"",
        cap_seconds: float | None = None,
        key: str | None = None,
        identity: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        asker: Asker | None = None,
        trace: Trace | None = None,
        payer: Payer = NOBODY,
        extra: bytes = b"",
        params: Mapping[str, Any] | None = None,
    ) -> Run:
        """Start a run.

        access: who calls. Others cannot find the run.
        body: that of the request, from which the arguments were parsed.
        key: finds the run again (`find_by_key`); the caller has made sure that no run has it yet.
        identity: what a request with the same key must repeat, as it was sent; by default the arguments.
        asker: how the function asks its caller back; None where it cannot.
        trace: the caller's trace context; by default that of the headers.
        payer: whom the run is charged to.
        extra: the dialect's own in the record of a run with a key, which other nodes know from its start.
        params: the arguments as JSON, if the tool may begin again in another process.

        Raises Draining, Overloaded, RateLimited, NotReady (it cannot be audited) and, where a tool works on so many
        calls at once, QueueFull, with Retry-After.
        """
        size = RUN_BYTES + request_bytes(body, headers)
        self._at_work.check(size, payer)
        hold = None if self.charges is None else self.charges.run(payer, callee.name)
        ticket = run = None
        try:
            if (limit := callee.at_once) is not None:
                ticket = self.queues.join(callee.name, limit, arguments, payer=payer)
            call = b"" if key is None else call_digest(callee, arguments if identity is None else identity)
            if params is not None and asker is None:
                asker = NullAsker()  # which keeps the values of `ctx.once`
            cap = self._cap(callee, policy.promoted_to or policy, cap_seconds)
            caller = Caller(
                access=access,
                headers=headers,
                deadline=self.clock() + cap,
                clock=self.clock,
                asker=asker,
                trace=extract_trace(headers) if trace is None else trace,
                dialect=policy.dialect,
            )
            unless = math.inf if policy.promoted_to is None else self._settings.cap_seconds
            run = Run(
                *(callee, policy, caller, self.host),
                cap=cap,
                unless_promoted=unless,
                size=size,
                ticket=ticket,
                payer=payer,
            )
            if params is not None:
                run.may_restart(params)
            self._at_work.add(run, hold)
            self.started += 1
            self.known.runs[run.id] = run
            if key is not None:
                await self.known.name(run, key, call)
            if (trail := self.host.trail) is not None:
                run.audited = AuditedCall(trail, caller, callee, run.id)
                run.audited.began(arguments)
            await run.begin(arguments, {**(metadata or {}), "cap_seconds": number(cap)})
            if key is not None:
                await run.publish(extra)
        except BaseException:
            if hold is not None:
                hold.release()
            if run is not None:
                self._never_began(run)
            if ticket is not None:
                ticket.leave()
            raise
        return run

    def check(self, size: int = 0, payer: Payer = NOBODY) -> None:
        """Raises Draining or Overloaded if no run that holds `size` bytes can be started now (`AtWork.check`)."""
        self._at_work.check(size, payer)

    async def find(self, run_id: str, principal: str) -> FoundRun:
        """The run of that id. Raises LogUnavailable, UnknownRun, also for another principal's, so that none is probed.
        It suspends only for a run of another process: nothing comes between this and the use of one of this.
        """
        return await self.known.find(run_id, principal)

    async def find_by_key(
        self, key: str, principal: str, callee: Callee | None, identity: Mapping[str, Any]
    ) -> FoundRun | None:
        """The run that was started with that key, if any. Raises RunConflict if `identity` differs, LogUnavailable."""
        return await self.known.find_by_key(key, principal, callee, identity)

    def forget(self, run: Run) -> None:
        """Do not keep the run once it has ended, although its policy says so: no caller can come back to it, unless to
        results that were linked."""
        if run.results is None and run.kept and self.known.here(run.id) is run:
            self.finished.kept_long_enough(run)

    async def drain(self) -> None:
        """Refuse new runs and end all with `shutdown`.

        Returns when their last events are in the log, their functions have cleaned up or were abandoned, and what they
        took is closed. The caller bounds the wait.
        """
        self._at_work.draining = True
        if self.elsewhere is not None:
            self.elsewhere.drain()
        working = self.at_work
        for run in working:
            run.stop(Shutdown("The server was stopped while the run was being worked on."))
        await asyncio.gather(*(run.stopped() for run in working))
        if self._at_work.closing:
            await asyncio.wait(self._at_work.closing)
        await self.dependencies.closings.ended()
        await asyncio.gather(self.threads.ended(), self.processes.ended())

    def close(self) -> None:
        """Cancel the timer and the watch, and kill the processes that are left: this one is exiting."""
        self.processes.kill()
        self.finished.close()
        self.watch.stop()

    def adopt(self, run: Run, key: str | None, digest: bytes) -> Callable[[], None]:
        """A run that another process has begun works here from now on. Returns what undoes that."""
        run.key, run.digest = key, digest
        self._at_work.add(run, None)
        self.started += 1
        self.known.runs[run.id] = run
        if key is not None:
            self.known.keys.remember(run.principal, key, digest, run.id)
        return partial(self._never_began, run)

    def _never_began(self, run: Run) -> None:
        self._at_work.remove(run)
        if run.audited is not None:
            run.audited.ended("never_began", 0.0, None)
        run.release_request()
        self._drop(run)

    def _cap(self, callee: Callee, policy: Policy, asked: float | None) -> float:
        cap = self._settings.run_life_seconds if policy.long_lived else self._settings.cap_seconds
        for limit in (callee.time_limit, asked):
            if limit is not None and limit < cap:
                cap = limit
        return cap

    def _on_end(self, run: Run) -> None:
        self._at_work.remove(run)
        if run.closing is not None:
            self._at_work.clean_up(run.closing)
        self.ended[run.code or ""] += 1
        if run.kept:
            self.finished.add(run, self.clock() + self.kept_for(run))
            run.release_log()
        elif run.abandoned:
            self._drop(run)  # who has it now is asked for it

    def kept_for(self, run: Run) -> float:
        """The seconds for which a run is kept that ends now."""
        life_left = max(0.0, run.deadline - self.clock()) if run.policy.keeps_result else 0.0
        return life_left + self._settings.keep_seconds

    def _on_idle(self, run: Run) -> None:
        """The run has ended and has no reader: forget it now if it cannot be resumed."""
        if run.kept:
            self.finished.idle(run)
        else:
            self._drop(run)

    def _drop(self, run: Run) -> None:
        self.known.drop(run)
        run.release_log()  # which a slow reader may have kept it from, long after its end
        self._log.forget(run.id)
