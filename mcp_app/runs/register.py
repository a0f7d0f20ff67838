"""All runs of this process: how many at once, the keys that find them again.

Time is the event loop's clock. HTTP is not known here.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..asking import Asker
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
from ..protocol.errors import Shutdown, UnknownRun
from ..protocol.event import number
from ..protocol.http.trace import Trace, extract_trace
from ..protocol.payer import NOBODY, Payer
from ..protocol.policy import Policy
from .at_work import AtWork
from .audited import AuditedCall
from .callee import Callee
from .dependencies import Dependencies
from .finished import FinishedRuns
from .host import Host
from .keys import RunKeys, call_digest
from .loop_watch import LoopWatch
from .memory import RUN_BYTES, Memory, request_bytes
from .places import placing
from .processes import processes_of
from .queues import Queues
from .results import Bounds
from .run import Run, expiries
from .threads import Threads


class Runs:
    """Starts, finds, drains and forgets runs. `tools` call each other by name; `arounds` are around their calls.

    `ended` counts runs by how they ended: "complete" or an error code. `started` counts all. `finished` are those that
    are kept. `steps` counts the tools that tools called, by tool and by how they ended. `watch` names what holds the
    loop, once it is started. `dependencies` is what functions need; its `stop` ends the whole. `charges` holds the
    limits of what callers may have; None for none. `trail` is told of each call. `lock` is `RunKeys.lock`.
    """

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        tools: Registry | None = None,
        arounds: Arounds = (),
        charges: Charges | None = None,
        trail: Trail | None = None,
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
        self._clock = asyncio.get_running_loop().time
        self._runs: dict[str, Run] = {}
        working, quarter = settings.working_bytes, memory_limit() // 4
        self.memory = Memory(quarter if working is None else working)
        self._at_work = AtWork(settings.max_runs, self.memory)
        self.finished = FinishedRuns(Quota.of(settings, quarter), self._drop)
        self._keys = RunKeys()
        self.lock = self._keys.lock
        self._host = Host(
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
        )

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
        return len(self._runs)

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
    ) -> Run:
        """Start a run.

        access: who calls. Others cannot find the run.
        body: that of the request, from which the arguments were parsed.
        key: finds the run again (`find_by_key`); the caller has made sure that no run has it yet.
        identity: the parameters as they were sent, which a request with the same key must repeat; by default the
            arguments.
        asker: how the function asks its caller back; None where it cannot.
        trace: the caller's trace context; by default that of the headers.
        payer: whom the run is charged to.

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
            cap = self._cap(callee, policy.promoted_to or policy, cap_seconds)
            caller = Caller(
                access=access,
                headers=headers,
                deadline=self._clock() + cap,
                clock=self._clock,
                asker=asker,
                trace=extract_trace(headers) if trace is None else trace,
                dialect=policy.dialect,
            )
            unless = math.inf if policy.promoted_to is None else self._settings.cap_seconds
            run = Run(
                *(callee, policy, caller, self._host),
                cap=cap,
                unless_promoted=unless,
                size=size,
                ticket=ticket,
                payer=payer,
            )
            self._at_work.add(run, hold)
            self.started += 1
            self._runs[run.id] = run
            if key is not None:
                self._keys.remember(access.principal, key, call, run.id)
            if (trail := self._host.trail) is not None:
                run.audited = AuditedCall(trail, caller, callee, run.id)
                run.audited.began(arguments)
            await run.begin(arguments, {**(metadata or {}), "cap_seconds": number(cap)})
        except BaseException:
            if hold is not None:
                hold.release()
            if run is not None:
                self._never_began(run)
            if ticket is not None:
                ticket.leave()
            raise
        return run

    @property
    def draining(self) -> bool:
        """Whether the server is being stopped, and new runs are refused."""
        return self._at_work.draining

    def check(self, size: int = 0, payer: Payer = NOBODY) -> None:
        """Raises Draining or Overloaded if no run that holds `size` bytes can be started now (`AtWork.check`)."""
        self._at_work.check(size, payer)

    async def find(self, run_id: str, principal: str) -> Run:
        """The run of that id. Raises UnknownRun, also for another principal's run, so that ids cannot be probed.

        It suspends only for a run that is not worked on here: between this and the use of a local run nothing happens.
        """
        run = self.find_here(run_id, principal)
        if run is None:
            raise UnknownRun("This run is not known.")
        return run

    async def find_by_key(
        self, key: str, principal: str, callee: Callee | None, identity: Mapping[str, Any]
    ) -> Run | None:
        """The run that was started with that key; None if there is none. Raises RunConflict if `identity` differs."""
        return self.find_by_key_here(key, principal, callee, identity)

    def find_here(self, run_id: str, principal: str) -> Run | None:
        """The principal's run of that id, if it is one of this process."""
        run = self._runs.get(run_id)
        return None if run is None or run.principal != principal else run

    def find_by_key_here(
        self, key: str, principal: str, callee: Callee | None, identity: Mapping[str, Any]
    ) -> Run | None:
        """As `find_by_key`, among the runs of this process."""
        return self._runs.get(self._keys.find(principal, key, callee, identity) or "")

    def forget(self, run: Run) -> None:
        """Do not keep the run once it has ended, although its policy says so: no caller can come back to it, unless to
        results that were linked."""
        if run.results is None and run.kept and run.id in self._runs:
            self.finished.kept_long_enough(run)

    async def drain(self) -> None:
        """Refuse new runs and end all with `shutdown`.

        Returns when their last events are in the log, their functions have cleaned up or were abandoned, and what they
        took is closed. The caller bounds the wait.
        """
        self._at_work.draining = True
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
        if not run.kept:
            return
        life_left = max(0.0, run.deadline - self._clock()) if run.policy.keeps_result else 0.0
        self.finished.add(run, self._clock() + life_left + self._settings.keep_seconds)
        run.release_log()

    def _on_idle(self, run: Run) -> None:
        """The run has ended and has no reader: forget it now if it cannot be resumed."""
        if run.kept:
            self.finished.idle(run)
        else:
            self._drop(run)

    def _drop(self, run: Run) -> None:
        self._runs.pop(run.id, None)
        run.release_log()  # which a slow reader may have kept it from, long after its end
        self._keys.forget(run.id)
        self._log.forget(run.id)
