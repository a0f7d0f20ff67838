"""A call that nears the cap becomes a task, when its client can follow one: long work is not lost to the cap."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asks_stage
import pytest
from asks_stage import SECONDS, Said, Server, accepted
from loop_clock import ClockLoop, on_loop_clock
from pydantic import BaseModel

from mcp_app import Context, ToolError, tool
from mcp_app.config.settings import Settings
from mcp_app.eventlog.quota import AGE
from mcp_app.protocol.policy import MCP_2026_07_28_FOLLOWED
from mcp_app.runs import Run
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer, Request

EXTENSION = "io.modelcontextprotocol/tasks"
CAN: dict[str, Any] = {"elicitation": {}, "extensions": {EXTENSION: {}}}
NAMES = {**asks_stage._NAMES, **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId")}
TERMINAL = ("completed", "failed", "cancelled")

Stage = Callable[..., Server]


class Name(BaseModel):
    name: str


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A server whose cap is 120 s, unless said otherwise."""
    monkeypatch.setattr(asks_stage, "_NAMES", NAMES)
    monkeypatch.setattr(asks_stage, "validate_server_result", lambda *_: None)  # its schema knows no tasks

    def make(*tools: Any, **settings: Any) -> Server:
        monkeypatch.setattr(asks_stage, "Settings", lambda **more: Settings(**more, **settings))
        return Server(*tools)

    return make


async def ask(server: Server, method: str, task: str, **more: Any) -> Said:
    return await server.request(f"tasks/{method}", {"taskId": task, **more}, can=CAN, patience=10_000)


async def until(server: Server, task: str, *statuses: str) -> dict[str, Any]:
    for _ in range(5000):
        found = (await ask(server, "get", task)).result
        if found["status"] in (statuses or TERMINAL):
            return found
        await asyncio.sleep(1)
    raise AssertionError(f"never {statuses or TERMINAL}: {found}")


async def call(server: Server, name: str, **more: Any) -> Said:
    return await server.call(name, can=CAN, patience=10_000, **more)


def now() -> float:
    return asyncio.get_running_loop().time()


async def close(server: Server) -> None:
    await server.endpoint.drain()
    server.runs.close()


@tool
async def slow(ctx: Context, seconds: float = 300.0) -> str:
    """Say something every minute."""
    passed = 0.0
    while passed < seconds:
        await ctx.partial({"passed": passed})
        await asyncio.sleep(min(60.0, seconds - passed))
        passed += 60.0
    return "done"


@tool
async def silent() -> str:
    """Work for five minutes without a word."""
    await asyncio.sleep(300)
    return "done"


# --- when ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cap", "seconds"), [(120, 115), (50, 45), (10, 9), (1, 0.9)])
def test_streams_end_a_little_before_the_cap(cap: float, seconds: float) -> None:
    assert MCP_2026_07_28_FOLLOWED.stream_seconds(cap) == pytest.approx(seconds)


@on_loop_clock
async def test_a_stream_ends_with_the_task_and_what_was_streamed_is_in_the_result(stage: Stage) -> None:
    server = stage(slow)
    began = now()
    said = await call(server, "slow", meta={"progressToken": "p"})
    assert now() - began == 115
    assert said.result["resultType"] == "task"
    assert said.result["status"] == "working"
    streamed = [list(each["params"]["_meta"].values()) for each in said.before if "_meta" in each["params"]]
    assert streamed == [[{"passed": 0.0}], [{"passed": 60.0}]]
    done = await until(server, said.result["taskId"])
    assert done["status"] == "completed"
    result = done["result"]
    assert result["content"] == [{"type": "text", "text": "done"}]
    [partial] = [value for key, value in result["_meta"].items() if key.endswith("/partial")]
    assert [each["passed"] for each in partial] == [0.0, 60.0, 120.0, 180.0, 240.0]
    assert 300 <= now() - began <= 302
    metrics = await server.endpoint.answer(Request("GET", "/metrics", headers={"host": "127.0.0.1:8000"}))
    assert b"mcp_app_tasks_total 1\n" in metrics.body  # type: ignore[operator]
    assert b"mcp_app_tasks_promoted_total 1\n" in metrics.body  # type: ignore[operator]
    await close(server)


@on_loop_clock
async def test_a_json_answer_is_the_task(stage: Stage) -> None:
    server = stage(silent)
    began = now()
    said = await call(server, "silent", accept="application/json")
    assert now() - began == 115
    assert said.before == ()
    assert said.result["resultType"] == "task"
    assert (await until(server, said.result["taskId"]))["status"] == "completed"
    await close(server)


@on_loop_clock
async def test_the_life_of_a_task_begins_with_it(stage: Stage) -> None:
    server = stage(silent, run_life_seconds=1000, keep_seconds=100)
    said = await call(server, "silent")
    assert said.result["ttlMs"] <= 1_100_000
    assert said.result["createdAt"] == said.result["lastUpdatedAt"]
    await close(server)


@on_loop_clock
async def test_a_client_without_the_extension_gets_the_cap(stage: Stage) -> None:
    server = stage(silent)
    began = now()
    said = await server.call("silent", patience=10_000)
    assert now() - began == 120
    assert said.error["data"]["code"] == "time_cap"
    assert server.runs.ended == {"time_cap": 1}
    await close(server)


@on_loop_clock
async def test_never_is_never(stage: Stage) -> None:
    server = stage(tool(name="never", task="never")(silent.function))
    said = await call(server, "never")
    assert said.error["data"]["code"] == "time_cap"
    await close(server)


@on_loop_clock
async def test_prompts_and_what_is_done_in_time_are_no_tasks(stage: Stage) -> None:
    server = stage(slow)
    said = await call(server, "slow", arguments={"seconds": 114.0})
    assert said.text == "done"
    assert server.runs.kept == 0
    await close(server)


@on_loop_clock
async def test_a_tool_with_a_limit_of_its_own_ends_there(stage: Stage) -> None:
    server = stage(tool(name="limited", time_limit=30.0)(silent.function))
    began = now()
    said = await call(server, "limited")
    assert now() - began == 30
    assert said.error["data"]["code"] == "time_cap"
    await close(server)


# --- what leaving means ----------------------------------------------------------------------------------------------


async def opened(server: Server, name: str) -> Frames:
    """The stream of a call, not read to its end."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": CAN,
    }
    params = {"name": name, "arguments": {}, "_meta": meta}
    headers = {
        "host": "127.0.0.1:8000",
        "content-type": "application/json",
        "accept": "text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": name,
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()
    answer: Answer = await server.endpoint.answer(Request("POST", "/mcp", headers=headers, body=body))
    assert isinstance(answer.body, Frames)
    return answer.body


async def read_until(frames: Frames, what: bytes) -> bytes:
    read = b""
    while what not in read:
        read += await anext(frames)
    return read


def the_run(server: Server) -> Run:
    [run] = server.runs.known.runs.values()
    return run


@on_loop_clock
async def test_leaving_before_is_cancelling_and_after_is_nothing(stage: Stage) -> None:
    server = stage(silent)
    before = await opened(server, "silent")
    await read_until(before, b": open")
    await asyncio.sleep(114)
    before.close()
    await asyncio.sleep(1)
    assert server.runs.ended == {"left": 1}
    after = await opened(server, "silent")
    task = the_task(await read_until(after, b"resultType"))
    after.close()  # in the very turn in which it was said
    assert (await until(server, task))["status"] == "completed"
    await close(server)


def the_task(read: bytes) -> str:
    [line] = [line for line in read.decode().splitlines() if '"resultType"' in line]
    task: str = json.loads(line.removeprefix("data: "))["result"]["taskId"]
    return task


@on_loop_clock
async def test_a_caller_that_leaves_while_its_cap_is_due_has_left(stage: Stage) -> None:
    """Cancelled in the turn in which the timer has fired: it was gone before."""

    server = stage(silent)
    frames = await opened(server, "silent")
    await read_until(frames, b": open")

    async def read() -> bytes:
        try:
            return await read_until(frames, b"resultType")
        finally:
            frames.close()

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_at(now() + 115, reading.cancel)
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.sleep(1)
    assert server.runs.ended == {"left": 1}
    assert server.runs.kept == 0
    await close(server)


@on_loop_clock
async def test_a_reader_that_is_stuck_in_a_write_at_the_cap_ends_its_run(stage: Stage) -> None:
    server = stage(silent)
    frames = await opened(server, "silent")
    await read_until(frames, b": open")
    await asyncio.sleep(121)  # nobody asks for more
    assert the_run(server).code == "time_cap"
    assert b"time_cap" in await read_until(frames, b'"error"')
    frames.close()
    await close(server)


@on_loop_clock
async def test_a_loop_that_stood_still_beyond_the_cap_promotes_all_the_same(stage: Stage) -> None:
    """Both times have come when it goes on: the one of the promotion was earlier."""
    server = stage(silent)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ClockLoop)

    def stand_still() -> None:
        loop._jumping.now += 10

    loop.call_at(now() + 114, stand_still)
    said = await call(server, "silent")
    assert said.result["resultType"] == "task"
    assert (await until(server, said.result["taskId"]))["status"] == "completed"
    await close(server)


# --- what goes on ----------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_tool_that_waits_for_its_reader_goes_on(stage: Stage) -> None:
    """The window is full when the call is promoted: the task's own reader empties it."""

    @tool
    async def flood() -> AsyncIterator[int]:
        """Far more than a window, as fast as it is taken."""
        for number in range(3000):
            yield number

    server = stage(flood)
    frames = await opened(server, "flood")
    await read_until(frames, b": open")
    await asyncio.sleep(116)  # nobody asks for more: the tool waits
    assert not the_run(server).ended
    events = the_run(server).events
    assert events < 300
    task = the_task(await read_until(frames, b"resultType"))
    frames.close()
    done = await until(server, task)
    assert done["status"] == "completed", done
    assert len(done["result"]["content"]) == 1000
    assert [value for key, value in done["result"]["_meta"].items() if key.endswith("/truncated")] == [
        {"truncated": True, "items": 3000}
    ]
    await close(server)


@on_loop_clock
async def test_what_is_asked_later_waits_for_the_task(stage: Stage) -> None:
    @tool
    async def greet(ctx: Context) -> str:
        first = await ctx.ask(Name, "First?", key="first")
        await asyncio.sleep(200)
        second = await ctx.ask(Name, "Second?", key="second")
        return f"{first.name} and {second.name}"

    server = stage(greet)
    asked = await call(server, "greet")
    assert set(asked.requests) == {"first"}
    created = await server.call("greet", {"first": accepted(name="Ann")}, asked.state, can=CAN, patience=10_000)
    assert created.result["resultType"] == "task"
    task = created.result["taskId"]
    found = await until(server, task, "input_required")
    assert set(found["inputRequests"]) == {"second"}
    await ask(server, "update", task, inputResponses={"second": accepted(name="Bob")})
    assert (await until(server, task))["result"]["content"][0]["text"] == "Ann and Bob"
    await close(server)


@on_loop_clock
async def test_a_round_that_is_pending_is_asked_by_the_task(stage: Stage) -> None:
    """Its questions wait for something that is made once, which takes longer than the cap."""

    @tool
    async def both(ctx: Context) -> str:
        async def make() -> int:
            await asyncio.sleep(200)
            return 5

        name, made = await asyncio.gather(ctx.ask(Name, "Who?", key="who"), ctx.once("made", make))
        return f"{name.name} {made}"

    server = stage(both)
    created = (await call(server, "both")).result
    assert created["resultType"] == "task"
    found = await until(server, created["taskId"], "input_required")
    assert set(found["inputRequests"]) == {"who"}
    await ask(server, "update", created["taskId"], inputResponses={"who": accepted(name="Ann")})
    assert (await until(server, created["taskId"]))["result"]["content"][0]["text"] == "Ann 5"
    await close(server)


@on_loop_clock
async def test_a_promoted_task_is_cancelled_and_drained(stage: Stage) -> None:
    server = stage(silent)
    one, two = [(await call(server, "silent")).result["taskId"] for _ in range(2)]
    await ask(server, "cancel", one)
    assert (await ask(server, "get", one)).result["status"] == "cancelled"
    await server.endpoint.drain()
    failed = (await ask(server, "get", two)).result
    assert failed["status"] == "failed"
    assert failed["error"]["data"]["code"] == "shutdown"
    server.runs.close()


@on_loop_clock
async def test_the_life_of_a_promoted_task_has_an_end(stage: Stage) -> None:
    server = stage(silent, run_life_seconds=200)
    task = (await call(server, "silent")).result["taskId"]
    failed = await until(server, task)
    assert failed["status"] == "failed"
    assert failed["error"]["data"]["code"] == "time_cap"
    await close(server)


@on_loop_clock
async def test_the_tool_is_told_of_the_end_that_will_come(stage: Stage) -> None:
    @tool
    async def left(ctx: Context) -> float:
        return ctx.seconds_left

    server = stage(left)
    assert (await call(server, "left")).text == "3600.0"
    assert (await server.call("left")).text == "120.0"
    await close(server)


async def test_a_plain_function_is_promoted_too(stage: Stage) -> None:
    go_on = threading.Event()

    @tool
    def wait() -> str:
        """Work in a thread."""
        return "done" if go_on.wait(SECONDS) else "never"

    server = stage(wait, cap_seconds=0.5)
    created = (await call(server, "wait")).result
    assert created["resultType"] == "task"
    go_on.set()
    by = time.monotonic() + SECONDS
    while (found := (await ask(server, "get", created["taskId"])).result)["status"] == "working":
        assert time.monotonic() < by
        await asyncio.sleep(0.01)
    assert found["result"]["content"][0]["text"] == "done"
    await close(server)


# --- what was wrong before -------------------------------------------------------------------------------------------


@on_loop_clock
async def test_an_error_with_the_code_cancelled_is_no_cancelled_task(stage: Stage) -> None:
    class Odd(ToolError):
        code = "cancelled"

    @tool(task="must")
    async def odd() -> str:
        raise Odd("By me.")

    server = stage(odd)
    task = (await call(server, "odd")).result["taskId"]
    assert (await until(server, task))["status"] != "cancelled"
    await close(server)


@on_loop_clock
async def test_what_is_kept_for_results_counts_in_the_memory_for_finished_runs(stage: Stage) -> None:
    @tool(task="must")
    async def parts(ctx: Context) -> str:
        for _ in range(9):
            await ctx.partial("x" * 100_000)
        return "done"

    server = stage(parts, keep_bytes=4 * 1024 * 1024)
    tasks = [(await call(server, "parts")).result["taskId"] for _ in range(3)]
    for task in tasks[1:]:
        await until(server, task)
    assert "error" in (await ask(server, "get", tasks[0])).message
    finished = server.runs.finished
    assert finished.bytes == sum(finished._runs.values())
    assert min(finished._runs.values()) > 2 * 900_000
    await close(server)
    for run in list(finished._runs):
        finished.remove(run, AGE)
    assert finished.bytes == 0
