"""All runs: how many, found by whom, by which key, and when they are forgotten."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated, Any

import pytest
from loop_clock import ClockLoop, on_loop_clock
from pydantic import BaseModel, Field
from runs_stage import Stage, read_to_end, settle, take

from mcp_app import Context, tool
from mcp_app.protocol import errors
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import Cancelled, Draining, Overloaded, RunConflict, UnknownRun
from mcp_app.protocol.event import MAX_EVENT_BYTES
from mcp_app.protocol.policy import PLAIN_DETACHED, PLAIN_EVENTSOURCE, PLAIN_POST, Policy

KEY = "k" * 16
BY_POLICY = pytest.mark.parametrize("policy", [PLAIN_EVENTSOURCE, PLAIN_DETACHED], ids=lambda row: row.name[:14])


async def short() -> int:
    return 5


async def forever() -> None:
    await asyncio.sleep(100_000)


async def large(n: int = 0) -> str:
    return "x" * (900 * 1024)


def timers() -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockLoop)
    return len(loop.timers)


# --- how many --------------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_as_many_runs_as_are_allowed() -> None:
    async with Stage(max_runs=2) as stage:
        runs = [await stage.start(forever, PLAIN_DETACHED) for _ in range(2)]
        assert (stage.runs.working, stage.runs.kept, stage.runs.started) == (2, 2, 2)
        with pytest.raises(Overloaded) as raised:
            await stage.start(forever, PLAIN_DETACHED)
        assert (raised.value.status, raised.value.headers) == (503, {"Retry-After": "5"})
        assert len(stage.log) == 2
        runs[0].stop(Cancelled("c"))
        await settle()
        await stage.start(forever, PLAIN_DETACHED)
        assert (stage.runs.working, stage.runs.kept, stage.runs.started) == (2, 3, 3)


@on_loop_clock
async def test_draining_ends_all_and_takes_none() -> None:
    async with Stage() as stage:
        runs = [await stage.start(forever, policy) for policy in (PLAIN_POST, PLAIN_EVENTSOURCE, PLAIN_DETACHED)]
        readers = [run.follow() for run in runs]
        await settle()
        await stage.runs.drain()
        assert [run.code for run in runs] == ["shutdown"] * 3
        for reader in readers:
            assert (await read_to_end(reader))[-1].event.last
            reader.close()
        with pytest.raises(Draining) as raised:
            await stage.start(short)
        assert (raised.value.status, raised.value.headers) == (503, {"Retry-After": "5"})


@on_loop_clock
async def test_a_run_that_does_not_begin_leaves_nothing() -> None:
    async with Stage() as stage:

        async def broken(*_: Any) -> None:
            raise OSError("the disk is full")

        stage.log.append = broken  # type: ignore[method-assign, assignment]
        with pytest.raises(OSError, match="full"):
            await stage.start(short, PLAIN_EVENTSOURCE, key=KEY)
        del stage.log.append
        assert (stage.runs.working, stage.runs.kept, len(stage.log)) == (0, 0, 0)
        assert await stage.runs.find_by_key(KEY, "anonymous", tool(short), {}) is None


@pytest.mark.parametrize(
    ("policy", "limit", "asked", "cap"),
    [
        (PLAIN_POST, None, None, 120),
        (PLAIN_POST, 60, None, 60),
        (PLAIN_POST, 300, None, 120),
        (PLAIN_POST, 60, 10, 10),
        (PLAIN_POST, 60, 100, 60),
        (PLAIN_EVENTSOURCE, None, 500, 120),
        (PLAIN_DETACHED, None, None, 3600),
        (PLAIN_DETACHED, 60, None, 60),
        (PLAIN_DETACHED, None, 10, 10),
        (PLAIN_DETACHED, 5000, None, 3600),
    ],
)
@on_loop_clock
async def test_the_lowest_cap_holds(policy: Policy, limit: float | None, asked: float | None, cap: float) -> None:
    async with Stage() as stage:
        began = asyncio.get_running_loop().time()
        run = await stage.start(tool(time_limit=limit)(forever), policy, cap_seconds=asked)
        assert (run.cap, run.deadline) == (cap, began + cap)
        assert b'"cap_seconds":%d' % cap in (await take(run.follow()))[0].event.metadata


# --- found by whom ---------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_run_is_found_by_its_principal_alone() -> None:
    async with Stage() as stage:
        run = await stage.start(forever, PLAIN_DETACHED, access=Access("ann"))
        assert await stage.runs.find(run.id, "ann") is run
        for run_id, principal in ((run.id, "bob"), ("0" * 32, "ann"), ("", "ann")):
            with pytest.raises(UnknownRun):
                await stage.runs.find(run_id, principal)


@on_loop_clock
async def test_ids_are_random_and_never_the_key() -> None:
    async with Stage() as stage:
        runs = [await stage.start(short, PLAIN_EVENTSOURCE, key=f"{n:016}") for n in range(50)]
        assert len({run.id for run in runs}) == 50
        assert all(len(run.id) == 32 and int(run.id, 16) for run in runs)


# --- by which key ----------------------------------------------------------------------------------------------------


class Port(BaseModel):
    number: int


@on_loop_clock
async def test_a_key_is_found_by_its_principal_alone() -> None:
    async with Stage() as stage:
        run = await stage.start(forever, PLAIN_EVENTSOURCE, key=KEY, access=Access("ann"))
        assert await stage.runs.find_by_key(KEY, "ann", tool(forever), {}) is run
        assert await stage.runs.find_by_key(KEY, "bob", tool(forever), {}) is None
        assert await stage.runs.find_by_key("x" * 16, "ann", tool(forever), {}) is None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"n": 1, "tags": ["a"]}, {"tags": ["a"], "n": 1}, True),
        ({"n": 1, "tags": ["a"]}, {"n": 1, "tags": ["a"], "ratio": 0}, True),
        ({"n": 1, "tags": ["a"]}, {"n": 2, "tags": ["a"]}, False),
        ({"n": 1, "tags": ["a", "b"]}, {"n": 1, "tags": ["b", "a"]}, False),
        ({"n": 1, "tags": [], "port": {"number": 1}}, {"n": 1, "tags": [], "port": {"number": 2}}, False),
        ({"n": 1, "tags": [], "port": {"number": 1}}, {"n": 1, "tags": [], "port": {"number": 1}}, True),
    ],
)
@on_loop_clock
async def test_the_same_key_with_other_parameters_is_a_conflict(
    first: dict[str, Any], second: dict[str, Any], same: bool
) -> None:
    @tool
    async def call(n: int, tags: list[str], port: Port | None = None, ratio: float = 0.0) -> None:
        await asyncio.sleep(100_000)

    @tool
    async def other(n: int, tags: list[str], port: Port | None = None, ratio: float = 0.0) -> None: ...

    async with Stage() as stage:
        run = await stage.start(call, PLAIN_EVENTSOURCE, call.arguments(first), key=KEY)
        if same:
            assert await stage.runs.find_by_key(KEY, "anonymous", call, call.arguments(second)) is run
        else:
            with pytest.raises(RunConflict):
                await stage.runs.find_by_key(KEY, "anonymous", call, call.arguments(second))
        with pytest.raises(RunConflict):
            await stage.runs.find_by_key(KEY, "anonymous", other, other.arguments(first))
        assert await stage.runs.find_by_key(KEY, "anonymous", None, {}) is run


class Opaque:
    pass


@pytest.mark.parametrize("value", [b"\xff\xfe", math.inf, math.nan, {1, 2}, Opaque()], ids=repr)
@on_loop_clock
async def test_a_key_takes_whatever_a_tool_takes(value: Any) -> None:
    @tool
    async def call(x: Annotated[Any, Field()]) -> None:
        await asyncio.sleep(100_000)

    async with Stage() as stage:
        run = await stage.start(call, PLAIN_EVENTSOURCE, {"x": value}, key=KEY)
        assert await stage.runs.find_by_key(KEY, "anonymous", call, {"x": value}) is run
        for different in (b"\xff\xfd", -math.inf, None):
            with pytest.raises(RunConflict):
                await stage.runs.find_by_key(KEY, "anonymous", call, {"x": different})


@on_loop_clock
async def test_a_forgotten_runs_key_is_free_again() -> None:
    async with Stage(keep_seconds=600) as stage:
        first = await stage.start(short, PLAIN_EVENTSOURCE, key=KEY)
        await asyncio.sleep(599)
        assert await stage.runs.find_by_key(KEY, "anonymous", tool(short), {}) is first
        await asyncio.sleep(2)
        assert await stage.runs.find_by_key(KEY, "anonymous", tool(short), {}) is None
        second = await stage.start(short, PLAIN_EVENTSOURCE, key=KEY)
        assert await stage.runs.find_by_key(KEY, "anonymous", tool(short), {}) is second


@on_loop_clock
async def test_a_key_belongs_to_the_run_that_had_it_last() -> None:
    async with Stage() as stage:
        first = await stage.start(short, PLAIN_EVENTSOURCE, key=KEY)
        await asyncio.sleep(300)
        second = await stage.start(short, PLAIN_EVENTSOURCE, key=KEY)
        await asyncio.sleep(301)
        with pytest.raises(UnknownRun):
            await stage.runs.find(first.id, "anonymous")
        assert await stage.runs.find_by_key(KEY, "anonymous", tool(short), {}) is second


# --- when forgotten --------------------------------------------------------------------------------------------------


@BY_POLICY
@on_loop_clock
async def test_a_finished_run_is_kept_ten_minutes_and_no_longer(policy: Policy) -> None:
    async with Stage() as stage:
        run = await stage.start(short, policy)
        await asyncio.sleep(599)
        assert len(await read_to_end(run.follow())) == 2
        assert await stage.runs.find(run.id, "anonymous") is run
        for reader in tuple(run._followers):
            reader.close()
        await asyncio.sleep(2)
        with pytest.raises(UnknownRun):
            await stage.runs.find(run.id, "anonymous")
        assert (stage.runs.kept, len(stage.log), timers()) == (0, 0, 0)
        assert stage.runs.finished.bytes == 0


@on_loop_clock
async def test_a_run_being_worked_on_is_kept_however_long() -> None:
    async with Stage(keep_seconds=10, run_life_seconds=5000) as stage:
        run = await stage.start(forever, PLAIN_DETACHED)
        await asyncio.sleep(4000)
        assert await stage.runs.find(run.id, "anonymous") is run


@BY_POLICY
@on_loop_clock
async def test_a_run_is_not_forgotten_under_its_reader(policy: Policy) -> None:
    async def long(ctx: Context) -> str:
        for _ in range(3):
            await ctx.partial("x" * 100_000)
        return "done"

    async with Stage(keep_seconds=0) as stage:
        run = await stage.start(long, policy)
        reader = run.attach()
        numbers = []
        while (batch := await reader.next(math.inf)) is not None:
            numbers += [entry.number for entry in batch]
            await asyncio.sleep(5)  # a slow line
        assert numbers == [1, 2, 3, 4, 5]
        assert stage.runs.kept == 1
        reader.close()
        assert (stage.runs.kept, len(stage.log)) == (0, 0)


@on_loop_clock
async def test_the_oldest_are_forgotten_for_their_bytes() -> None:
    async with Stage(keep_bytes=3 * 1024 * 1024) as stage:
        runs = []
        for _ in range(6):
            runs.append(await stage.start(large, PLAIN_DETACHED))
            await runs[-1].stopped()
        known = [run for run in runs if run.id in stage.runs.known.runs]
        assert known == runs[3:]
        assert (stage.runs.kept, len(stage.log)) == (3, 3)
        assert timers() == 1  # for all of them
        await asyncio.sleep(601)
        assert (stage.runs.kept, stage.runs.finished.bytes, timers()) == (0, 0, 0)


@on_loop_clock
async def test_many_small_runs_are_bounded_like_few_large_ones() -> None:
    async with Stage(keep_bytes=1024 * 1024) as stage:
        for _ in range(400):
            await (await stage.start(short, PLAIN_DETACHED)).stopped()
        assert 200 < stage.runs.kept < 256


@on_loop_clock
async def test_the_newest_is_kept_whatever_its_size() -> None:
    async def huge(ctx: Context) -> None:
        for _ in range(5):
            await ctx.partial("x" * (MAX_EVENT_BYTES - 2))

    async with Stage(keep_bytes=1024 * 1024) as stage:
        run = await stage.start(huge, PLAIN_DETACHED)
        await run.stopped()
        assert await stage.runs.find(run.id, "anonymous") is run


@on_loop_clock
async def test_a_posted_run_is_forgotten_when_nobody_reads_it_any_more() -> None:
    async with Stage() as stage:
        run = await stage.start(short, PLAIN_POST)
        reader, follower = run.attach(), run.follow()
        await run.stopped()
        await read_to_end(reader)
        reader.close()
        assert stage.runs.kept == 1, "there is one that follows"
        await read_to_end(follower)
        follower.close()
        follower.close()
        assert (stage.runs.kept, len(stage.log), timers()) == (0, 0, 0)


@on_loop_clock
async def test_a_posted_run_that_was_left_is_forgotten_when_it_has_ended() -> None:
    async with Stage() as stage:
        run = await stage.start(forever, PLAIN_POST)
        run.attach().close()
        assert stage.runs.kept == 1
        await run.stopped()
        assert (stage.runs.kept, stage.runs.working, len(stage.log), timers()) == (0, 0, 0, 0)


@on_loop_clock
async def test_a_thousand_runs_leave_nothing() -> None:
    async with Stage(keep_seconds=60, max_runs=1000, keep_bytes=10**9) as stage:
        runs, readers = [], []
        for at in range(1000):
            policy = (PLAIN_POST, PLAIN_EVENTSOURCE, PLAIN_DETACHED)[at % 3]
            runs.append(await stage.start((short, forever)[at % 2], policy))
            readers.append(runs[-1].attach() if at % 5 else runs[-1].follow())
        await settle()
        for at, reader in enumerate(readers):
            if at % 4:
                await take(reader)
            reader.close()
        for run in runs:
            run.stop(Cancelled("c"))
        await asyncio.gather(*(run.stopped() for run in runs))
        assert stage.runs.ended.total() == 1000
        assert set(stage.runs.ended) == {"complete", "left", "cancelled"}
        await asyncio.sleep(61)
        assert (stage.runs.kept, stage.runs.working, len(stage.log), timers()) == (0, 0, 0, 0)


@on_loop_clock
async def test_closing_forgets_the_timers() -> None:
    async with Stage() as stage:
        for _ in range(3):
            await stage.start(short, PLAIN_DETACHED)
        await settle()
        assert timers() == 1
        stage.runs.close()
        assert timers() == 0


def test_every_ending_has_its_code() -> None:
    assert {each.code for each in errors.RunError.__subclasses__()} == {
        "tool_failed", "time_cap", "shutdown", "cancelled", "left", "event_too_large",
        "credentials_expired", "revoked", "interrupted",
    }  # fmt: skip
