"""A process that a tool leaves behind keeps neither the port nor a connection: the server starts again on its port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_server import START_SECONDS, LiveServer, process

TOOLS = """
import asyncio, multiprocessing, os, subprocess, time
from mcp_app import tool

SLEEP = ["sleep", "300"]
QUIET = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
NULL = subprocess.DEVNULL

def rest():
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    time.sleep(300)
    os._exit(0)

@tool
async def asyncio_exec() -> int:
    return (await asyncio.create_subprocess_exec(*SLEEP, stdin=NULL, stdout=NULL, stderr=NULL)).pid

@tool
def system() -> int:
    with os.popen("sleep 300 </dev/null >/dev/null 2>&1 & echo $!") as answer:
        return int(answer.read())

@tool
def posix_spawn() -> int:
    return os.posix_spawn("/bin/sleep", SLEEP, os.environ, file_actions=QUIET)

@tool
def popen() -> int:
    return subprocess.Popen(SLEEP, close_fds=False, stdin=NULL, stdout=NULL, stderr=NULL).pid

@tool
def fork() -> int:
    return os.fork() or rest()

@tool
async def fork_on_the_loop() -> int:
    return os.fork() or rest()

@tool
def multiprocess() -> int:
    child = multiprocessing.get_context("fork").Process(target=rest, daemon=False)
    child.start()
    multiprocessing.process._children.discard(child)  # which the exit would wait for
    return child.pid
"""

WAYS = ("asyncio_exec", "system", "posix_spawn", "popen", "fork", "fork_on_the_loop", "multiprocess")


def call(server: LiveServer, tool: str) -> Any:
    body = {"tool": tool, "stream": False}
    return httpx.post(f"{server.url}/api/v1/mcp/sse", json=body, timeout=START_SECONDS).json()["data"]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_port_is_free_again_and_clients_see_the_end(loop: str, tmp_path: Path) -> None:
    (tmp_path / "my_tools.py").write_text(TOOLS)
    (tmp_path / "hypercorn.toml").write_text(f'worker_class = "{loop}"\n')
    left: dict[str, int] = {}
    try:
        with contextlib.ExitStack() as clients:
            with process("my_tools.py", cwd=tmp_path) as server:
                address = (server.host, server.port)
                idle = clients.enter_context(socket.create_connection(address, START_SECONDS))
                idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert idle.recv(65536).startswith(b"HTTP/1.1 200")
                for way in WAYS:
                    left[way] = call(server, way)
                left["again"] = call(server, "popen")  # what a child gave up, its parent still has
            while idle.recv(65536):
                pass
            for way, pid in left.items():
                os.kill(pid, 0)  # it is still there: else nothing was shown
                assert pid > 1, way
            ports = ["--bind", f"127.0.0.1:{server.tls_port}", "--insecure-bind", f"127.0.0.1:{server.port}"]
            command = [sys.executable, "-m", "mcp_app", "serve", *ports]
            with process("my_tools.py", cwd=tmp_path, command=command) as again:
                assert again.port == server.port
                assert httpx.get(f"{again.url}/healthz", timeout=START_SECONDS).status_code == 200
    finally:
        for pid in left.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
