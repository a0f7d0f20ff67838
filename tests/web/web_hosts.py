"""Real hosts as processes: what each serves, how it is started, and where it is reached. Not a test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0

TOOLS = '''
"""The shop's tools."""

import asyncio
import os

from mcp_app import Context, tool

STEPS = asyncio.Semaphore(0)
ENDED = []


@tool(read_only=True)
async def who(ctx: Context) -> str:
    """Who calls."""
    return ctx.principal


@tool(read_only=True)
async def walk(ctx: Context, count: int = 3) -> str:
    """One progress for each step that is allowed."""
    try:
        for number in range(1, count + 1):
            await STEPS.acquire()
            await ctx.progress(number, count)
        return "there"
    finally:
        await asyncio.sleep(0.1)
        ENDED.append(ctx.cancel_reason)
        os.write(1, f"cleaned up after {ctx.cancel_reason}\\n".encode())  # in one piece, whoever else writes


@tool
async def step(count: int = 1) -> int:
    """Let a walk go on."""
    for _ in range(count):
        STEPS.release()
    return count


@tool(read_only=True)
async def ended() -> list[str | None]:
    """How walks ended."""
    return ENDED
'''

HOSTS = """
import sys

import uvicorn
from fastapi import FastAPI
from quart import Quart
from starlette.applications import Starlette
from starlette.routing import Mount

import mcp_app

if "OWN_ENGINE" in __import__("os").environ:
    from mcp_app.server import engine

    engine.install()


def who(scope):
    return dict(scope["headers"]).get(b"x-user", b"").decode() or None


tools = mcp_app.asgi_app("tools.py", principal=who)

fast = FastAPI()
fast.mount("/tools", tools)


@fast.middleware("http")
async def timing(request, call_next):
    response = await call_next(request)
    response.headers["x-timing"] = "0"
    return response


star = Starlette(routes=[Mount("/tools", tools)])

living = FastAPI(lifespan=tools.lifespan)
living.mount("/tools", tools)

shop = Quart("shop")
shop.register_blueprint(mcp_app.blueprint("tools.py", principal=who), url_prefix="/tools")


class Server(uvicorn.Server):
    async def shutdown(self, sockets=None):
        await tools.shutdown()
        await super().shutdown(sockets)


if __name__ == "__main__":
    Server(uvicorn.Config(living, port=0)).run()
"""

UVICORN = (sys.executable, "-m", "uvicorn", "--port", "0")
HYPERCORN = (sys.executable, "-m", "hypercorn", "--bind", "127.0.0.1:0", "--graceful-timeout", "1")


class Host(NamedTuple):
    """A framework under a server. `http2`: whether that speaks it."""

    command: tuple[str, ...]
    http2: bool = False
    own_engine: bool = False


HOSTS_BY_NAME = {
    "FastAPI, uvicorn": Host((*UVICORN, "--http", "h11", "hosts:fast")),
    "Starlette, uvicorn": Host((*UVICORN, "--http", "httptools", "hosts:star")),
    "FastAPI, Hypercorn": Host((*HYPERCORN, "hosts:fast"), http2=True),
    "Starlette, our engine": Host((*HYPERCORN, "hosts:star"), http2=True, own_engine=True),
    "FastAPI, our engine": Host((*HYPERCORN, "hosts:fast"), http2=True, own_engine=True),
    "Quart, Hypercorn": Host((*HYPERCORN, "hosts:shop")),
    "Quart, our engine": Host((*HYPERCORN, "hosts:shop"), http2=True, own_engine=True),
}

_RUNNING = re.compile(r"unning on (http://127\.0\.0\.1:\d+)")


@dataclass
class Running:
    """A host at work."""

    process: subprocess.Popen[str]
    url: str = ""
    output: list[str] = field(default_factory=list)
    _ready: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Read its lines to the end: a full pipe would stop it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
            if not self.url and (found := _RUNNING.search(line)):
                self.url = found[1]
                self._ready.set()
        self._ready.set()

    def wait_ready(self) -> None:
        assert self._ready.wait(START_SECONDS), self.output
        assert self.url, "\n".join(self.output)

    def stop(self, seconds: float = START_SECONDS) -> int:
        """SIGTERM; its exit status. Killed, and an error, if it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@contextmanager
def hosted(host: Host, folder: Path) -> Iterator[Running]:
    """The host as a process in `folder`."""
    (folder / "tools.py").write_text(TOOLS)
    (folder / "hosts.py").write_text(HOSTS)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{folder}", "PYTHONUNBUFFERED": "1"}
    child = subprocess.Popen(
        host.command,
        cwd=folder,
        env=environment | ({"OWN_ENGINE": "1"} if host.own_engine else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Running(child)
    reader = threading.Thread(target=running.read, daemon=True)
    reader.start()
    try:
        running.wait_ready()
        yield running
    finally:
        try:
            running.stop()
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(START_SECONDS)
            raise
        finally:
            reader.join(START_SECONDS)
            assert not reader.is_alive(), "something that the host has started holds its output"
            assert child.stdout is not None
            child.stdout.close()
