"""What holds the event loop is named in the log, whoever it is and however it does that; what does not, is not."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_server import LiveServer, process

from mcp_app.runs.holder import Holder
from mcp_app.runs.loop_watch import LoopWatch
from mcp_app.runs.threads import Threads

WITHIN = 20.0
ROUTE = "/api/v1/mcp/sse"
TOOLS = """\
import asyncio, re, threading, time
from collections.abc import AsyncIterator
from typing import Annotated
from pydantic import AfterValidator
from mcp_app import complete, prompt, resource, tool

def hold(seconds=0.6):
    time.sleep(seconds)  # held

@tool(read_only=True)
async def sleeps() -> int:
    "Sleeps on the loop."
    hold()  # sleeps
    return 1

@tool(read_only=True)
async def items() -> AsyncIterator[int]:
    "Yields."
    yield 1
    hold()  # items
    yield 2

@tool(read_only=True)
async def child() -> int:
    "Has a child task hold it."
    async def inner():
        hold()  # child
    async with asyncio.TaskGroup() as group:
        group.create_task(inner())
    return 1

@tool(read_only=True)
async def backtracks() -> bool:
    "Is in C code that lets no other thread run."
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        re.match(r"(a+)+$", "a" * 23 + "b")
    return True

@tool(read_only=True)
def thread() -> bool:
    "Is in such code in a thread."
    return bool(re.match(r"(a+)+$", "a" * 25 + "b"))

@tool(read_only=True)
async def callback() -> int:
    "Leaves a callback behind."
    asyncio.get_running_loop().call_later(0.01, hold)
    await asyncio.sleep(0.8)
    return 1

def slowly(value: str) -> str:
    hold()  # validator
    return value

@tool(read_only=True)
async def validated(text: Annotated[str, AfterValidator(slowly)] = "x") -> str:
    "Has a slow validator."
    return "done"

async def suggest(prefix, context):
    hold()  # completion
    return ["one"]

@prompt
async def ask(word: Annotated[str, complete(suggest)]) -> str:
    "Asks."
    hold()  # prompt
    return word

@resource("note://one")
async def note() -> str:
    "A note."
    hold()  # resource
    return "text"

@tool(read_only=True)
async def brief() -> int:
    "Holds nothing."
    await asyncio.sleep(0.3)
    return 1

@tool(read_only=True)
def away() -> int:
    "Sleeps in a thread."
    hold()
    return 1
"""


def at(place: str) -> str:
    """`MARK in FUNCTION` with the file and the line that has the comment."""
    mark, _, function = place.partition("in ")
    line = next((number for number, text in enumerate(TOOLS.splitlines(), 1) if text.endswith(f"# {mark.strip()}")), 0)
    return f"held.py:{line} in {function}" if line else place


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder: Path = tmp_path_factory.mktemp("held")
    (folder / "held.py").write_text(TOOLS)
    (folder / "hypercorn.toml").write_text(f"worker_class = '{request.param}'\n")
    with process("held.py", cwd=folder) as found:
        yield found


def call(server: LiveServer, name: str, params: dict[str, Any]) -> httpx.Response:
    headers = {"Accept": "application/json"}
    return httpx.post(f"{server.url}{ROUTE}", json={"tool": name, "params": params}, headers=headers, timeout=WITHIN)


def mcp(server: LiveServer, method: str, params: dict[str, Any]) -> httpx.Response:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": method,
    }
    if name := params.get("name", params.get("uri")):
        headers["Mcp-Name"] = name
    return httpx.post(f"{server.url}/mcp", json=body, headers=headers, timeout=WITHIN)


def matching(server: LiveServer, pattern: str, *, within: float = WITHIN) -> list[str]:
    """The lines of the log with that in them, waited for."""
    until = time.monotonic() + within
    while True:
        found = [line for line in server.output if re.search(pattern, line)]
        if found or time.monotonic() > until:
            return found
        time.sleep(0.02)


def lines(server: LiveServer, name: str, within: float) -> list[str]:
    """Those that name it as what held the loop."""
    return matching(server, rf"loop held [0-9.]+ s by {re.escape(name)}( |$)", within=within)


def named(server: LiveServer, name: str, holds: Callable[[], httpx.Response]) -> str:
    """The line that names it, after `holds` has held the loop: once is enough, unless other processes take the watch's
    turn, which then blames nobody."""
    for _ in range(5):
        assert holds().status_code == 200
        if found := lines(server, name, WITHIN / 5):
            [line] = found
            return line
    raise AssertionError(f"{name} was not named")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("sleeps", "sleeps in sleeps"),
        ("items", "items in items"),
        ("child", "child in child.<locals>.inner"),
        ("backtracks", "in backtracks"),
    ],
)
def test_a_tool_that_holds_the_loop_is_named(server: LiveServer, name: str, place: str) -> None:
    line = named(server, f"tool {name}", lambda: call(server, name, {}))
    assert " WARNING mcp_app.runs: loop held " in line
    assert at(place) in line
    [run] = re.findall(r"run=[0-9a-f]{8}\b", line)
    assert matching(server, rf"mcp_app.runs: {name} complete.* {run}\b")


def test_so_is_a_validator_by_its_tool(server: LiveServer) -> None:
    line = named(server, "tool validated", lambda: call(server, "validated", {"text": "y"}))
    assert line.endswith(at("validator in slowly"))


def test_so_are_a_prompt_and_a_resource(server: LiveServer) -> None:
    got = {"name": "ask", "arguments": {"word": "x"}}
    assert at("prompt in ask run=") in named(server, "prompt ask", lambda: mcp(server, "prompts/get", got))
    read = {"uri": "note://one"}
    assert at("resource in note run=") in named(server, "resource note", lambda: mcp(server, "resources/read", read))


def test_so_are_a_completion_and_a_callback_by_their_function(server: LiveServer) -> None:
    params = {"ref": {"type": "ref/prompt", "name": "ask"}, "argument": {"name": "word", "value": ""}}
    line = named(server, "suggest", lambda: mcp(server, "completion/complete", params))
    assert at("completion in suggest") in line
    assert at("held in hold") in named(server, "hold", lambda: call(server, "callback", {}))


def test_so_is_a_plain_function_that_lets_no_thread_run(server: LiveServer) -> None:
    line = named(server, "a plain function", lambda: call(server, "thread", {}))
    assert re.search(r"one of: run [0-9a-f]{8}: thread$", line)


def test_what_waits_or_works_in_a_thread_is_not(server: LiveServer) -> None:
    for name in ("brief", "away"):
        assert call(server, name, {}).status_code == 200
    named(server, "tool child", lambda: call(server, "child", {}))  # whose line comes after what they would have
    for name in ("brief", "away"):
        assert not lines(server, f"tool {name}", 0)


def test_it_is_counted(server: LiveServer) -> None:
    def metric(name: str) -> float:
        text = httpx.get(f"{server.url}/metrics", timeout=WITHIN).text
        return float(re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)[0])

    calls = 0
    while metric("mcp_app_loop_holds_total") < 1:
        calls += 1
        assert calls <= 5
        call(server, "sleeps", {})
    assert metric("mcp_app_loop_held_seconds_total") >= 0.1


async def test_one_line_a_minute_for_each_and_the_next_says_how_many_more(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    watch = LoopWatch(Threads(1), lambda: now)
    one, other = Holder("tool one", "at t.py:1 in one", "0123abcd"), Holder("tool other")
    with caplog.at_level(logging.WARNING, "mcp_app.runs"):
        for _ in range(5):
            watch._report(one, 2.0)
        watch._report(other, 0.5)
        now += 61
        watch._report(one, 0.2)
    assert [record.getMessage() for record in caplog.records] == [
        "loop held 2.0 s by tool one at t.py:1 in one run=0123abcd",
        "loop held 0.5 s by tool other",
        "loop held 0.2 s by tool one at t.py:1 in one run=0123abcd (4 times more before, 8.0 s)",
    ]
    assert json.loads(json.dumps(caplog.records[0].fields)) == {  # type: ignore[attr-defined]
        "loop_held_seconds": 2.0,
        "by": "tool one",
        "where": "at t.py:1 in one",
        "run": "0123abcd",
    }
    assert (watch.holds, watch.seconds) == (7, 10.7)


def _pause() -> None:
    time.sleep(0.01)


async def test_what_never_lets_go_is_named_while_it_holds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_app.runs.loop_watch._STUCK", 0.3)
    watch = LoopWatch(Threads(1))
    watch.start()
    await asyncio.sleep(0.1)
    with caplog.at_level(logging.WARNING, "mcp_app.runs"):
        until = time.monotonic() + WITHIN
        while not caplog.records and time.monotonic() < until:
            _pause()
    watch.stop()
    assert caplog.records, "nothing was said"
    assert re.match(r"loop held for \d+\.\d s, and still, by test_what_never", caplog.records[0].getMessage())


async def test_a_long_turn_of_many_is_nobodys(caplog: pytest.LogCaptureFixture) -> None:
    """Seen each 0.05 s, another function is at work each time."""
    parts = iter(range(100))

    class Many:
        def holder(self) -> Holder:
            return Holder(f"part {next(parts)}")

    watch = LoopWatch(Threads(1))
    watch._loop, watch._stack = asyncio.get_running_loop(), Many()  # type: ignore[assignment]
    asked: list[Any] = [watch._ask(0.0)]
    for look in range(1, 20):
        probe = watch._look_again(asked[-1], look * 0.05)
        assert probe is not None, "the loop has not answered: this is one turn"
        asked.append(probe)
    await asyncio.sleep(0)
    for probe in asked:
        probe.answered = 1.0
    assert watch._look_again(asked[-1], 1.05) is None
    assert (watch.holds, caplog.records) == (0, [])


def test_a_watch_that_was_not_started_stops() -> None:
    async def stop() -> None:
        LoopWatch(Threads(1)).stop()

    asyncio.run(stop())
