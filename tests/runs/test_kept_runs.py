"""What is kept of finished runs, by count and bytes, of one caller and of all; and what metrics say of it."""

from __future__ import annotations

from collections import Counter

from loop_clock import on_loop_clock
from runs_stage import Stage

from mcp_app import Context, tool
from mcp_app.protocol.payer import Payer, payer_of
from mcp_app.protocol.policy import PLAIN_DETACHED
from mcp_app.runs.run import Run

ANNA, BEN = (payer_of(f"key:{name}", "192.0.2.1") for name in ("anna", "ben"))


@tool
async def says(ctx: Context, size: int) -> None:
    await ctx.partial("x" * size)


async def finished(stage: Stage, payer: Payer, size: int = 1) -> Run:
    run = await stage.start(says, PLAIN_DETACHED, arguments={"size": size}, payer=payer)
    await run.stopped()
    return run


def left(stage: Stage, runs: list[Run]) -> list[int]:
    return [at for at, run in enumerate(runs) if run.id in stage.runs.known.runs]


@on_loop_clock
async def test_one_caller_has_so_many() -> None:
    async with Stage(keep_runs_per_principal=2) as stage:
        runs = [await finished(stage, payer) for payer in (ANNA, BEN, ANNA, ANNA, ANNA)]
        assert left(stage, runs) == [1, 3, 4]
        assert stage.runs.finished.forgotten == Counter(principal=2)


@on_loop_clock
async def test_one_caller_has_so_many_bytes_and_its_newest() -> None:
    async with Stage(keep_bytes_per_principal=1024 * 1024) as stage:
        runs = [await finished(stage, payer, 600_000) for payer in (ANNA, BEN, ANNA)]
        assert left(stage, runs) == [1, 2]
        runs.append(await finished(stage, ANNA, 1_040_000))
        assert left(stage, runs) == [1, 3]
        runs.append(await finished(stage, BEN))
        assert left(stage, runs) == [1, 3, 4]


@on_loop_clock
async def test_all_have_so_many_and_who_has_most_loses_its_oldest() -> None:
    async with Stage(keep_runs=3) as stage:
        runs = [await finished(stage, BEN)]
        runs += [await finished(stage, ANNA) for _ in range(4)]
        assert left(stage, runs) == [0, 3, 4]
        assert stage.runs.finished.forgotten == Counter(all=2)


@on_loop_clock
async def test_what_is_read_stays_until_it_is_not() -> None:
    async with Stage(keep_runs_per_principal=1) as stage:
        runs = [await finished(stage, ANNA)]
        reader = runs[0].attach()
        runs += [await finished(stage, ANNA) for _ in range(2)]
        assert left(stage, runs) == [0, 2]
        reader.close()
        assert left(stage, runs) == [2]
        assert stage.runs.finished.forgotten == Counter(principal=2)
