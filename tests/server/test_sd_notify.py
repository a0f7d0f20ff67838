"""What the service manager is told, read from a socket in its place."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from live_server import START_SECONDS, process

from mcp_app.server import sd_notify

TOOL = """
from mcp_app import tool


@tool
def echo(text: str) -> str:
    "Return the text."
    return text
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(START_SECONDS)
        yield listening


def told(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_the_manager_hears_when_the_server_listens_lives_and_stops(manager: socket.socket, tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(TOOL)
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "100000"}
    with process("tools.py", cwd=tmp_path, env=environment) as server:
        assert told(manager) == sd_notify.READY
        socket.create_connection(("127.0.0.1", server.port), START_SECONDS).close()
        assert [told(manager) for _ in range(3)] == [sd_notify.ALIVE] * 3
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        heard = told(manager)
        while heard == sd_notify.ALIVE:
            heard = told(manager)
        assert heard == sd_notify.STOPPING
        server.process.wait(START_SECONDS)


def test_a_name_in_no_file_system_is_written_with_an_at() -> None:
    name = f"mcp-app-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(START_SECONDS)
        sd_notify.notify(sd_notify.READY, {"NOTIFY_SOCKET": f"@{name}"})
        assert told(listening) == sd_notify.READY


def test_without_a_manager_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        sd_notify.notify(sd_notify.READY, {})
        sd_notify.notify(sd_notify.READY, {"NOTIFY_SOCKET": ""})
    assert not caplog.records


def test_a_manager_that_is_gone_is_a_line_and_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = str(tmp_path / "gone")
    with caplog.at_level(logging.WARNING):
        sd_notify.notify(sd_notify.READY, {"NOTIFY_SOCKET": gone})
        sd_notify.notify(sd_notify.READY, {"NOTIFY_SOCKET": "/" + "x" * 200})
        sd_notify.notify(sd_notify.READY, {"NOTIFY_SOCKET": "vsock:2:1234"})
    assert [gone in record.getMessage() for record in caplog.records] == [True, False, False]
    assert all("was not told READY=1" in record.getMessage() for record in caplog.records)


def test_a_manager_that_does_not_read_holds_nobody_up(
    manager: socket.socket, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sd_notify, "SEND_SECONDS", 0.01)
    for _ in range(10_000):
        sd_notify.notify(sd_notify.ALIVE, {"NOTIFY_SOCKET": manager.getsockname()})
        if caplog.records:
            break
    assert "was not told WATCHDOG=1" in caplog.text


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_alive_is_said_twice_in_the_time_of_the_watchdog(environ: dict[str, str], seconds: float | None) -> None:
    assert sd_notify.watchdog_seconds(environ, pid=7) == seconds


class Timers(asyncio.AbstractEventLoop):
    """A loop of which only `call_later` is there."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], Any]]] = []

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        self.waiting.append((delay, callback))


def test_a_loop_that_is_held_says_nothing(manager: socket.socket) -> None:
    loop = Timers()
    manager.setblocking(False)
    sd_notify.keep_alive(loop, {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "60000000"})
    assert told(manager) == sd_notify.ALIVE
    for _ in range(2):
        [(delay, tick)] = loop.waiting
        assert delay == 30.0
        with pytest.raises(BlockingIOError):
            manager.recv(1)  # nothing before its turn
        loop.waiting.clear()
        tick()
        assert told(manager) == sd_notify.ALIVE


def test_without_a_watchdog_there_is_no_timer() -> None:
    loop = Timers()
    sd_notify.keep_alive(loop, {"NOTIFY_SOCKET": "/nowhere"})
    assert not loop.waiting
