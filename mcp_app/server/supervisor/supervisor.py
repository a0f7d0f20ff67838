"""Which processes there are to be: what is started, restarted, replaced and ended, and when the server gives up.

It looks at its processes whenever something happened (`turn`), and says until when nothing will (`due`). No signal, no
socket and no loop is known here, and what a process is only by the Protocol below: so it is tested without any.
"""

from __future__ import annotations

import logging
import signal
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from .backoff import STABLE_SECONDS, Backoff
from .web_process import how, is_orderly

log = logging.getLogger("mcp_app.server")

FAILED = 1
"""Exit status: nothing served, or something had to be ended by force."""


class ServingProcess(Protocol):
    """`web_process.WebProcess`."""

    is_ready: bool
    hand_over_seconds: float

    def replace(self) -> None:
        """Have it finish and end."""

    def stop(self) -> None:
        """Have it end."""

    def signal(self, number: int) -> None:
        """Send it a signal."""

    def poll(self) -> int | None:
        """Its exit status."""


class _Member:
    """A process and its times, in seconds of the clock."""

    def __init__(self, process: ServingProcess, kill_at: float) -> None:
        self.process = process
        self.ready_at: float | None = None
        self.kill_at: float | None = kill_at
        """When it is ended by force: it has not become ready, or has not ended."""


class _Slot:
    """The processes of one number: one serves, another may be about to take its place, a third to leave it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.serving: _Member | None = None
        self.successor: _Member | None = None
        self.leaving: _Member | None = None
        self.start_at: float | None = None
        self.backoff = Backoff()

    @property
    def members(self) -> list[_Member]:
        return [each for each in (self.serving, self.successor, self.leaving) if each is not None]

    @property
    def is_settled(self) -> bool:
        """Whether it serves, and nothing is on its way."""
        return self.members == [self.serving] and self.serving is not None and self.serving.ready_at is not None

    def is_hopeless(self, now: float) -> bool:
        """Whether its processes ended so often that the server is given up, if no other serves."""
        ready_at = None if self.serving is None else self.serving.ready_at
        return self.backoff.is_hopeless and (ready_at is None or now - ready_at < STABLE_SECONDS)


class Supervisor:
    """`count` workers, the first of which is started alone: what prevents the start is said once."""

    def __init__(
        self,
        count: int,
        start: Callable[[int], ServingProcess],
        clock: Callable[[], float],
        *,
        start_seconds: float,
        stop_seconds: float,
    ) -> None:
        """`start` makes a process of that number; it may raise OSError. One that is not ready after `start_seconds`, or
        has not ended `stop_seconds` after it should have begun to, is killed."""
        self._slots = [_Slot(number) for number in range(1, count + 1)]
        self._start_process = start
        self._clock = clock
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._to_replace: deque[_Slot] = deque()
        self._is_replacing = False
        self.serves = False
        """Whether a worker has been ready."""
        self._stopping = False
        self._exit_status = 0
        self._slots[0].start_at = clock()

    @property
    def status(self) -> int | None:
        """The exit status, once nothing is left to do."""
        return self._exit_status if self._stopping and not any(self._members()) else None

    def due(self) -> float | None:
        """When `turn` has something to do, if nothing happens before."""
        times = [slot.start_at for slot in self._slots] + [member.kill_at for member in self._members()]
        return min((each for each in times if each is not None), default=None)

    def unserved(self) -> list[int]:
        """The numbers that no process has, or only one that leaves."""
        return [slot.number for slot in self._slots if slot.serving is None]

    def turn(self) -> None:
        """Look at every process, and do what is due."""
        now = self._clock()
        for slot in self._slots:
            for member in slot.members:
                self._look(slot, member, now)
        for slot in self._slots:
            if slot.start_at is not None and slot.start_at <= now:
                self._start(slot, now)
        self._replace_next(now)

    def replace(self) -> None:
        """Replace every process by one of what the files are now, one after the other."""
        if self._stopping:
            return
        log.info("SIGUSR2: replacing %d workers, one after the other", len(self._slots))
        now = self._clock()
        for slot in self._slots:
            slot.backoff.forget()
            if slot.start_at is not None:
                slot.start_at = now
        self._is_replacing = True
        self._to_replace = deque(slot for slot in self._slots if slot.serving is not None)
        self.turn()

    def stop(self, status: int = 0) -> None:
        """End every process in order. `status` is the exit status if all of them do."""
        if self._stopping:
            return
        self._stopping, self._is_replacing, self._exit_status = True, False, status
        self._to_replace.clear()
        now = self._clock()
        for slot in self._slots:
            slot.start_at = None
            for member in slot.members:
                member.process.stop()
                member.kill_at = now + self._stop_seconds

    def signal(self, number: int) -> None:
        """Send every process that is ready a signal; the others would not handle it yet."""
        for member in self._members():
            if member.ready_at is not None:
                member.process.signal(number)

    def kill(self) -> None:
        """End every process at once."""
        for member in self._members():
            member.process.signal(signal.SIGKILL)

    def _members(self) -> Iterator[_Member]:
        for slot in self._slots:
            yield from slot.members

    def _start(self, slot: _Slot, now: float) -> None:
        slot.start_at = None
        try:
            slot.serving = self._member(slot, now)
        except OSError as error:
            self._plan_restart(slot, None, f"worker {slot.number} cannot be started: {error.strerror or error}", now)

    def _member(self, slot: _Slot, now: float) -> _Member:
        return _Member(self._start_process(slot.number), now + self._start_seconds)

    def _look(self, slot: _Slot, member: _Member, now: float) -> None:
        process = member.process
        if process.is_ready and member.ready_at is None and not self._stopping:
            self._on_ready(slot, member, now)
        if (status := process.poll()) is not None:
            self._on_end(slot, member, status, now)
        elif member.kill_at is not None and now >= member.kill_at:
            due = "stopped" if self._stopping or member is slot.leaving else "ready"
            log.error("%s is not %s in time, and is killed", process, due)
            member.kill_at = None
            if self._stopping:
                self._exit_status = FAILED
            process.signal(signal.SIGKILL)

    def _on_ready(self, slot: _Slot, member: _Member, now: float) -> None:
        member.ready_at, member.kill_at = now, None
        log.info("%s is ready", member.process)
        if not self.serves:
            self.serves = True
            for other in self._slots[1:]:
                other.start_at = now
        if member is slot.successor:
            slot.successor, slot.leaving, slot.serving = None, slot.serving, member
            if (leaving := slot.leaving) is not None:
                leaving.process.replace()
                leaving.kill_at = now + leaving.process.hand_over_seconds + self._stop_seconds

    def _on_end(self, slot: _Slot, member: _Member, status: int, now: float) -> None:
        process, was_ready = member.process, member.ready_at is not None
        if self._stopping:
            if not is_orderly(status, was_ready=was_ready):
                log.warning("%s %s", process, how(status))
                self._exit_status = FAILED
            self._forget(slot, member)
        elif member is slot.leaving:
            log.log(logging.INFO if status == 0 else logging.WARNING, "%s, replaced, %s", process, how(status))
            slot.leaving = None
        elif member is slot.successor:
            slot.successor = None
            self._give_replacing_up(f"{process} {how(status)} before it was ready")
        elif slot.successor is not None:
            log.warning("%s %s; another was about to take its place", process, how(status))
            slot.serving, slot.successor = slot.successor, None
        elif not self.serves:
            slot.serving = None
            if status < 0:
                log.error("%s %s before it was ready", process, how(status))
            self.stop(status if status > 0 else FAILED)
        else:
            slot.serving = None
            lived = None if member.ready_at is None else now - member.ready_at
            since = "before it was ready" if lived is None else f"after {lived:.0f} s"
            self._plan_restart(slot, lived, f"{process} {how(status)} {since}", now)

    def _plan_restart(self, slot: _Slot, lived: float | None, what: str, now: float) -> None:
        delay = slot.backoff.delay(lived)
        if all(each.is_hopeless(now) for each in self._slots):
            log.critical(
                "%s, the last of %d in a row; no worker stays: giving up. Why is above, in the lines of the workers",
                *(what, sum(each.backoff.failures for each in self._slots)),
            )
            self.stop(FAILED)
            return
        slot.start_at = now + delay
        log.error("%s; %s", what, f"the next is started in {delay:g} s" if delay else "another is started")

    def _replace_next(self, now: float) -> None:
        if not self._is_replacing or not all(slot.is_settled for slot in self._slots):
            return
        if not self._to_replace:
            self._is_replacing = False
            log.info("every worker is replaced")
            return
        slot = self._to_replace.popleft()
        try:
            slot.successor = self._member(slot, now)
        except OSError as error:
            self._give_replacing_up(f"worker {slot.number} cannot be started: {error.strerror or error}")

    def _give_replacing_up(self, why: str) -> None:
        log.error("%s: nothing is replaced, and those from before go on", why)
        self._to_replace.clear()
        self._is_replacing = False

    @staticmethod
    def _forget(slot: _Slot, member: _Member) -> None:
        for role in ("serving", "successor", "leaving"):
            if getattr(slot, role) is member:
                setattr(slot, role, None)
