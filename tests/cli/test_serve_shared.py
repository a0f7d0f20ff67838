"""What tools share, in a process of its own: made before the first call, closed before the exit."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from live_server import START_SECONDS, eventually, process

ROOT = Path(__file__).parent.parent.parent

POOL = r"""
import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Annotated

import aiosqlite

from mcp_app import Depends, Shared, tool

async def make_pool() -> AsyncIterator[asyncio.Queue]:
    connections = [await aiosqlite.connect("rows.db") for _ in range(3)]
    pool = asyncio.Queue()
    for each in connections:
        pool.put_nowait(each)
    sys.stdout.write("made\n")
    yield pool
    sys.stdout.write(f"free {pool.qsize()}\n")  # in one write, between lines of the log
    for each in connections:
        await each.close()
    sys.stdout.write("closed\n")

async def take(pool: Annotated[asyncio.Queue, Shared(make_pool)]) -> AsyncIterator[aiosqlite.Connection]:
    connection = await pool.get()
    try:
        yield connection
    finally:
        pool.put_nowait(connection)

@tool
async def select(connection: Annotated[aiosqlite.Connection, Depends(take)], seconds: float = 0) -> int:
    async with connection.execute("select 1") as rows:
        found = await rows.fetchone()
    await asyncio.sleep(seconds)
    return found[0]
"""
"""Each connection of aiosqlite has a thread that is no daemon: one that is not closed keeps the process."""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_stop_closes_a_pool_whose_threads_would_keep_the_process(loop: str, tmp_path: Path) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    (tmp_path / "rows.py").write_text(POOL)
    (tmp_path / "hypercorn.toml").write_text(f'worker_class = "{loop}"\n')
    with process("rows.py", cwd=tmp_path) as server:
        assert "made" in server.output[0]
        answer = httpx.post(
            f"{server.url}/api/v1/mcp/sse",
            json={"tool": "select"},
            headers={"Accept": "application/json"},
            timeout=START_SECONDS,
        )
        assert answer.json()["data"] == 1
        call = {"tool": "select", "params": {"seconds": 300}}
        httpx.post(f"{server.url}/api/v1/mcp/runs", json=call, timeout=START_SECONDS).raise_for_status()
    # `process` has asserted that the exit status is 0.
    assert [line for line in server.output if line in {"free 3", "closed"}] == ["free 3", "closed"]
    assert not [line for line in server.output if "by force" in line or "ERROR" in line]


FAILING = """
from typing import Annotated
from mcp_app import Shared, create_app, tool

async def make_settings():
    yield {}
    print("settings closed", flush=True)

async def make_pool(settings: Annotated[dict, Shared(make_settings)]):
    raise ConnectionRefusedError("nobody listens at port 5432")
    yield

@tool
async def select(pool: Annotated[object, Shared(make_pool)]) -> int:
    return 1

@tool
async def echo(text: str) -> str:
    return text
"""

ASGI = """
from mcp_app import create_app
from mcp_app.server import engine
from rows import select
engine.install()
app = create_app(tools=[select])
"""


def ended(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder), **env},
        text=True,
        capture_output=True,
        timeout=START_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_a_maker_that_raises_at_the_start_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(FAILING)
    found = ended(tmp_path, "mcp_app", "serve", "rows.py", "--port", "0")
    assert found.returncode == 1
    assert found.stdout == "settings closed\n"
    assert re.fullmatch(
        rf"mcp-app: the application did not start: make_pool \({re.escape(str(tmp_path))}/rows.py:9\) raised "
        r"ConnectionRefusedError: nobody listens at port 5432\n",
        found.stderr,
    )


def test_so_it_is_under_hypercorns_own_command(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(FAILING)
    (tmp_path / "rows_asgi.py").write_text(ASGI)
    (tmp_path / "hypercorn.toml").write_text('bind = ["127.0.0.1:0"]\nworkers = 0\n')
    found = ended(tmp_path, "hypercorn", "-c", "hypercorn.toml", "rows_asgi:app")
    assert found.returncode == 1
    lines = [line for line in found.stderr.splitlines() if "make_pool (" in line]
    assert len(lines) == 1
    assert lines[0].endswith("/rows.py:9) raised ConnectionRefusedError: nobody listens at port 5432")
    assert "Traceback" not in found.stderr


def test_so_it_is_over_standard_input_and_output(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(FAILING)
    found = ended(tmp_path, "mcp_app", "serve", "--stdio", "rows.py")
    assert (found.returncode, found.stdout) == (1, "")
    assert re.fullmatch(
        r"settings closed\nmcp-app: the application did not start: make_pool \(\S+/rows.py:9\) raised "
        r"ConnectionRefusedError: nobody listens at port 5432\n",
        found.stderr,
    )


def test_only_what_is_offered_is_made(tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(FAILING)
    with process("rows.py:echo", cwd=tmp_path) as server:
        assert httpx.get(f"{server.url}/healthz", timeout=START_SECONDS).status_code == 200


HANGING = """
import pathlib, time
from typing import Annotated
from mcp_app import Shared, tool

def make_model() -> int:
    pathlib.Path("begun").touch()
    time.sleep(300)

@tool
async def ask(model: Annotated[int, Shared(make_model)]) -> int:
    return model
"""


def test_a_maker_that_never_returns_is_bounded_by_the_cap(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(HANGING)
    found = ended(tmp_path, "mcp_app", "serve", "models.py", "--port", "0", MCP_APP_CAP_SECONDS="0.5")
    assert found.returncode == 1
    assert re.fullmatch(
        r"mcp-app: the application did not start: make_model \(\S+/models.py:6\) had no value after 0.5 s, the cap\n",
        found.stderr,
    )


BOTH_WAYS = pytest.mark.parametrize("way", [("--port", "0"), ("--stdio",)], ids=["http", "stdio"])

LEAVING = """
import asyncio, threading, time
from typing import Annotated
from mcp_app import Shared, tool

async def make_pool() -> int:
    threading.Thread(target=time.sleep, args=(300,), name="left-behind").start()
    raise ConnectionError("no database")

async def ignores() -> int:
    while True:
        try:
            await asyncio.sleep(300)
        except asyncio.CancelledError:
            pass

@tool
async def leaves(pool: Annotated[int, Shared(make_pool)]) -> int:
    return pool

@tool
async def hangs(pool: Annotated[int, Shared(ignores)]) -> int:
    return pool
"""


@BOTH_WAYS
@pytest.mark.parametrize(("name", "reason"), [("leaves", "left-behind"), ("hangs", "cannot be cancelled")])
def test_what_a_maker_left_behind_does_not_keep_a_process_that_did_not_start(
    name: str, reason: str, way: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "rows.py").write_text(LEAVING)
    found = ended(tmp_path, "mcp_app", "serve", f"rows.py:{name}", *way, MCP_APP_CAP_SECONDS="0.5")
    assert found.returncode == 1
    # The second keeps the loop, and with it who would say why there is no start.
    assert ("the application did not start: make_pool (" in found.stderr) is (name == "leaves")
    assert reason in found.stderr
    assert "ended by force" in found.stderr


def test_a_start_that_takes_too_long_for_the_server_names_who_was_at_work(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(HANGING)
    (tmp_path / "hypercorn.toml").write_text("startup_timeout = 1\n")
    found = ended(tmp_path, "mcp_app", "serve", "models.py", "--port", "0")
    assert found.returncode == 1
    assert re.search(r"ERROR .*the start was ended while make_model \(\S+/models.py:6\) was at work", found.stderr)
    assert "the application did not start in the seconds of startup_timeout" in found.stderr
    assert "Traceback" not in found.stderr


@BOTH_WAYS
def test_a_stop_is_heard_while_a_maker_is_at_work(way: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(HANGING)
    child = subprocess.Popen(
        [sys.executable, "-m", "mcp_app", "serve", "models.py", *way],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        text=True,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        eventually((tmp_path / "begun").exists)
        child.send_signal(signal.SIGTERM)
        _, said = child.communicate(timeout=START_SECONDS)
    finally:
        child.kill()
        child.wait(START_SECONDS)
    assert child.returncode == 0
    assert "the start was ended while make_model (" in said
    assert "by force" not in said
