"""The way to the shared log: what is shown is written, whoever is cancelled, and whatever the log has lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from loop_clock import on_loop_clock
from nodes_stage import RUNS, nodes, now, settle

from mcp_app.eventlog.memory import MemoryLog
from mcp_app.eventlog.records import Ending, RunRecord
from mcp_app.eventlog.shared_memory import MemorySharedLog, SharedMemory
from mcp_app.protocol.errors import Fenced, LogUnavailable
from mcp_app.protocol.event import Event, EventType
from mcp_app.protocol.policy import Retention
from mcp_app.runs.write_through import LogCounts, WriteThrough
from mcp_app.runs.writer import Writer

KEEP = Retention(1024, 4_000_000)
RUN = "a" * 32


def event(text: str, kind: EventType = EventType.PROGRESS) -> Event:
    return Event(kind, f'"{text}"'.encode(), b"{}")


class DelayedLog(MemorySharedLog):
    """Takes a second for each append, and may lose what came before the answer to it."""

    def __init__(self, shared: SharedMemory) -> None:
        super().__init__(shared)
        self.lose_answers = 0
        self.seconds = 1.0

    async def append(
        self, run: str, owner: str, first: int, events: Sequence[Event], ending: Ending | None = None
    ) -> None:
        await asyncio.sleep(self.seconds / 2)
        await super().append(run, owner, first, events, ending)
        await asyncio.sleep(self.seconds / 2)
        if self.lose_answers:
            self.lose_answers -= 1
            raise LogUnavailable("The answer was lost.")


class Scene:
    """One published run, its writer and both logs."""

    def __init__(self) -> None:
        self.shared = SharedMemory(now)
        self.log = DelayedLog(self.shared)
        self.local = MemoryLog()
        self.writer = Writer(self.local, RUN, waits=False)
        self.lost = 0
        self.counts = LogCounts()
        self.give_up_at = now() + 600

    async def begin(self) -> None:
        self.owner = await self.log.join()
        await self.writer.open(KEEP, event("started", EventType.STARTED))

        async def begin(kept: list[Any], last: int, end: int) -> WriteThrough:
            record = RunRecord(RUN, self.owner, "echo", "ann", "plain, detached", 0.0, 0.0, 60.0)
            through = WriteThrough(
                *(self.log, self.local, record, KEEP),
                on_lost=self._lost,
                until=lambda: now() + 60,
                give_up_at=self.give_up_at,
                counts=self.counts,
            )
            await through.begin(kept, None)
            return through

        await self.writer.publish(begin)

    def _lost(self) -> None:
        self.lost += 1

    async def texts(self) -> list[str]:
        """What is written; what is shown must be a part of it."""
        written = [entry.event.data.decode().strip('"') for entry in self.shared.runs[RUN].entries]
        shown = [entry.event.data.decode().strip('"') for entry in await self.local.read(RUN, 0, 0)]
        assert written[: len(shown)] == shown
        return written


@on_loop_clock
async def test_who_is_cancelled_while_it_writes_leaves_no_number_twice() -> None:
    scene = Scene()
    await scene.begin()
    for seconds in (0.1, 0.6, 1.1):
        saying = asyncio.create_task(scene.writer.emit((event(f"cancelled after {seconds}"),)))
        await asyncio.sleep(seconds)
        saying.cancel()
        await asyncio.wait({saying})
        await scene.writer.emit((event(f"after {seconds}"),))
    written = await scene.texts()
    assert written == ["started", *[f"{what} {s}" for s in (0.1, 0.6, 1.1) for what in ("cancelled after", "after")]]
    assert scene.writer.events == len(written) == scene.shared.runs[RUN].record.last


@on_loop_clock
async def test_one_that_was_cancelled_twice_still_leaves_none() -> None:
    scene = Scene()
    await scene.begin()
    saying = asyncio.create_task(scene.writer.emit((event("x"),)))
    for _ in range(3):
        await asyncio.sleep(0.2)
        saying.cancel()
    await asyncio.wait({saying})
    assert saying.cancelled()
    await scene.writer.emit((event("y"),))
    assert await scene.texts() == ["started", "x", "y"]


@on_loop_clock
async def test_a_lost_answer_doubles_nothing() -> None:
    scene = Scene()
    await scene.begin()
    scene.log.lose_answers = 2
    await scene.writer.emit((event("x"), event("y")))
    await scene.writer.emit((event("z"),))
    assert await scene.texts() == ["started", "x", "y", "z"]
    assert scene.counts.waits == 2


@on_loop_clock
async def test_what_a_failover_has_lost_is_appended_again() -> None:
    scene = Scene()
    await scene.begin()
    for text in "abcd":
        await scene.writer.emit((event(text),))
    log = scene.shared.runs[RUN]
    del log.entries[2:]  # a replica that had two of them
    log.record = RunRecord(
        RUN, scene.owner, "echo", "ann", "plain, detached", 0, 0, 60, last=2, end=log.entries[-1].end
    )
    await scene.writer.emit((event("e"),))
    assert await scene.texts() == ["started", *"abcde"]
    assert scene.lost == 0


@on_loop_clock
@pytest.mark.parametrize("how", ["append", "check"])
async def test_a_run_that_the_log_knows_no_more_is_created_again(how: str) -> None:
    scene = Scene()
    await scene.begin()
    await scene.writer.emit((event("a"),))
    await scene.log.forget(RUN)
    if how == "check":
        assert scene.writer.through is not None
        await scene.writer.through.check()
    else:
        await scene.writer.emit((event("b"),))
    assert await scene.texts() == (["started", "a"] if how == "check" else ["started", "a", "b"])


@on_loop_clock
async def test_once_another_owns_the_run_nothing_is_written_or_shown() -> None:
    scene = Scene()
    await scene.begin()
    await scene.log.leave(scene.owner)
    other = await scene.log.join()
    await scene.log.take_over(other, 10)
    with pytest.raises(asyncio.CancelledError):
        await scene.writer.emit((event("late"),))
    scene.writer.close("complete")
    with pytest.raises(Fenced):
        await scene.writer.finish(lambda number: event("the end", EventType.COMPLETE))
    assert (await scene.texts(), scene.lost) == (["started"], 1)
    assert scene.counts.lost == 1


@on_loop_clock
async def test_a_log_that_stays_away_loses_the_run_at_its_end_and_no_sooner() -> None:
    scene = Scene()
    scene.give_up_at = now() + 100
    await scene.begin()
    scene.log.reachable = False
    saying = asyncio.create_task(scene.writer.emit((event("x"),)))
    await asyncio.sleep(90)
    assert not saying.done()
    await asyncio.sleep(15)
    assert saying.cancelled()
    assert scene.lost == 1


@on_loop_clock
async def test_the_last_event_ends_the_run_in_both_logs() -> None:
    scene = Scene()
    await scene.begin()
    scene.log.lose_answers = 1
    scene.writer.close("complete")
    await scene.writer.finish(lambda number: event(f"end {number}", EventType.COMPLETE))
    assert await scene.texts() == ["started", "end 2"]
    record = await scene.log.record(RUN)
    assert (record.code, record.last) == ("complete", 2)
    assert record.until is not None
    assert record.until >= now() + 55
    await settle()


@on_loop_clock
async def test_who_is_cancelled_while_its_run_is_published_is_cancelled_whatever_becomes_of_it() -> None:
    async with nodes(1) as (here,):
        here.log.reachable = False
        asking = asyncio.create_task(here.ask("POST", RUNS, {"tool": "walk", "params": {}}))
        await asyncio.sleep(1)
        asking.cancel()
        await asyncio.wait({asking})
        assert asking.cancelled()
        here.log.reachable = True
