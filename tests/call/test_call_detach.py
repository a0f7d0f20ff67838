"""`call --detach` and `follow`: a run that outlives its caller, watched from its start, over the cap, after its end."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from command_line import COMMAND, call, terminal
from live_server import LiveServer, serving

from mcp_app import Context, Settings, ToolError, create_app, tool


@tool
async def count(to: int, ctx: Context) -> int:
    """Count to a number, ten in a second."""
    for number in range(1, to + 1):
        await asyncio.sleep(0.1)
        await ctx.progress(number, to, f"at {number}")
    return to


@tool
async def breaks() -> None:
    """Fail."""
    raise ToolError("It broke.", hint="Mend it.")


@pytest.fixture
async def own() -> AsyncIterator[LiveServer]:
    """Our own server, whose streams end after a second while their detached runs go on."""
    async with serving(create_app(Settings(cap_seconds=1), [count, breaks])) as live:
        yield live


FOLLOW = [*COMMAND[:-1], "follow"]


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """`call(…)` and `terminal(…)` run `mcp-app follow`."""
    monkeypatch.setattr("command_line.COMMAND", FOLLOW)


async def started(server: LiveServer, *words: str) -> str:
    done = await asyncio.create_subprocess_exec(
        *COMMAND, server.url, *words, "--detach", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await done.communicate()
    assert done.returncode == 0
    run = out.decode().strip()
    assert re.fullmatch(r"[0-9a-f]{32}", run)
    assert err.decode() == f"started; watch it: mcp-app follow {server.url} {run}\n"
    return run


@pytest.mark.usefixtures("follow")
async def test_a_detached_run_is_followed_over_the_cap_without_a_hole_and_again_after_its_end(own: LiveServer) -> None:
    run = await started(own, "count", "to=25")
    for _ in range(2):
        seen = await call(own.url, run)
        assert (seen.status, seen.err) == (0, "")
        assert [line.split()[0] for line in seen.lines] == ["started", *["progress"] * 25, "complete"]
        assert [line.split()[1] for line in seen.lines[1:-1]] == [f"{number}/25" for number in range(1, 26)]
        assert seen.lines[-1].split()[-1] == "25"


@pytest.mark.usefixtures("follow")
async def test_its_failure_is_the_exit_status(own: LiveServer) -> None:
    seen = await call(own.url, await started(own, "breaks"))
    assert seen.status == 1
    assert seen.err == "mcp-app follow: tool_failed: It broke.\n  Mend it.\n"


@pytest.mark.usefixtures("follow")
async def test_ctrl_c_leaves_and_the_run_goes_on(own: LiveServer) -> None:
    run = await started(own, "count", "to=30")
    async with terminal(own.url, run) as shown:
        await shown.until("at 2")
        shown.type("\x03")
        assert await shown.end() == 130
    assert "mcp-app follow: cancelled: left; the run goes on" in shown.plain
    assert (await call(own.url, run)).lines[-1].split()[-1] == "30"


@pytest.mark.usefixtures("follow")
@pytest.mark.parametrize(("run", "said"), [("a/../b", "is not a run's id"), ("0" * 32, "unknown_run: ")])
async def test_a_run_that_is_none_is_refused(own: LiveServer, run: str, said: str) -> None:
    seen = await call(own.url, run)
    assert seen.status == 2
    assert said in seen.err
    assert len(seen.err.splitlines()) == 2


async def test_what_cannot_be_started_is_refused_as_a_call_is(own: LiveServer) -> None:
    wrong = await call(own.url, "gone", "--detach")
    assert (wrong.status, wrong.out) == (2, "")
    assert wrong.err.startswith("mcp-app call: unknown_tool: ")


async def test_with_json_the_state_is_printed(own: LiveServer) -> None:
    done = await call(own.url, "count", "to=1", "--detach", "--json")
    assert done.status == 0
    assert '"state":"working"' in done.out


async def test_a_server_that_is_gone_is_not_waited_for_for_ever(own: LiveServer, tmp_path: Path) -> None:
    run = await started(own, "count", "to=600")
    child = await asyncio.create_subprocess_exec(
        *[sys.executable, *FOLLOW[1:]], own.url, run, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    await child.stdout.readline()
    own.stop.set()
    async with asyncio.timeout(30):
        _, err = await child.communicate()
    assert child.returncode == 5
    assert b"shutdown" in err or b"cut before its last event" in err
