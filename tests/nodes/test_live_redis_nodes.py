"""Two real processes on one Redis: one of them is killed, Redis is killed and restarted, a start finds none."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("redis", reason="needs the extra redis")

from eventlog.redis_servers import Server, free_port, server
from live_server import LiveServer, eventually, process

TOOLS = str(Path(__file__).parent / "live_tools.py")
RUNS = "/api/v1/mcp/runs"
TAKEN_OVER_WITHIN = 20.0
SLACK = 10.0  # seconds, of a busy machine

pytestmark = [pytest.mark.needs("redis-server"), pytest.mark.time_bound(120)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Server]:
    with server(tmp_path / "redis") as one:
        yield one


@contextmanager
def two_nodes(folder: Path, url: str, *, statuses: tuple[int, int] = (0, 0)) -> Iterator[list[LiveServer]]:
    environment = {"MCP_APP_EVENT_LOG": f"{url}?encrypt=1", "MCP_APP_SECRET": "s" * 32}
    with ExitStack() as stack:
        yield [stack.enter_context(process(TOOLS, cwd=folder, env=environment, status=status)) for status in statuses]


def start(node: LiveServer, **params: Any) -> str:
    answer = httpx.post(node.url + RUNS, json={"tool": "tick", "params": params})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


class Reader:
    """Follows a run as an EventSource does: it comes back until it has seen the last event."""

    def __init__(self, node: LiveServer, run: str) -> None:
        self.node, self.run = node, run
        self.ids: list[int] = []
        self.events: list[dict[str, Any]] = []

    @property
    def over(self) -> bool:
        return bool(self.events) and self.events[-1]["type"] in ("complete", "error")

    def read(self, until: float = 60.0) -> None:
        end = time.monotonic() + until
        while not self.over:
            assert time.monotonic() < end, self.events[-3:]
            headers = {"accept": "text/event-stream"}
            if self.ids:
                headers["last-event-id"] = f"{self.run}/{self.ids[-1]}"
            try:
                with httpx.stream(
                    "GET", f"{self.node.url}{RUNS}/{self.run}/events", headers=headers, timeout=60
                ) as answer:
                    if answer.status_code == 200:
                        self._take(answer.iter_lines())
                    else:
                        assert answer.status_code == 503, answer.read()
            except httpx.TransportError:
                pass  # it comes back
            time.sleep(0.1)

    def _take(self, lines: Iterator[str]) -> None:
        number = 0
        for line in lines:
            if line.startswith("id: "):
                number = int(line.rpartition("/")[2])
            elif line.startswith("data: "):
                event = json.loads(line[6:])
                if event["type"] == "error" and event["error"]["code"] == "log_unavailable":
                    return
                self.ids.append(number)
                self.events.append(event)


def test_the_runs_of_a_killed_process_end_on_the_other_with_all_that_was_shown(log: Server, tmp_path: Path) -> None:
    with two_nodes(tmp_path, log.url, statuses=(-9, 0)) as (here, there):
        reader = Reader(there, start(here))
        reading = threading.Thread(target=reader.read)
        reading.start()
        eventually(lambda: len(reader.ids) >= 20)
        assert here.process is not None
        here.process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        reading.join(60)
        assert time.monotonic() - killed < TAKEN_OVER_WITHIN + SLACK
        assert reader.events[-1]["error"]["code"] == "interrupted"
        assert reader.ids == list(range(1, len(reader.ids) + 1))


def test_redis_is_killed_and_restarted_and_every_reader_sees_each_event_once(log: Server, tmp_path: Path) -> None:
    with two_nodes(tmp_path, log.url) as (here, there):
        runs = [start(node, times=100, seconds=0.05) for node in (here, there) for _ in range(3)]
        readers = [Reader(node, run) for node in (here, there) for run in runs]
        reading = [threading.Thread(target=each.read) for each in readers]
        for each in reading:
            each.start()
        eventually(lambda: min(len(each.ids) for each in readers) >= 20)
        log.kill()
        time.sleep(1)
        log.start()
        for each in reading:
            each.join(90)
        for reader in readers:
            assert reader.events[-1]["type"] == "complete"
            assert reader.ids == list(range(1, 103))


def test_a_start_without_redis_is_one_line(tmp_path: Path) -> None:
    environment = {"MCP_APP_EVENT_LOG": f"redis://u:s3cret@127.0.0.1:{free_port()}", "MCP_APP_SECRET": "s" * 32}
    with (
        pytest.raises(AssertionError, match=r"cannot be reached: .*Connection refused\. Is") as caught,
        process(TOOLS, cwd=tmp_path, env=environment, status=1),
    ):
        raise AssertionError("it has started")
    assert "s3cret" not in str(caught.value)
    assert "Traceback" not in str(caught.value)
