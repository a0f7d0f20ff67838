"""How long the command waits, and what it does not import before it must."""

import asyncio
import subprocess
import sys

import pytest
from command_line import ROOT, environment
from live_server import LiveServer
from wire_app import PATH, RUN

from mcp_app.client import exchange
from mcp_app.client.address import parse_address
from mcp_app.client.client import ConnectionOptions, open_client
from mcp_app.client.deadline import Deadline
from mcp_app.client.exchange import CallExchange
from mcp_app.client.message import ServerMessage
from mcp_app.client.outcome import CallFailed
from mcp_app.client.wire.plain import ToolCall


class Seen:
    """A display that keeps what it was shown."""

    restore = b""

    def __init__(self) -> None:
        self.types: list[str] = []

    def start(self) -> None: ...
    def show(self, message: ServerMessage) -> None:
        self.types.append(message.type)

    def heartbeat(self) -> None:
        self.types.append("heartbeat")

    def cancelling(self) -> None: ...
    def flush(self) -> None: ...
    def stop(self) -> None: ...


async def follow(server: LiveServer, tool: str) -> list[str]:
    route = parse_address(server.url + PATH)
    display = Seen()
    work = CallExchange(open_client(route, ConnectionOptions()), display)
    try:
        async with work.deadline:
            await work.follow(route, ToolCall(tool, {}))
    except TimeoutError:
        raise work.timed_out() from None
    finally:
        await work.close()
    return display.types


async def test_comments_and_heartbeat_events_are_shown_as_heartbeats(server: LiveServer) -> None:
    types = await follow(server, "scan")

    assert [name for name in types if name != "heartbeat"] == ["started", "progress", "progress", "log", "complete"]
    assert types[-2] == "heartbeat"


async def test_three_missing_heartbeats_are_a_lost_server(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_LEAST_SILENCE_SECONDS", 0.2)

    with pytest.raises(CallFailed) as caught:
        await follow(server, "silent")

    assert caught.value.status == 5
    assert caught.value.message == f"nothing came for 0.2 s, not even a heartbeat (run {RUN})"


async def test_a_server_that_never_answers_is_unreachable(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(exchange, "_ANSWER_SECONDS", 0.2)

    with pytest.raises(CallFailed) as caught:
        await follow(server, "mute")

    assert caught.value.status == 3
    assert "no answer within" in caught.value.message


async def test_json_is_waited_for_until_the_cap(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "CONNECT_SECONDS", 0.0)
    monkeypatch.setattr(exchange, "_MARGIN_SECONDS", 0.1)
    route = parse_address(server.url + PATH)
    work = CallExchange(open_client(route, ConnectionOptions()))
    with pytest.raises(TimeoutError):
        async with work.deadline:
            await work.ask(route, ToolCall("slow", {}, cap_seconds=0.1), 60.0)
    await work.close()

    assert work.timed_out().status == 3


async def test_the_cap_is_read_from_the_manifest(server: LiveServer) -> None:
    root = parse_address(server.url + "/")
    work = CallExchange(open_client(root, ConnectionOptions()))
    async with work.deadline:
        route, cap = await work.find_route(root)
        again = await work.read_cap(route)
    await work.close()

    assert (route.url, cap, again) == (server.url + PATH, 60, 60)


async def test_a_deadline_that_was_left_is_not_extended() -> None:
    deadline = Deadline()
    with pytest.raises(TimeoutError):
        async with deadline:
            deadline.extend(30)
            deadline.leave(0)
            deadline.extend(30)
            await asyncio.sleep(20)

    assert deadline.leaving
    deadline.leave(1)  # too late to matter, and no error


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, env=environment(), cwd=ROOT
    )


def test_registering_the_command_imports_nothing_of_its_extra() -> None:
    done = run(
        "import sys, mcp_app.client\n"
        "print([name for name in ('httpx', 'rich', 'h2', 'quart', 'hypercorn', 'cryptography') if name in sys.modules])"
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_without_the_extra_one_line_says_what_to_install() -> None:
    code = "import sys; sys.modules['httpx'] = None; from mcp_app.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "call", "http://127.0.0.1:1/", "scan"],
        capture_output=True, text=True, timeout=30, env=environment(),
    )  # fmt: skip

    assert done.returncode == 2
    assert done.stderr == (
        "mcp-app call: this command needs the package httpx, which is not installed\n"
        "  Install what it needs: pip install rich 'httpx[http2]'.\n"
    )
