"""Processes for functions that compute: bounded in number, started when needed, each with one call at a time.

Which tools work there is their authors' word. What a process and a call of it are is in process.py and process_call.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from ..authoring.caller import Caller
from ..authoring.placement import SentArguments
from ..config.settings import Settings
from ..protocol.errors import McpAppError, Overloaded, ToolFailed
from ..protocol.event import Event, EventType, encode
from ..protocol.packets import Packet, PacketError
from ..protocol.relay import PacketKind
from . import closings, shared
from .callee import Callee, called
from .execution import Outcome, Until
from .fair_places import FairPlaces
from .process import Process
from .process_call import ProcessCall, call_packet
from .process_places import ProcessPlace, ProcessPlaces
from .sends import Emit
from .threads import QUEUE_SECONDS

CLEANUP_SECONDS = 1.0
"""Seconds that a cancelled function has for its cleanup before its process is killed: unlike a thread it can be."""

CLOSE_SECONDS = closings.CLOSE_SECONDS + CLEANUP_SECONDS
"""Seconds for closing what a call took by its `Depends`, once its result was sent."""

STOP_SECONDS = shared.CLOSE_SECONDS + CLEANUP_SECONDS
"""Seconds for closing what a process shares, when the server stops."""

logger = logging.getLogger("mcp_app.runs")


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes_of(settings: Settings) -> Processes:
    """As many as the operator says: by default as many as there are processors."""
    limit, most = settings.processes or cores(), settings.max_event_bytes // 2
    return Processes(limit, most=most, cap_seconds=settings.cap_seconds)


class NoProcess(Overloaded):
    """No process was free. A class of its own, as NoThread is."""


class Processes:
    """At most `limit` processes. `most`: bytes that the error of a call may have. `cap_seconds`: for each maker of what
    the calls of a process share."""

    def __init__(self, limit: int, *, most: int, cap_seconds: float) -> None:
        self._places = ProcessPlaces(limit)
        self._most = most
        self._cap_seconds = cap_seconds
        self._all: set[Process] = set()
        self._idle: list[Process] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._working = 0
        self._short = False

    @property
    def working(self) -> int:
        """Processes that work on a call, or still end one."""
        return self._working

    @property
    def started(self) -> int:
        """Processes that live."""
        return len(self._all)

    @property
    def idle(self) -> int:
        """Processes that wait for a call."""
        return len(self._idle)

    async def work(
        self,
        callee: Callee,
        arguments: SentArguments,
        caller: Caller,
        emit: Emit,
        run: str,
        until: Until | None = None,
    ) -> Outcome:
        """Run the function of a tool in a process. `run` names the run in the log. `until` is called with a future that
        is done when the process is free again, or gone: it may work for longer than its run.

        Raises RelayedError for what it raised there, ToolFailed for a process that ended, NoProcess when none was free,
        EventTooLarge for arguments that are, and what `emit` raises. Whoever is cancelled here is done at once; the
        process has CLEANUP_SECONDS.
        """
        name = f"run {run}: {callee.name}"
        place = await self._place(name, caller, emit)
        try:
            packet = call_packet(callee, arguments, caller, run, self._most)
            process = await self._process()
        except BaseException:
            self._leave(place)
            raise
        call = ProcessCall(process, callee, caller, emit)
        if until is not None:
            until(call.ended)
        try:
            with place.being_lent():
                return await call.outcome(packet)
        except PacketError as error:
            process.kill(f"sent what cannot be read ({error}), and was killed")
            raise ToolFailed(f"The process of the {called(callee)} sent what cannot be read.") from error
        except BaseException as error:
            call.cancel(caller.reason or (error.code if isinstance(error, McpAppError) else "tool_failed"))
            raise
        finally:
            if call.over.is_set() and process.works:
                self._give_back(process, call, place)
            else:
                seconds = CLOSE_SECONDS if call.has_ended else CLEANUP_SECONDS
                ending = asyncio.create_task(
                    self._end(process, call, place, name, seconds), name=f"end of a call in process {process.pid}"
                )
                self._watch(ending)

    async def ended(self) -> None:
        """Wait until no call is being ended any more."""
        while self._ending:
            await asyncio.wait(self._ending)

    async def close(self) -> None:
        """End all processes, of which those that wait for a call close what they share. After all runs were ended."""
        await self.ended()
        idle, self._idle = self._idle, []
        for process in idle:
            process.send(Packet(PacketKind.STOP))
        await asyncio.gather(*(self._stopped(process) for process in self._all))
        self._all.clear()

    def kill(self) -> None:
        """The server ends now."""
        for process in list(self._all):
            process.abandon()

    # --- places ------------------------------------------------------------------------------------------------------

    async def _place(self, name: str, caller: Caller, emit: Emit) -> ProcessPlace:
        async def wait(place: FairPlaces | asyncio.Semaphore) -> None:
            # Half of its time at most: what ended by its deadline would not say that it never began.
            patience = (caller.deadline - caller.clock()) / 2
            if not caller.path:  # a step has nowhere to go
                patience = min(QUEUE_SECONDS, patience)
            await emit((_queued(patience),))
            if not self._short:  # one line until a process is free again, not one for each call
                self._short = True
                logger.warning("no process is free for %s: %d are working", name, self._working)
            try:
                async with asyncio.timeout(patience):
                    await place.acquire()
            except TimeoutError:
                raise NoProcess(
                    f"No process was free for {patience:.3g} seconds: as many as {self._places.whose} are working. "
                    "The call did not begin."
                ) from None

        place = await self._places.take(wait)
        self._working += 1
        return place

    def _leave(self, place: ProcessPlace) -> None:
        self._working -= 1
        place.leave()
        self._short = self._short and self._places.full

    async def _process(self) -> Process:
        """One that waits, the last that worked first: it has the most in its caches. Or a new one."""
        for idle in reversed(self._idle):
            if idle.works:  # else its end is half seen
                self._idle.remove(idle)
                return idle
        process = Process()
        self._all.add(process)
        try:
            await process.start()
        except BaseException:
            process.kill()
            self._all.discard(process)
            raise
        level = logging.getLogger("mcp_app").getEffectiveLevel()
        start = {"argv": sys.argv, "cap_seconds": self._cap_seconds}
        process.send(Packet(PacketKind.START, {"level": level}, encode(start)))
        return process

    def _give_back(self, process: Process, call: ProcessCall, place: ProcessPlace) -> None:
        call.close()
        self._leave(place)
        if process.works:
            self._idle.append(process)
            process.on_end = lambda why: self._lose(process, why)
            while len(self._idle) > self._places.limit + self._working:  # there were more, in places that were lent
                self._retire(self._idle.pop(0))
        else:
            self._all.discard(process)

    def _lose(self, process: Process, why: str) -> None:
        self._all.discard(process)
        if process in self._idle:
            self._idle.remove(process)
            logger.warning("process %d, which waited for a call, %s", process.pid, why)

    def _retire(self, process: Process) -> None:
        process.works = False
        process.send(Packet(PacketKind.STOP))
        self._watch(asyncio.create_task(self._stopped(process), name=f"end of process {process.pid}"))

    def _watch(self, ending: asyncio.Task[None]) -> None:
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    # --- ends --------------------------------------------------------------------------------------------------------

    async def _end(self, process: Process, call: ProcessCall, place: ProcessPlace, name: str, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await call.over.wait()
        except TimeoutError:
            logger.warning("%s did not end in %g s: its process is killed", name, seconds)
            process.kill()
        except asyncio.CancelledError:  # with all tasks of the loop
            process.kill()
            raise
        finally:
            if not process.works:
                await process.ended()
            self._give_back(process, call, place)

    async def _stopped(self, process: Process) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.ended()
        except TimeoutError:
            process.kill()
            await process.ended()


def _queued(patience: float) -> Event:
    line = {"level": "notice", "message": f"queued: no process is free; waiting for one, {patience:.2g} s at most"}
    return Event(EventType.LOG, encode(line))
