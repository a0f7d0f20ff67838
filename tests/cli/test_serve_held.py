"""Signals that order a stop, while a tool holds the loop: it ends within the bound, and at once by a second one."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import httpx
import pytest
from live_server import START_SECONDS, LiveServer, eventually, process
from serve_terminal import in_terminal

TOOLS = """
import os, pathlib, re, threading, time
from mcp_app import tool

def begin():
    pathlib.Path("begun").touch()

@tool
async def sleeps() -> None:
    begin()
    time.sleep(300)

@tool
async def computes() -> None:
    begin()
    while True:
        pass

@tool
async def waits() -> None:
    begin()
    threading.Event().wait()

@tool
async def writes() -> None:
    _, unread = os.pipe()
    os.write(unread, bytes(65536))
    begin()
    os.write(unread, b"more")

@tool
async def matches() -> None:
    begin()
    re.match("(a|a)*$", "a" * 60 + "b")
"""

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_tools.py").write_text(TOOLS)
    return tmp_path


def configure(folder: Path, loop: str) -> None:
    (folder / "hypercorn.toml").write_text(f'worker_class = "{loop}"\ngraceful_timeout = 0.2\nshutdown_timeout = 0.5\n')


def hold(folder: Path, url: str, tool: str) -> None:
    """Call it, and return when it holds the loop; its caller waits for nothing, nor does the answer come."""
    with contextlib.suppress(httpx.ReadTimeout):
        httpx.post(f"{url}/api/v1/mcp/runs", json={"tool": tool}, timeout=httpx.Timeout(START_SECONDS, read=0.5))
    eventually((folder / "begun").exists)


def send(server: LiveServer, *numbers: signal.Signals) -> int:
    """The exit status."""
    assert server.process is not None
    for number in numbers:
        server.process.send_signal(number)
    return server.process.wait(START_SECONDS)


@LOOPS
@pytest.mark.parametrize("tool", ["sleeps", "computes", "waits", "writes", "matches"])
def test_a_second_signal_ends_at_once(loop: str, tool: str, folder: Path) -> None:
    configure(folder, loop)
    with pytest.raises(AssertionError, match="exit status 130"), process("my_tools.py", cwd=folder) as server:
        hold(folder, server.url, tool)
        assert send(server, signal.SIGTERM, signal.SIGINT) == 130


@pytest.mark.parametrize(
    ("loop", "tool", "told"),
    [
        ("asyncio", "writes", "ended by force"),
        ("uvloop", "sleeps", "ended by force"),
        ("asyncio", "matches", "in matches"),
    ],
)
def test_one_signal_ends_within_the_bound(loop: str, tool: str, told: str, folder: Path) -> None:
    configure(folder, loop)
    with pytest.raises(AssertionError, match="exit status 1:"), process("my_tools.py", cwd=folder) as server:
        hold(folder, server.url, tool)
        assert send(server, signal.SIGTERM) == 1
    assert any(told in line for line in server.output), server.output


def test_so_does_the_end_of_its_terminal(folder: Path) -> None:
    configure(folder, "asyncio")
    with in_terminal(folder) as (terminal, url):
        hold(folder, url.rstrip("/"), "sleeps")
        terminal.close()
        assert terminal.process.wait(START_SECONDS) == 1
