"""How many processes there are, who waits for one, and that none outlives its server's stop."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import worker_tools
from worker_stage import SECONDS, Call, Stage, lives, until

from mcp_app.config.settings import Settings
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.access import Access
from mcp_app.protocol.event import decode
from mcp_app.protocol.policy import PLAIN_POST
from mcp_app.runs import Run, Runs, processes
from mcp_app.runs.failure import public_error
from mcp_app.runs.processes import NoProcess, Processes, cores
from mcp_app.web.metrics import Metrics


async def begun(stage: Stage, directory: Path, count: int) -> list[Call]:
    calls = [stage.call("waits", mark=str(directory / str(each)), how="looks") for each in range(count)]
    for each in calls:
        await each.first()
    return calls


async def test_each_process_works_on_one_call_and_no_more_are_started_than_may_be(stage: Stage, tmp_path: Path) -> None:
    calls = await begun(stage, tmp_path, 2)
    assert len({decode(each.events[0].data)["message"] for each in calls}) == 2
    third = stage.call("look", pid=os.getpid())
    [queued] = [decode((await third.first()).data)]
    assert queued == {"level": "notice", "message": "queued: no process is free; waiting for one, 10 s at most"}
    assert (stage.pool.working, stage.pool.idle, stage.pool.started) == (2, 0, 2)
    calls[0].cancel("left")
    assert (await third.value())["elsewhere"]
    await until(lambda: stage.pool.idle == 1, "it waits for a call")
    assert (stage.pool.working, stage.pool.started) == (1, 2)
    calls[1].cancel("left")


async def test_who_waits_too_long_is_told_and_the_log_once(
    stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "QUEUE_SECONDS", 0.05)
    calls = await begun(stage, tmp_path, 2)
    for each in [stage.call("look", pid=1) for _ in range(3)]:
        error = await each.error()
        assert isinstance(error, NoProcess)
        assert error.message.startswith("No process was free for 0.05 seconds")
        assert public_error(error, "it", "it", 500_000) is error
        assert error.code == "overloaded"
    assert caplog.text.count("no process is free") == 1
    for call in calls:
        call.cancel("left")
    await until(lambda: stage.pool.idle == 2, "both are free")
    assert (await stage.call("look", pid=1).value())["elsewhere"]


async def test_a_call_waits_half_of_its_time_at_most(stage: Stage, tmp_path: Path) -> None:
    calls = await begun(stage, tmp_path, 2)
    error = await stage.call("look", {"seconds": 0.2}, pid=1).error()
    assert isinstance(error, NoProcess)
    for call in calls:
        call.cancel("left")


async def test_a_system_without_processes_to_give(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", refuse)
        before = len(os.listdir("/proc/self/fd"))
        assert isinstance(await stage.call("look", pid=1).error(), OSError)
        assert len(os.listdir("/proc/self/fd")) == before
    assert (stage.pool.working, stage.pool.started) == (0, 0)
    assert (await stage.call("look", pid=1).value())["elsewhere"]


async def test_one_process_for_each_processor() -> None:
    assert cores() == len(os.sched_getaffinity(0))
    assert Settings().processes is None


# --- the stop --------------------------------------------------------------------------------------------------------


async def test_none_outlives_the_pool(tmp_path: Path) -> None:
    pool = Processes(3, most=500_000, cap_seconds=30)
    stage = Stage(pool)
    await asyncio.gather(stage.pid(), stage.pid())
    stuck = stage.call("waits", mark=str(tmp_path / "mark"), how="never")
    await stuck.first()
    pids = [process.pid for process in pool._all]
    stuck.cancel("shutdown")
    await asyncio.wait_for(pool.close(), SECONDS)
    assert [pid for pid in pids if lives(pid)] == []
    assert (pool.working, pool.idle, pool.started) == (0, 0, 0)
    assert [each for each in asyncio.all_tasks() if "process" in each.get_name()] == []


async def test_what_is_left_is_killed_when_the_server_ends_now(tmp_path: Path) -> None:
    pool = Processes(1, most=500_000, cap_seconds=30)
    call = Stage(pool).call("waits", mark=str(tmp_path / "mark"), how="never")
    await call.first()
    [process] = pool._all
    pool.kill()
    await call.error()
    assert not lives(process.pid)
    await asyncio.wait_for(pool.close(), SECONDS)


def test_none_outlives_a_loop_whose_tasks_are_all_cancelled(tmp_path: Path) -> None:
    """As `asyncio.run` ends a host that has no lifespan: what stops the server is one of these tasks."""
    pids: list[int] = []
    closed: list[bool] = []

    async def keep(pool: Processes) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.wait_for(pool.close(), SECONDS)
            closed.append(True)
            raise

    async def main() -> None:
        pool = Processes(2, most=500_000, cap_seconds=30)
        stage = Stage(pool)
        pids.append(await stage.pid())
        pids.append(
            int(decode((await stage.call("waits", mark=str(tmp_path / "mark"), how="never").first()).data)["message"])
        )
        keeper.append(asyncio.create_task(keep(pool)))
        await asyncio.sleep(0)

    keeper: list[asyncio.Task[None]] = []
    asyncio.run(main())
    assert closed == [True]
    assert [pid for pid in pids if lives(pid)] == []


async def start(runs: Runs, name: str, **params: Any) -> Run:
    tool = getattr(worker_tools, name)
    run = await runs.start(tool, tool.arguments(params), PLAIN_POST, access=Access("ann"), headers={})
    run.attach()
    return run


async def test_runs_drain_their_processes_and_count_them(tmp_path: Path) -> None:
    runs = Runs(Settings(processes=2), MemoryLog())
    run = await start(runs, "waits", mark=str(tmp_path / "mark"), how="looks")
    await until(lambda: run.events > 1, "it works")
    await start(runs, "look", pid=1)
    await until(lambda: runs.processes.idle == 1, "it is done")
    text = Metrics().text(runs).decode()
    assert 'mcp_app_processes{state="idle"} 1\nmcp_app_processes{state="working"} 1\n' in text
    await asyncio.wait_for(runs.drain(), SECONDS)
    assert (runs.processes.working, runs.processes.idle) == (0, 2)
    await asyncio.wait_for(runs.processes.close(), SECONDS)
    runs.close()
    assert (run.code, (tmp_path / "mark").read_text()) == ("shutdown", "shutdown")
    assert (runs.processes.working, runs.processes.idle, runs.processes.started) == (0, 0, 0)
