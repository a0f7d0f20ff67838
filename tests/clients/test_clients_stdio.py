"""The official clients over standard input and output: what they do over HTTP, with a server that they start."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import build
import pytest
from test_clients_real import ALL, BOUND, CLIENTS, EXPECTED, HERE, Client, drivers

STEPS = ("negotiated", *(step for step in ALL if step != "spoken"))
"""There are no header fields, from which a tool could tell the revision."""

OFFICIAL = [each for each in CLIENTS if each.bridge is None and each.steps == ALL and each.driver != "use_fastmcp.py"]

official = pytest.mark.parametrize("client", OFFICIAL, ids=lambda each: each.name)

pytestmark = [pytest.mark.time_bound(3 * BOUND), pytest.mark.usefixtures("drivers")]

assert drivers  # the fixture of the tests over HTTP


@pytest.fixture(autouse=True)
def built(client: Client) -> None:
    if missing := sorted(name for name in client.needs if not build.is_built(name)):
        pytest.skip(f"needs the clients' environment {missing[0]} (make clients)")


def command(tmp_path: Path, script: str) -> list[str]:
    """Has a shell start the server by `"$@"`: what it sees of that is written to files."""
    server = [sys.executable, "-m", "mcp_app", "serve", "--stdio"]
    return ["sh", "-c", f"cd {shlex.quote(str(tmp_path))}; {script}", "sh", *server]


def environ(client: Client, bridge: list[str], more: Mapping[str, str]) -> dict[str, str]:
    return {**client.environ(), "BRIDGE": json.dumps(bridge), **more}


def drive(client: Client, tmp_path: Path, *steps: str, served: str = "served.py", **more: str) -> dict[str, Any]:
    """What each step gave. The server must have ended by itself, with status 0, once its client had left."""
    bridge = command(tmp_path, '"$@"; echo $? > status')
    ended = subprocess.run(
        [*client.command(), str(HERE / served), *steps],
        env=environ(client, bridge, more),
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    until((tmp_path / "status").exists)
    until(lambda: (tmp_path / "status").read_text() == "0\n")
    given: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return given


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + BOUND
    while not holds():
        assert time.monotonic() < end, "that never came to hold"
        time.sleep(0.05)


@official
def test_client(client: Client, tmp_path: Path) -> None:
    given = drive(client, tmp_path, *STEPS)
    assert given.pop("negotiated") == client.revision
    assert {"add", "count", "fail", "picture", "wait"} <= set(given.pop("list"))
    failed, text = given.pop("fail")
    assert failed
    assert "the disk is full" in text
    assert given == {step: EXPECTED[step] for step in given}


@official
def test_a_call_outlasts_the_cap_of_a_stream(client: Client, tmp_path: Path) -> None:
    """There is no stream that ends, and so nothing to come back to."""
    assert drive(client, tmp_path, "outlast", MCP_APP_CAP_SECONDS="1") == {"outlast": "worked for 2.5 s"}


@pytest.mark.parametrize("client", [each for each in OFFICIAL if each.environment == "npm"], ids=lambda each: each.name)
def test_a_silent_tool_outlasts_the_patience_of_its_client(client: Client, tmp_path: Path) -> None:
    given = drive(client, tmp_path, "silent", served="doors_served.py", MCP_APP_HEARTBEAT_SECONDS="1")
    assert given == {"silent": "done in silence"}


@official
def test_no_server_outlasts_its_client(client: Client, tmp_path: Path) -> None:
    """Killed in the middle of a call: it closes nothing, and waits for nothing."""
    bridge = command(tmp_path, 'echo $$ > pid; exec "$@"')
    log = tmp_path / "log"
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [*client.command(), str(HERE / "served.py"), *["late"] * 100],
            env=environ(client, bridge, {}),
            stdout=subprocess.PIPE,
            stderr=said,
        ) as child,
    ):
        until(lambda: "late complete" in log.read_text())
        os.kill(child.pid, signal.SIGKILL)
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not _works(pid))


def _works(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # ended, and not yet waited for by whoever adopted it
