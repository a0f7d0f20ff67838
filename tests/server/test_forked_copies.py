"""A tool that forks, and comes back twice: the copy ends, and the server goes on as before."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from live_server import START_SECONDS, LiveServer, process

SECONDS = 20.0

TOOLS = """
import os
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any
from mcp_app import Context, Depends, tool

def connection() -> Iterator[int]:
    yield 1

def forks() -> int:
    return os.fork()

@tool
def returns() -> int:
    return os.fork()

@tool
def raises() -> int:
    if (pid := os.fork()) == 0:
        raise ValueError("in the copy")
    return pid

@tool
def connected(connection: Annotated[int, Depends(connection)]) -> int:
    return os.fork()

@tool
def says(ctx: Context) -> int:
    pid = os.fork()
    for done in range(200):
        ctx.progress(done, 200)
    return pid

@tool
async def needs(pid: Annotated[int, Depends(forks)]) -> int:
    return pid

@tool
async def on_the_loop() -> int:
    return os.fork()

@tool
async def add(a: int, b: int) -> int:
    return a + b
"""


def call(server: LiveServer, tool: str, **params: int) -> int:
    body = {"tool": tool, "params": params, "stream": False}
    found: int = httpx.post(f"{server.url}/api/v1/mcp/sse", json=body, timeout=SECONDS).json()["data"]
    return found


def ends(pid: int) -> bool:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":  # the tool waits for it, or not
            return True
        time.sleep(0.02)
    return False


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    directory = tmp_path_factory.mktemp("forks")
    (directory / "my_tools.py").write_text(TOOLS)
    (directory / "hypercorn.toml").write_text(f'worker_class = "{request.param}"\n')
    with process("my_tools.py", cwd=directory) as server:
        yield server


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="it looks at processes by /proc")
@pytest.mark.parametrize("tool", ["returns", "raises", "connected", "says", "needs", "on_the_loop"])
def test_a_copy_that_comes_back_ends_and_the_server_goes_on(server: LiveServer, tool: str) -> None:
    pid = call(server, tool)
    assert pid > 1
    assert ends(pid)
    assert call(server, "add", a=1, b=2) == 3
    assert httpx.get(f"{server.url}/healthz", timeout=START_SECONDS).status_code == 200
