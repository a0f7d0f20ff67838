"""What a tool in a process needs is made and closed there: for a call, and once for all calls of the process."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
import worker_tools
from worker_stage import SECONDS, Stage, until

from mcp_app import create_app
from mcp_app.protocol.error_root import McpAppError
from mcp_app.runs.processes import Processes


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    return tmp_path / "notes"


def lines(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


async def test_it_is_made_there_and_closed_there(notes: Path) -> None:
    pool = Processes(1, most=500_000, cap_seconds=30)
    stage = Stage(pool)
    call = stage.call("needs", n=1)
    first = await call.value()
    assert first["conn"] == f"1 of pool, in {first['thread']}"
    assert [event.type.value for event in call.events] == ["log"]
    assert await stage.call("needs_too", n=2).value() == "2 of pool"
    await asyncio.wait_for(pool.close(), SECONDS)
    assert lines(notes) == [
        f"{line} in {first['pid']}"
        for line in (
            *("pool made", "1 of pool made", "1 of pool closed", "2 of pool made", "2 of pool closed"),
            "pool closed",
        )
    ]
    assert first["pid"] != os.getpid()


async def test_what_a_cancelled_call_has_taken_is_given_back(stage: Stage, notes: Path) -> None:
    call = stage.call("needs_too", n=-1)
    await call.first()
    await until(lambda: len(lines(notes)) == 2, "it is taken")
    call.cancel("left")
    await until(lambda: stage.pool.idle == 1, "it is free again")
    what = [line.partition(" in ")[0] for line in lines(notes)]
    assert what == ["pool made", "-1 of pool made", "-1 of pool closed"]


async def test_what_cannot_be_made_fails_the_call(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    error = await stage.call("cannot").error()
    assert isinstance(error, McpAppError)
    assert error.code == "tool_failed"
    assert "no database" not in error.message
    assert "no database" in str(caplog.records[-1].stack_info)


async def test_the_server_makes_none_of_it(notes: Path) -> None:
    app = create_app(tools=[worker_tools.needs, worker_tools.cannot])
    await app.startup()
    await app.shutdown()
    assert lines(notes) == []
