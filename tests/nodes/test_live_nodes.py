"""Two real processes on one log, in a SQLite file or on Redis: one is killed, one is held by its tool, one is
stopped."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_server import LiveServer, eventually, process

TOOLS = str(Path(__file__).parent / "live_tools.py")
EVENTS, RUNS = "/api/v1/mcp/sse", "/api/v1/mcp/runs"
TAKEN_OVER_WITHIN = 20.0
SLACK = 10.0  # seconds, of a busy machine
STREAM = {"accept": "text/event-stream"}


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis of this test's own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([*command, "--maxmemory-policy", "noeviction"], stdout=subprocess.DEVNULL)

    def listens() -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(listens)
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def two_nodes(folder: Path, *, statuses: tuple[int, int] = (0, 0), log: str = "") -> Iterator[list[LiveServer]]:
    environment = {"MCP_APP_EVENT_LOG": log or f"sqlite://{folder / 'log.db'}", "MCP_APP_SECRET": "s" * 32}
    with ExitStack() as stack:
        yield [stack.enter_context(process(TOOLS, cwd=folder, env=environment, status=status)) for status in statuses]


def start(server: LiveServer, tool: str, **params: Any) -> str:
    answer = httpx.post(server.url + RUNS, json={"tool": tool, "params": params})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def state(server: LiveServer, run: str) -> dict[str, Any]:
    answer = httpx.get(f"{server.url}{RUNS}/{run}", timeout=30)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line[6:])


def end(node: LiveServer, by: signal.Signals) -> None:
    assert node.process is not None
    node.process.send_signal(by)


@pytest.mark.time_bound(120)
@pytest.mark.parametrize("log", ["sqlite", pytest.param("redis", marks=pytest.mark.needs("redis-server"))])
def test_the_runs_of_a_killed_process_end_on_the_other_with_all_that_was_shown(tmp_path: Path, log: str) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(redis(tmp_path)) if log == "redis" else ""
        here, there = stack.enter_context(two_nodes(tmp_path, statuses=(-9, 0), log=url))
        run = start(here, "tick")
        seen: list[Any] = []
        with httpx.stream("GET", f"{there.url}{RUNS}/{run}/events", headers=STREAM, timeout=60) as answer:
            for event in events(answer.iter_lines()):
                seen.append(event)
                if len(seen) == 20:
                    end(here, signal.SIGKILL)
                    killed = time.monotonic()
        assert time.monotonic() - killed < TAKEN_OVER_WITHIN + SLACK
        assert seen[-1]["error"]["code"] == "interrupted"
        assert [event["metadata"]["progress"] for event in seen[1:-1]] == list(range(len(seen) - 2))
        assert state(there, run)["metadata"]["events"] == len(seen)


@pytest.mark.time_bound(120)
def test_a_run_of_a_killed_process_begins_again_on_the_other(tmp_path: Path) -> None:
    with two_nodes(tmp_path, statuses=(-9, 0)) as (here, there):
        run = start(here, "again", steps=60)
        seen: list[Any] = []
        with httpx.stream("GET", f"{there.url}{RUNS}/{run}/events", headers=STREAM, timeout=60) as answer:
            for event in events(answer.iter_lines()):
                seen.append(event)
                if len(seen) == 10:
                    end(here, signal.SIGKILL)
        types = [event["type"] for event in seen]
        restarted = types.index("restarted")
        assert seen[restarted]["data"] == {"attempt": 2}
        assert types[restarted:] == ["restarted", "log", *["progress"] * 60, "complete"]
        name = seen[1]["data"]["message"]
        assert seen[-1]["data"] == {"name": name}, "what was known once holds"
        assert state(there, run)["metadata"]["events"] == len(seen)


@pytest.mark.time_bound(120)
def test_a_process_whose_loop_is_held_for_longer_than_a_lease_keeps_its_runs(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as (here, there):
        run = start(here, "hold", seconds=22)
        began = time.monotonic()
        eventually(lambda: state(there, run)["metadata"]["events"] == 2)
        with httpx.stream("GET", f"{there.url}{RUNS}/{run}/events", headers=STREAM, timeout=60) as answer:
            seen = list(events(answer.iter_lines()))
        assert time.monotonic() - began > 20, "it was held for longer than the other node waits for a dead one"
        assert [event["type"] for event in seen] == ["started", "progress", "complete"]


@pytest.mark.time_bound(120)
def test_a_process_that_is_stopped_ends_its_runs_for_the_other(tmp_path: Path) -> None:
    with two_nodes(tmp_path) as (here, there):
        run = start(here, "tick")
        with httpx.stream("GET", f"{there.url}{RUNS}/{run}/events", headers=STREAM, timeout=60) as answer:
            reading = events(answer.iter_lines())
            next(reading)
            end(here, signal.SIGTERM)
            asked = time.monotonic()
            assert list(reading)[-1]["error"]["code"] == "shutdown"
        assert time.monotonic() - asked < 10
        assert state(there, run)["error"]["code"] == "shutdown"


@pytest.mark.time_bound(120)
def test_a_log_that_cannot_be_used_is_one_line_and_no_start(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"no database" * 100)
    environment = {"MCP_APP_EVENT_LOG": f"sqlite://{tmp_path / 'log.db'}"}
    with (
        pytest.raises(AssertionError, match=r"log\.db"),
        process(TOOLS, cwd=tmp_path, env=environment, status=1),
    ):
        raise AssertionError("it has started")
