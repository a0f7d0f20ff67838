"""What runs hold in memory: bounded together while they work, and what is kept of them when they have ended."""

from __future__ import annotations

import asyncio
import json
import math
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from loop_clock import on_loop_clock
from runs_stage import Stage, read_to_end, settle, take

from mcp_app import Context, tool
from mcp_app.config.memory import memory_limit
from mcp_app.config.settings import Settings
from mcp_app.protocol.errors import Overloaded, Purged, UnknownRun
from mcp_app.protocol.policy import MCP_2026_07_28, PLAIN_DETACHED, PLAIN_EVENTSOURCE, PLAIN_POST
from mcp_app.runs import register
from mcp_app.runs.memory import ENTRY_BYTES, RUN_BYTES, request_bytes

MIB = 1024 * 1024
HEADERS = {"x-large": "x" * 60_000}


async def forever(ctx: Context) -> None:
    await asyncio.Event().wait()


async def short() -> str:
    return "done"


async def many(ctx: Context, count: int, size: int) -> str:
    for _ in range(count):
        await ctx.partial("x" * size)
    await asyncio.Event().wait()
    return "done"


# --- while it works ------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_run_holds_its_request_and_lets_it_go_at_its_end() -> None:
    body = json.dumps({"text": "x" * 500_000}).encode()
    async with Stage() as stage:
        held = stage.runs.memory
        run = await stage.start(forever, PLAIN_DETACHED, headers=HEADERS, body=body)
        assert held.held == RUN_BYTES + request_bytes(body, HEADERS) > 1_060_000
        await settle()
        run.end_at_cap()
        await run.stopped()
        assert held.held == 0
        assert (await stage.start(short, PLAIN_DETACHED, headers=HEADERS, body=body)).policy is PLAIN_DETACHED
        await settle()
        assert held.held == 0


@on_loop_clock
async def test_the_log_of_a_working_run_is_counted_as_it_grows_and_no_further() -> None:
    async with Stage() as stage:
        run = await stage.start(many, PLAIN_DETACHED, {"count": 100, "size": 20_000})
        await settle()
        assert stage.runs.memory.held == pytest.approx(100 * (20_002 + ENTRY_BYTES), rel=0.02)
        more = await stage.start(many, PLAIN_DETACHED, {"count": 5000, "size": 10_000})
        await settle()
        kept = PLAIN_DETACHED.keep
        both = 100 * (20_002 + ENTRY_BYTES) + kept.bytes + kept.entries * ENTRY_BYTES
        assert stage.runs.memory.held == pytest.approx(both, rel=0.02)
        for each in (run, more):
            each.end_at_cap()
            await each.stopped()
        assert stage.runs.memory.held == 0


@on_loop_clock
async def test_small_events_count_for_what_they_take() -> None:
    async with Stage() as stage:
        await stage.start(many, PLAIN_DETACHED, {"count": 1000, "size": 10})
        await settle()
        assert stage.runs.memory.held > 900 * ENTRY_BYTES


@on_loop_clock
async def test_the_log_of_an_ended_run_counts_while_a_slow_reader_holds_it() -> None:
    async def tells(ctx: Context) -> None:
        await ctx.partial("x" * 500_000)

    async with Stage() as stage:
        run = await stage.start(tells, PLAIN_POST, body=b"x" * 50_000)
        reader = run.attach()
        await run.stopped()
        assert 500_000 < stage.runs.memory.held < 520_000
        await read_to_end(reader)
        reader.close()
        assert (stage.runs.memory.held, stage.runs.kept) == (0, 0)


@pytest.mark.parametrize("policy", [PLAIN_POST, PLAIN_DETACHED, MCP_2026_07_28], ids=lambda row: row.name)
@on_loop_clock
async def test_above_the_bound_new_runs_are_refused_and_those_that_work_go_on(policy: Any) -> None:
    async with Stage(working_bytes=2 * MIB) as stage:
        body = b'"' + b"x" * 400_000 + b'"'
        first = await stage.start(forever, policy, body=body)
        await stage.start(forever, policy, body=body)
        with pytest.raises(Overloaded, match="hold as much memory as they may") as caught:
            await stage.start(forever, policy, body=body)
        assert caught.value.headers == {"Retry-After": "5"}
        assert (stage.runs.working, first.ended) == (2, False)
        await stage.start(short)  # a small one fits
        first.end_at_cap()
        await first.stopped()
        await stage.start(forever, policy, body=body)


@on_loop_clock
async def test_what_is_parsed_takes_more_than_its_body() -> None:
    lists = b"[" + b"[]," * 300_000 + b"[]]"
    assert request_bytes(lists, {}) > 20 * MIB
    assert request_bytes(b'{"tool":"a","params":{}}', {}) == 0
    assert request_bytes(b"", {"a": "bcd"}) == 3 + 128


@on_loop_clock
async def test_a_run_that_cannot_begin_holds_nothing() -> None:
    async with Stage() as stage:

        async def broken(*_: object) -> None:
            raise RuntimeError("no log")

        stage.log.open = broken  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="no log"):
            await stage.start(short, body=b"x" * 100_000)
        assert (stage.runs.memory.held, stage.runs.kept) == (0, 0)


@on_loop_clock
async def test_a_function_that_is_slow_to_stop_holds_its_request_until_then() -> None:
    async def slow(ctx: Context) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(3)
            assert ctx.headers == HEADERS

    async with Stage() as stage:
        run = await stage.start(slow, PLAIN_DETACHED, headers=HEADERS)
        await settle()
        run.end_at_cap()
        await asyncio.sleep(1)
        assert run.over
        assert stage.runs.memory.held > 60_000
        await run.stopped()
        assert stage.runs.memory.held == 0


@on_loop_clock
async def test_the_header_fields_of_an_ended_run_are_not_kept() -> None:
    async with Stage() as stage:
        run = await stage.start(short, PLAIN_DETACHED, headers=HEADERS)
        await run.stopped()
        assert await stage.runs.find(run.id, "anonymous") is run
        assert dict(run._caller.headers) == {}
        left = await stage.start(forever, PLAIN_DETACHED, headers=HEADERS)
        left.end_at_cap()
        await left.stopped()
        assert dict(left._caller.headers) == {}


# --- those who left --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [{"max_runs": 3}, {"working_bytes": MIB}], ids=["runs", "bytes"])
@on_loop_clock
async def test_runs_whose_reader_has_left_make_way_the_first_that_left_first(bound: dict[str, int]) -> None:
    body = b"x" * 150_000
    async with Stage(**bound) as stage:
        runs = [await stage.start(forever, PLAIN_EVENTSOURCE, body=body) for _ in range(3)]
        readers = [run.attach() for run in runs]
        with pytest.raises(Overloaded):
            await stage.start(forever, PLAIN_EVENTSOURCE, body=body)
        readers[2].close()
        readers[0].close()
        back = runs[2].attach(1)
        new = await stage.start(forever, PLAIN_EVENTSOURCE, body=body)
        assert [run.code for run in runs] == ["left", None, None]
        with pytest.raises(Overloaded):
            await stage.start(forever, PLAIN_EVENTSOURCE, body=body)
        back.close()
        readers[1].close()
        await stage.start(forever, PLAIN_EVENTSOURCE, body=body)
        assert [run.code for run in runs] == ["left", None, "left"]
        assert not new.ended
        events = await read_to_end(runs[0].follow())
        assert json.loads(events[-1].event.data)["message"] == "The caller left, and others needed the place."


# --- kept, and forgotten ---------------------------------------------------------------------------------------------


async def flood() -> AsyncIterator[str]:
    for _ in range(9):
        yield "x" * 100_000


@on_loop_clock
async def test_a_run_is_not_forgotten_for_the_bytes_of_others_while_it_is_read() -> None:
    async with Stage(keep_bytes=MIB) as stage:
        run = await stage.start(flood, PLAIN_EVENTSOURCE)
        reader = run.attach()
        entries = await take(reader)
        await run.stopped()
        others = [await stage.start(flood, PLAIN_DETACHED) for _ in range(3)]
        for each in others:
            await each.stopped()
        stage.runs.forget(run)  # not even by who may ask for it
        known = [each.id in stage.runs.known.runs for each in (run, *others)]
        assert known == [True, False, False, True]
        while (batch := await reader.next(math.inf)) is not None:
            entries += batch
        assert [entry.number for entry in entries] == list(range(1, 12))
        reader.close()
        assert run.id not in stage.runs.known.runs
        assert stage.runs.finished.bytes <= MIB


@tool
async def large(size: int = 3 * MIB, count: int = 0) -> Any:
    """A result that is linked."""
    return "x" * size


@pytest.mark.parametrize("policy", [PLAIN_POST, MCP_2026_07_28, PLAIN_DETACHED], ids=lambda row: row.name)
async def test_a_run_with_linked_results_is_kept_and_weighed(policy: Any) -> None:
    async with Stage(keep_bytes=8 * MIB) as stage:
        runs = []
        for _ in range(3):
            runs.append(await stage.start(large, policy, {"size": 3 * MIB}))
            reader = runs[-1].attach()
            await read_to_end(reader)
            reader.close()
        assert [run.id in stage.runs.known.runs for run in runs] == [False, True, True]
        assert 6 * MIB < stage.runs.finished.bytes < 7 * MIB
        results = (await stage.runs.find(runs[2].id, "anonymous")).results
        assert results is not None
        assert len(results.get(1).data) == 3 * MIB
        with pytest.raises(UnknownRun):
            results.get(2)
        stage.runs.finished.kept_long_enough(runs[2])
        with pytest.raises(UnknownRun):
            await stage.runs.find(runs[2].id, "anonymous")
        assert stage.runs.memory.held == 0


async def test_linked_parts_count_while_the_run_works_and_the_oldest_are_dropped() -> None:
    async def parts(ctx: Context) -> None:
        for _ in range(6):
            await ctx.partial("x" * 15 * MIB)
        await asyncio.Event().wait()

    async with Stage() as stage:
        run = await stage.start(parts, PLAIN_DETACHED)
        reader = run.follow()
        numbers: list[int] = []
        while len(numbers) < 7:
            numbers += [entry.number for entry in await asyncio.wait_for(reader.next(math.inf), 30) or ()]
        assert run.results is not None
        assert 60 * MIB <= run.results.size < stage.runs.memory.held < 61 * MIB
        with pytest.raises(Purged, match="Result 2 of this run is no longer kept"):
            run.results.get(2)
        assert len(run.results.get(3).data) == 15 * MIB


@on_loop_clock
async def test_a_tool_is_one_large_part_ahead_of_its_reader() -> None:
    async def parts(ctx: Context) -> None:
        for number in range(20):
            stage_made.append(number)
            await ctx.partial("x" * (3 * MIB // 2))

    stage_made: list[int] = []
    async with Stage() as stage:
        run = await stage.start(parts, PLAIN_POST)
        reader = run.attach()
        await settle()
        assert stage_made == [0, 1]
        await take(reader)
        await take(reader)
        await settle()
        assert len(stage_made) <= 4


# --- the bound by itself ---------------------------------------------------------------------------------------------


def test_the_memory_is_that_of_the_machine_without_control_groups(tmp_path: Path) -> None:
    machine = memory_limit(tmp_path)
    assert machine > 64 * MIB
    assert memory_limit(Path("/")) <= machine


@pytest.mark.parametrize(
    ("cgroup", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "1000000\n"}, 1000000),  # version 2, in a container
        ("0::/\n", {"memory.max": "max\n"}, None),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "2000000\n"}, 2000000),
        ("0::/a/b\n", {"a/b/memory.max": "1000000\n", "a/memory.max": "2000000\n"}, 1000000),
        ("0::/docker/abc\n", {"memory.max": "3000000\n"}, 3000000),
        ("0::/../x\n", {"memory.max": "3000000\n"}, 3000000),
        ("5:cpu,memory:/a\n4:pids:/\n", {"memory/a/memory.limit_in_bytes": "4000000\n"}, 4000000),  # version 1
        ("5:memory:/docker/abc\n", {"memory/memory.limit_in_bytes": "5000000\n"}, 5000000),
        ("5:memory:/\n0::/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("nonsense\n\n", {"memory.max": "7"}, None),
    ],
)
def test_the_memory_is_that_of_the_control_group(
    tmp_path: Path, cgroup: str, limits: dict[str, str], expected: int | None
) -> None:
    machine = memory_limit(tmp_path)
    for name, text in {
        "proc/self/cgroup": cgroup,
        **{f"sys/fs/cgroup/{each}": limits[each] for each in limits},
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert memory_limit(tmp_path) == (machine if expected is None else expected)


def test_the_memory_is_that_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {resource.RLIMIT_AS: (7_000_000, resource.RLIM_INFINITY), resource.RLIMIT_DATA: (8_000_000, 9_000_000)}
    monkeypatch.setattr(resource, "getrlimit", limits.__getitem__)
    assert memory_limit(tmp_path) == 7_000_000


@on_loop_clock
async def test_another_quarter_at_most_is_for_runs_that_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "memory_limit", lambda: 8 * MIB)
    for settings, kept in (({}, 2), ({"keep_bytes": 5 * MIB}, 5)):
        async with Stage(**settings) as stage:
            for _ in range(8):
                await (await stage.start(large, PLAIN_DETACHED, {"size": 900_000})).stopped()
            assert (kept - 1) * MIB < stage.runs.finished.bytes <= kept * MIB


@on_loop_clock
async def test_a_quarter_of_it_is_for_runs_that_work() -> None:
    async with Stage() as stage:
        assert Settings().working_bytes is None
        assert stage.runs.memory.limit == memory_limit() // 4
    async with Stage(working_bytes=5 * MIB) as stage:
        assert stage.runs.memory.limit == 5 * MIB
