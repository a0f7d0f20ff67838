"""The units of docs/deploy: systemd finds no fault with them, and what they start is started as systemd would.

There is no systemd in the tests: a socket in the place of its own is handed over, and what it is told is read.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from doc_page import ROOT
from hypercorn.config import Config
from live_server import START_SECONDS, eventually, is_late

from mcp_app.cli import _parser
from mcp_app.config.defaults import default_text
from mcp_app.server import forced_exit
from mcp_app.server.sd_notify import READY, STOPPING

DEPLOY = ROOT / "docs" / "deploy"
SERVICE, SOCKET = DEPLOY / "mcp-app.service", DEPLOY / "mcp-app.socket"
EXPOSURE = 15
"""In tenths, of 100: what remains is the network, which it is for."""

TOOL = """
from mcp_app import tool


@tool
def echo(text: str) -> str:
    "Return the text."
    return text
"""


SLOW = """
import asyncio
from pathlib import Path


@tool
async def slow() -> None:
    "Take a second to end."
    try:
        Path("begun").touch()
        await asyncio.Event().wait()
    finally:
        Path("closing").touch()
        await asyncio.sleep(1)
"""


def assignments(unit: Path) -> Mapping[str, Sequence[str]]:
    """What each name of a unit is set to, in order (systemd.syntax(7)): a name may come more than once."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def one(unit: Path, name: str) -> str:
    [value] = assignments(unit)[name]
    return value


def here(folder: Path, change: Callable[[str], str] = lambda text: text) -> list[str]:
    """Both units with what this machine has in the place of the example's."""
    folder.mkdir(exist_ok=True)
    for unit in (SERVICE, SOCKET):
        text = change(unit.read_text(encoding="utf-8"))
        (folder / unit.name).write_text(text.replace("/srv/mcp-app/.venv/bin/mcp-app", sys.executable))
    return [str(folder / SERVICE.name), str(folder / SOCKET.name)]


def analyze(program: Callable[[str], str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [program("systemd-analyze"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)


@pytest.mark.needs("systemd-analyze")
def test_systemd_finds_no_fault(program: Callable[[str], str], tmp_path: Path) -> None:
    found = analyze(program, "verify", "--man=no", *here(tmp_path))
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.needs("systemd-analyze")
@pytest.mark.parametrize(
    ("right", "wrong"), [("ProtectHome=", "ProtectHomes="), ("WatchdogSec=60", "WatchdogSec=soon")]
)
def test_a_fault_would_be_seen(right: str, wrong: str, program: Callable[[str], str], tmp_path: Path) -> None:
    found = analyze(program, "verify", "--man=no", *here(tmp_path, lambda text: text.replace(right, wrong)))
    assert wrong.partition("=")[0] in found.stderr or wrong.partition("=")[2] in found.stderr


@pytest.mark.needs("systemd-analyze")
def test_the_service_is_exposed_to_little(program: Callable[[str], str], tmp_path: Path) -> None:
    words = ["security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}"]
    hardened = analyze(program, *words, here(tmp_path)[0])
    assert hardened.returncode == 0, hardened.stdout

    def without_seccomp(text: str) -> str:
        return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("SystemCall"))

    assert analyze(program, *words, here(tmp_path, without_seccomp)[0]).returncode != 0


def test_the_service_waits_for_the_slowest_start_and_stop() -> None:
    config = Config.from_toml(ROOT / "hypercorn.toml")
    assert default_text("hypercorn.toml") == (ROOT / "hypercorn.toml").read_text(encoding="utf-8")
    assert int(one(SERVICE, "TimeoutStopSec")) > forced_exit.shutdown_seconds(config)
    assert int(one(SERVICE, "TimeoutStartSec")) > config.startup_timeout
    assert one(SERVICE, "KillMode") == "mixed"


def test_the_service_starts_what_there_is_at_the_address_of_the_socket() -> None:
    program, *words = shlex.split(one(SERVICE, "ExecStart"))
    assert program.endswith("/bin/mcp-app")
    arguments = _parser().parse_args(words)
    assert (arguments.tools, arguments.bind, arguments.no_tls) == (["tools.py"], ["fd://3"], True)
    assert one(SOCKET, "ListenStream") == "127.0.0.1:8000"
    assert f"backlog = {one(SOCKET, 'Backlog')}\n" in default_text("hypercorn.toml")
    assert SOCKET.name in one(SERVICE, "Requires")


# --- as systemd would ------------------------------------------------------------------------------------------------


STATE = "/var/lib/mcp-app"


def environment(folder: Path) -> dict[str, str]:
    """The service's own, with `folder` in the place of its StateDirectory."""
    words = [word for line in assignments(SERVICE)["Environment"] for word in shlex.split(line)]
    set_by_unit = dict(word.replace(STATE, str(folder)).split("=", 1) for word in words)
    return {**os.environ, **set_by_unit, "MCP_APP_SECRET": "00" * 16, "PYTHONPATH": str(ROOT), "LISTEN_FDS": "1"}


def new_key(folder: Path) -> str:
    """A key, made as the service's comment says."""
    [command] = re.findall(r"sudo -u mcp-app mcp-app (.*)", SERVICE.read_text(encoding="utf-8"))
    words = shlex.split(command.replace("NAME", "test").replace(STATE, str(folder)))
    done = subprocess.run(
        [sys.executable, "-m", "mcp_app", *words, "--json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=START_SECONDS,
        check=True,
    )
    return str(json.loads(done.stdout)["key"])


@contextmanager
def started(folder: Path, listening: socket.socket, manager: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    """The service's command with the socket as descriptor 3. Yields when it has said that it is ready."""
    _, *words = shlex.split(one(SERVICE, "ExecStart"))
    command = shlex.join([sys.executable, "-m", "mcp_app", *words])
    with (folder / "log").open("ab") as log:
        child = subprocess.Popen(
            ["bash", "-c", f"exec {command} 3<&{listening.fileno()}"],
            cwd=folder,
            env=environment(folder) | {"NOTIFY_SOCKET": manager.getsockname()},
            pass_fds=[listening.fileno()],
            stdout=log,
            stderr=log,
        )
    try:
        assert manager.recv(100).decode() == READY, (folder / "log").read_text()
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
        late = is_late(child)
    assert not late
    assert child.returncode == 0, (folder / "log").read_text()


def test_what_connects_while_it_stops_is_answered_by_the_next(tmp_path: Path) -> None:
    """And not refused with 503, as by a server at an address of its own."""
    (tmp_path / "tools.py").write_text(TOOL + SLOW)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=16) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        ThreadPoolExecutor(2) as callers,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(START_SECONDS)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api/v1/mcp/sse"
        headers = {"Authorization": f"Bearer {new_key(tmp_path)}", "Accept": "application/json"}
        headers["Host"] = "tools.example.com"

        def call(body: dict[str, object]) -> httpx.Response:
            return httpx.post(url, json=body, headers=headers, timeout=START_SECONDS)

        with started(tmp_path, listening, manager) as first:
            slow = callers.submit(call, {"tool": "slow"})
            eventually((tmp_path / "begun").exists)
            first.send_signal(signal.SIGTERM)
            assert manager.recv(100).decode() == STOPPING
            eventually((tmp_path / "closing").exists)
            assert first.poll() is None, "the tool is not cleaning up any more"
            waiting = callers.submit(call, {"tool": "echo", "params": {"text": "while it stops"}})
            assert slow.result(START_SECONDS).json()["error"]["code"] == "shutdown"
            first.wait(START_SECONDS)
        with started(tmp_path, listening, manager):
            assert waiting.result(START_SECONDS).json()["data"] == "while it stops"


def test_while_the_service_is_started_again_connections_wait(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(TOOL)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=16) as listening,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
    ):
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(START_SECONDS)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/api/v1/mcp/sse"
        headers = {
            "Authorization": f"Bearer {new_key(tmp_path)}",
            "Accept": "application/json",
            "Host": "tools.example.com",
        }

        def call(text: str) -> httpx.Response:
            body = {"tool": "echo", "params": {"text": text}}
            return httpx.post(url, json=body, headers=headers, timeout=START_SECONDS)

        with started(tmp_path, listening, manager):
            assert call("first").json()["data"] == "first"
        assert manager.recv(100).decode() == STOPPING
        # Nobody accepts now, and nobody is refused.
        answers: list[httpx.Response] = []
        waiting = threading.Thread(target=lambda: answers.append(call("between")))
        waiting.start()
        with started(tmp_path, listening, manager):
            waiting.join(START_SECONDS)
            assert [answer.json()["data"] for answer in answers] == ["between"]
