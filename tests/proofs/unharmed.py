"""A server to which anything may be done, a client beside it, and whether it is the same at the end. Not a test.

What is done to it is drawn elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from live_server import LiveServer, process

from .raw_http import PATIENCE, Connection

MIB = 1024 * 1024
ALLOWED_MIB = 24
"""What the second half of the requests may add to the process: what is kept is bounded below, the rest is the
allocator's."""

SETTLING_SECONDS = 60.0

SETTINGS = {
    "MCP_APP_CAP_SECONDS": "5",
    "MCP_APP_LINGER_SECONDS": "0.5",
    "MCP_APP_KEEP_SECONDS": "1",
    "MCP_APP_KEEP_BYTES": str(4 * MIB),
    "MCP_APP_RUN_LIFE_SECONDS": "3",
    "MCP_APP_SESSION_IDLE_SECONDS": "2",
}
"""So short that what is left behind is seen to go."""


def mark(who: str) -> str:
    return f"only-for-{who}-to-read"


@dataclass
class Healthy:
    """A client that calls, again and again, while everything else goes on."""

    port: int
    key: str
    served: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        connection = Connection(self.port)
        while not self._stop.wait(0.02):
            text = f"{mark('healthy')} {self.served}"
            body = json.dumps({"text": text}).encode()
            head = f"POST /api/v1/mcp/tools/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.key}\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            started = time.monotonic()
            try:
                reply = connection.ask(head.encode() + body)
                if reply is None or reply.status != 200 or json.loads(reply.body)["data"] != text:
                    self.wrong.append(repr(reply))
            except (OSError, AssertionError, ValueError) as error:
                self.wrong.append(repr(error))
            self.served += 1
            self.slowest = max(self.slowest, time.monotonic() - started)
        connection.close()

    def __enter__(self) -> Healthy:
        self._thread = threading.Thread(target=self.run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(2 * PATIENCE)


class Watch:
    """Notes what a server holds, twenty times on the way."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server
        self.memory: list[float] = []

    def note(self, done: int, of: int) -> None:
        if done % max(1, of // 20) == 0:
            self.memory.append(held(self._server))


@contextmanager
def unharmed(server: LiveServer, keys: dict[str, str]) -> Iterator[Watch]:
    """Whatever goes on within: a client beside it is served, and the server is afterwards what it was before."""
    watch = Watch(server)
    with Healthy(server.port, keys["healthy"]) as healthy:
        before = alive(server, keys["a"])
        yield watch
    assert healthy.wrong == []
    assert healthy.served > 10
    after = settled(server, keys["a"], before)
    assert all(after[name] <= before[name] for name in before), f"left behind: {before} -> {after}"
    memory = [round(each) for each in watch.memory]
    print(f"healthy {healthy.served}, the slowest {healthy.slowest:.2f} s; {memory} MiB")
    assert held(server) - watch.memory[len(memory) // 2] < ALLOWED_MIB, memory
    assert not [line for line in server.output if "Traceback" in line or "error_id" in line], server.output


def alive(server: LiveServer, key: str) -> dict[str, int]:
    """What is alive in the server's process; its descriptors without those of this question."""
    connection = Connection(server.port)
    head = f"POST /api/v1/mcp/tools/inside HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n\r\n"
    reply = connection.ask(head.encode())
    assert reply is not None
    assert server.process is not None
    descriptors = psutil.Process(server.process.pid).num_fds()
    connection.close()
    found: dict[str, int] = json.loads(reply.body)["data"]
    return {"tasks": found["tasks"], "descriptors": descriptors}


def settled(server: LiveServer, key: str, before: dict[str, int]) -> dict[str, int]:
    """The same, once it is not more than before; whatever it is after a while."""
    until = time.monotonic() + SETTLING_SECONDS
    while True:
        now = alive(server, key)
        if all(now[name] <= before[name] for name in before) or time.monotonic() > until:
            return now
        time.sleep(0.2)


def held(server: LiveServer) -> float:
    """MiB of the server's process."""
    assert server.process is not None
    return psutil.Process(server.process.pid).memory_info().rss / MIB


def made_keys(folder: Path) -> dict[str, str]:
    """A key each for the callers of a test, in the file `keys.json` of the folder."""
    found = {}
    for name in ("a", "b", "healthy"):
        command = [sys.executable, "-m", "mcp_app", "keys", "add", name, "--file", str(folder / "keys.json")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        found[name] = done.stdout.splitlines()[-1]
    return found


def fuzzed(folder: Path, **environment: str) -> AbstractContextManager[LiveServer]:
    """A server with one tool of each kind, and the keys of the folder."""
    tools = Path(__file__).with_name("fuzzed_tools.py")
    environment = {**SETTINGS, "MCP_APP_KEYS": str(folder / "keys.json"), **environment}
    return process(str(tools), cwd=folder, env=environment)
