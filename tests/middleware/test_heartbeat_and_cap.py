"""Heartbeats in the quiet, and only there; the cap, whatever a tool does; both on one clock that jumps."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence

import pytest
from loop_clock import ClockLoop, on_loop_clock

from mcp_app.middleware import Batch, Batches, Mark
from mcp_app.middleware.heartbeat import Heartbeat
from mcp_app.middleware.time_cap import CappedBatches
from mcp_app.protocol.event import Entry, Event, EventType
from mcp_app.protocol.policy import OnCap
from mcp_app.protocol.stream import IllegalTransition, Input, Stream, StreamState

PROGRESS, COMPLETE, ERROR = (
    Event(kind, b"1") for kind in (EventType.PROGRESS, EventType.COMPLETE, EventType.ERROR)
)  # fmt: skip


def now() -> float:
    return asyncio.get_running_loop().time()


class Script:
    """Batches that come at their times, in seconds from the start; whoever is late gets all that is due at once."""

    def __init__(self, *due: tuple[float, Event]) -> None:
        self.due = [(now() + after, event) for after, event in due]
        self.number = 0
        self.closed = 0

    async def next(self, until: float) -> Batch | None:
        if not self.due:
            return None
        if self.due[0][0] > now():
            await asyncio.sleep(max(0.0, min(until, self.due[0][0]) - now()))
        batch = []
        while self.due and self.due[0][0] <= now():
            self.number += 1
            batch.append(Entry(self.number, self.due.pop(0)[1], self.number))
        return batch

    def close(self) -> None:
        self.closed += 1


class Flood:
    """Always something there; ends when it is told."""

    def __init__(self, seconds_each: float = 0.0) -> None:
        self.seconds_each = seconds_each
        self.number = 0
        self.ended = False
        self.told = 0

    def end(self) -> None:
        self.told += 1

    async def next(self, until: float) -> Batch | None:
        if self.ended:
            return None
        await asyncio.sleep(self.seconds_each)
        self.number += 1
        self.ended = self.told > 0 and self.number % 3 == 0  # the last event stands behind what was queued before
        return (Entry(self.number, ERROR if self.ended else PROGRESS, self.number),)

    def close(self) -> None: ...


def live(**deadlines: float) -> Stream:
    stream = Stream(now(), **({"heartbeat": 15.0, "cap": 120.0} | deadlines))
    stream.step(Input.OPEN, now())
    return stream


class Written:
    """All that comes out of the stack, with its times from the start."""

    def __init__(self) -> None:
        self.began = now()
        self.items: list[tuple[float, str]] = []

    async def all_of(self, batches: Batches, ask: Callable[[], float] = lambda: math.inf) -> list[tuple[float, str]]:
        while (batch := await batches.next(ask())) is not None:
            self.items += [(round(now() - self.began, 6), _name(item)) for item in batch]
        return self.items


def _name(item: Entry | Mark) -> str:
    return item.name if isinstance(item, Mark) else item.event.type.value


def beating(batches: Batches, stream: Stream, beats: list[float] | None = None) -> Heartbeat:
    counted: list[float] = [] if beats is None else beats
    return Heartbeat(batches, stream, asyncio.get_running_loop().time, lambda: counted.append(now()))


# --- heartbeat -------------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_heartbeat_in_each_quiet_while_and_none_else() -> None:
    beats: list[float] = []
    heart = beating(Script((1, PROGRESS), (40, PROGRESS), (50, COMPLETE)), live(), beats)
    assert await Written().all_of(heart) == [
        (1, "progress"),
        (16, "HEARTBEAT"),
        (31, "HEARTBEAT"),
        (40, "progress"),
        (50, "complete"),
    ]
    assert len(beats) == 2


@on_loop_clock
async def test_no_heartbeat_while_data_flows() -> None:
    heart = beating(Script(*((at * 14.9, PROGRESS) for at in range(50)), (50 * 14.9, COMPLETE)), live())
    assert "HEARTBEAT" not in [name for _, name in await Written().all_of(heart)]


@on_loop_clock
async def test_data_that_is_there_when_a_heartbeat_is_due_goes_first() -> None:
    heart = beating(Script((15, PROGRESS), (20, COMPLETE)), live())
    assert await Written().all_of(heart) == [(15, "progress"), (20, "complete")]


@on_loop_clock
async def test_asking_often_brings_no_more_heartbeats() -> None:
    heart = beating(Script((40, COMPLETE)), live())
    written = await Written().all_of(heart, lambda: now() + 0.7)
    assert [name for _, name in written] == ["HEARTBEAT", "HEARTBEAT", "complete"]
    assert [at for at, _ in written] == pytest.approx([15, 30, 40], abs=1e-6)


@on_loop_clock
async def test_a_slow_write_puts_the_next_heartbeat_off() -> None:
    heart = beating(Script((100, COMPLETE)), live())
    assert await heart.next(math.inf) == (Mark.HEARTBEAT,)
    await asyncio.sleep(7)  # the write
    assert await heart.next(math.inf) == (Mark.HEARTBEAT,)
    assert now() == pytest.approx(1000 + 30)


@on_loop_clock
async def test_a_last_event_ends_the_stream_and_nothing_follows_it() -> None:
    stream = live()
    heart = beating(Script((1, PROGRESS), (1, COMPLETE), (1, PROGRESS), (100, PROGRESS)), stream)
    batch = await heart.next(math.inf)
    assert batch is not None
    assert stream.state is StreamState.LIVE, "the batch goes on behind its last event: a log never does that"
    stream = live()
    heart = beating(Script((1, PROGRESS), (1, COMPLETE), (100, PROGRESS)), stream)
    await heart.next(math.inf)
    assert stream.state is StreamState.ENDED
    with pytest.raises(IllegalTransition):
        await heart.next(math.inf)


# --- the cap ---------------------------------------------------------------------------------------------------------


class Ending(Script):
    """A run that appends its last event a moment after it is told to end."""

    def end(self) -> None:
        self.due = [(now() + 0.001, ERROR)]


def capped(batches: Batches, stream: Stream, on_cap: OnCap, end: Callable[[], None] = lambda: None) -> CappedBatches:
    return CappedBatches(batches, stream, asyncio.get_running_loop().time, on_cap, end)


@on_loop_clock
async def test_end_run_at_the_cap_with_the_runs_own_last_event() -> None:
    script = Ending((1, PROGRESS), (500, COMPLETE))
    stream = live(cap=4.0)
    cap = capped(script, stream, OnCap.END_RUN, script.end)
    assert await Written().all_of(cap) == [(1, "progress"), (4.001, "error")]


@on_loop_clock
async def test_end_stream_at_the_cap_leaves_the_run_alone() -> None:
    script = Ending((1, PROGRESS), (500, COMPLETE))
    cap = capped(script, live(cap=4.0), OnCap.END_STREAM, script.end)
    assert await Written().all_of(cap) == [(1, "progress"), (4, "CAP")]
    assert len(script.due) == 1
    assert await cap.next(math.inf) is None


@on_loop_clock
async def test_a_run_that_ends_before_the_cap_is_not_touched() -> None:
    for on_cap in OnCap:
        script = Ending((3.9, COMPLETE))
        cap = capped(script, live(cap=4.0), on_cap, script.end)
        assert await Written().all_of(cap) == [(3.9, "complete")]


@pytest.mark.parametrize("on_cap", [OnCap.END_RUN, OnCap.END_STREAM])  # the third is a subscription's, which has no run
@pytest.mark.parametrize("seconds_each", [0.01, 0.7, 3.999, 10])
@on_loop_clock
async def test_a_flood_is_capped_as_well(on_cap: OnCap, seconds_each: float) -> None:
    flood = Flood(seconds_each)
    cap = capped(flood, live(cap=4.0), on_cap, flood.end)
    written = await Written().all_of(cap)
    until_cap = [at for at, name in written if name == "progress"]
    if on_cap is OnCap.END_RUN:
        assert flood.told == 1, "told once"
        assert written[-1][1] == "error"
        assert len([at for at in until_cap if at > 4.0 + seconds_each]) <= 2, "no more than what was queued before"
    else:
        assert written[-1][1] == "CAP"
        assert written[-1][0] <= 4.0 + seconds_each
        assert flood.told == 0


@on_loop_clock
async def test_heartbeats_every_quiet_second_and_the_cap_at_four() -> None:
    script = Ending((500, COMPLETE))
    stream = live(heartbeat=1.0, cap=4.0)
    heart = beating(capped(script, stream, OnCap.END_RUN, script.end), stream)
    written = await Written().all_of(heart)
    assert [name for _, name in written][:3] == ["HEARTBEAT"] * 3
    assert written[-1] == (4.001, "error")
    assert [at for at, name in written if name == "HEARTBEAT"] in ([1, 2, 3], [1, 2, 3, 4])
    assert stream.state is StreamState.ENDED


@on_loop_clock
async def test_the_cap_of_a_stream_that_ends_alone_is_its_last_step() -> None:
    stream = live(heartbeat=1.5, cap=4.0)
    heart = beating(capped(Script((500, COMPLETE)), stream, OnCap.END_STREAM), stream)
    assert await Written().all_of(heart) == [(1.5, "HEARTBEAT"), (3, "HEARTBEAT"), (4, "CAP")]
    assert stream.state is StreamState.ENDED


@on_loop_clock
async def test_a_waiting_stack_has_one_timer_and_no_task() -> None:
    stream = live()
    script = Script((500, COMPLETE))
    heart = beating(capped(script, stream, OnCap.END_RUN), stream)
    waiting = asyncio.create_task(_next(heart))
    await asyncio.sleep(1)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockLoop)
    assert len(loop.timers) == 1
    assert len(asyncio.all_tasks()) == 2
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def _next(batches: Batches) -> Sequence[object] | None:
    return await batches.next(math.inf)


@on_loop_clock
async def test_closing_reaches_the_reader() -> None:
    script = Script((1, COMPLETE))
    stream = live()
    beating(capped(script, stream, OnCap.END_RUN), stream).close()
    assert script.closed == 1


class Broken:
    async def next(self, until: float) -> Batch | None:
        raise OSError("the log is gone")

    def close(self) -> None: ...


@on_loop_clock
async def test_what_the_reader_raises_comes_through() -> None:
    stream = live()
    with pytest.raises(OSError, match="gone"):
        await beating(capped(Broken(), stream, OnCap.END_RUN), stream).next(math.inf)
