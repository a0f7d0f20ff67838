"""What the shared log keeps of finished runs, over two nodes: their age, quotas, and who reads one meanwhile."""

from __future__ import annotations

import asyncio

from loop_clock import on_loop_clock
from nodes_stage import RUNS, Site, nodes, settle

from mcp_app.nodes.node import SWEEP_SECONDS


async def finished(site: Site, lines: int = 1) -> str:
    run = await site.start("flood", lines=lines)
    stream = await site.follow(run["id"])
    await stream.rest()
    stream.leave()
    return str(run["id"])


async def status(site: Site, run: str) -> int:
    return (await site.ask("GET", f"{RUNS}/{run}")).status


@on_loop_clock
async def test_a_finished_run_is_not_forgotten_while_somebody_reads_it_elsewhere() -> None:
    async with nodes(3, keep_seconds=60, heartbeat_seconds=3600, cap_seconds=3600) as (here, there, third):
        run = await finished(here, lines=600)
        await asyncio.sleep(59)
        stream = await there.follow(run)
        await stream.until(100)
        for _ in range(10):
            await asyncio.sleep(SWEEP_SECONDS)
            assert await status(third, run) == 200
        await stream.rest()
        stream.leave()
        assert stream.numbers == list(range(1, 603))
        await asyncio.sleep(4 * SWEEP_SECONDS)
        assert {await status(site, run) for site in (here, there, third)} == {404}


@on_loop_clock
async def test_quotas_hold_over_nodes() -> None:
    async with nodes(keep_runs=3) as (here, there):
        runs = [await finished(site) for site in (here, there, here, there, here)]
        await asyncio.sleep(2 * SWEEP_SECONDS)
        await settle()
        assert here.node.counts.usage[:2] == (0, 3)
        assert (here.node.counts.forgotten + there.node.counts.forgotten).total() == 2
        third = Site(here.log._shared, here.play)
        await third.node.start(third.runs.known)
        assert [await status(third, run) for run in runs] == [404, 404, 200, 200, 200]
        await third.close()
