"""Nothing that a tool raises ends the server: no child task, callback, validator or cleanup, on each of the loops."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import uvloop
from live_server import START_SECONDS, LiveServer, process

from mcp_app.server import main_task

LOOPS = pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
SECONDS = 10.0


async def exits(error: type[BaseException]) -> None:
    await asyncio.sleep(0)
    raise error("by a tool")


async def awaits_group(error: type[BaseException]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(exits(error))


AWAITED: dict[str, Callable[[type[BaseException]], Awaitable[object]]] = {
    "task": lambda error: asyncio.create_task(exits(error)),
    "gather": lambda error: asyncio.gather(exits(error), exits(error)),
    "group": awaits_group,
    "wait_for": lambda error: asyncio.wait_for(exits(error), SECONDS),
    "shield": lambda error: asyncio.shield(exits(error)),
}


@LOOPS
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("how", AWAITED)
def test_who_awaits_the_task_gets_what_it_raised_and_the_loop_goes_on(
    how: str, error: type[BaseException], loop_factory: main_task.LoopFactory, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[type[BaseException]] = []

    async def tool() -> None:
        try:
            await AWAITED[how](error)
        except BaseException as raised:
            seen.append(type(raised))

    async def main() -> None:
        await asyncio.wait_for(asyncio.create_task(tool()), SECONDS)
        await asyncio.sleep(0.01)

    main_task.run(main(), loop_factory=loop_factory)
    assert seen == [error]
    if how == "wait_for" and sys.version_info >= (3, 12):
        return  # it awaits in the same task, which has caught the exception: nothing is left to log
    assert f"raised {error.__name__}, which does not end the server" in caplog.text
    assert "by a tool" in caplog.text, "the author sees where"


def _raise(error: type[BaseException]) -> None:
    raise error("by a tool")


UNAWAITED: dict[str, Callable[[asyncio.AbstractEventLoop, type[BaseException]], object]] = {
    "task left behind": lambda loop, error: loop.create_task(exits(error)),
    "call_soon": lambda loop, error: loop.call_soon(_raise, error),
    "call_later": lambda loop, error: loop.call_later(0.001, _raise, error),
    "call_soon_threadsafe": lambda loop, error: loop.call_soon_threadsafe(_raise, error),
    "done callback": lambda loop, error: loop.create_task(asyncio.sleep(0)).add_done_callback(lambda _: _raise(error)),
}


@LOOPS
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("how", UNAWAITED)
def test_what_nobody_awaits_is_a_line_in_the_log_and_others_lose_no_turn(
    how: str, error: type[BaseException], loop_factory: main_task.LoopFactory, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        kept = UNAWAITED[how](loop, error)
        for number in range(3):  # ready in the same turn, behind the one that raises
            loop.call_soon(turns.append, number)
        end = loop.time() + SECONDS
        while "does not end the server" not in caplog.text:
            assert loop.time() < end
            await asyncio.sleep(0.001)
        del kept

    main_task.run(main(), loop_factory=loop_factory)
    assert turns == [0, 1, 2]


@LOOPS
def test_a_tool_that_stops_the_loop_stops_nothing(
    loop_factory: main_task.LoopFactory, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[str] = []

    async def tool() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        turns.append("tool")

    async def main() -> None:
        await asyncio.wait_for(asyncio.create_task(tool()), SECONDS)
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.001)
        turns.append("main")

    main_task.run(main(), loop_factory=loop_factory)
    assert turns == ["tool", "main"]
    assert caplog.text.count("stopped the event loop, which goes on") == 2


@LOOPS
def test_a_runtime_error_of_the_main_task_comes_out(loop_factory: main_task.LoopFactory) -> None:
    async def main() -> None:
        raise RuntimeError("of the server's own")

    with pytest.raises(RuntimeError, match="of the server's own"):
        main_task.run(main(), loop_factory=loop_factory)


@LOOPS
def test_what_the_main_task_raises_comes_out_and_a_cleanup_at_the_end_does_not(
    loop_factory: main_task.LoopFactory,
) -> None:
    cleaned: list[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(SECONDS)
        finally:
            cleaned.append("task")
            sys.exit(3)

    async def main(error: BaseException | None = None) -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0.001)
        assert not task.done()
        if error is not None:
            raise error

    main_task.run(main(), loop_factory=loop_factory)
    assert cleaned == ["task"]
    for error in (KeyboardInterrupt(), SystemExit(4), ValueError()):
        with pytest.raises(type(error)):
            main_task.run(main(error), loop_factory=loop_factory)
    assert cleaned == ["task"] * 4


@LOOPS
def test_as_released_one_task_ends_the_loop(loop_factory: main_task.LoopFactory) -> None:
    async def main() -> None:
        task = asyncio.create_task(exits(SystemExit))
        await asyncio.sleep(SECONDS)
        del task

    with asyncio.Runner(loop_factory=loop_factory) as runner, pytest.raises(SystemExit):
        runner.run(main())


# --- a server ---------------------------------------------------------------------------------------------------------

TOOLS = """
import asyncio, sys
from typing import Annotated
from pydantic import AfterValidator
from mcp_app import ToolError, complete, prompt, resource, tool

def leave(value=None):
    sys.exit(3)

def interrupt(value=None):
    raise KeyboardInterrupt

def denied(value):
    raise ToolError("Not this one.")

async def lib():
    leave()

@tool
async def sound() -> str:
    return "sound"

@tool
async def waits() -> None:
    await asyncio.wait_for(lib(), 5)

@tool
async def gathers() -> None:
    await asyncio.gather(lib(), lib())

@tool
async def interrupts() -> None:
    interrupt()

@tool
async def generates():
    try:
        yield 1
        interrupt()
    finally:
        leave()

KEPT = []

@tool
async def leaves() -> str:
    KEPT.append(asyncio.create_task(lib()))
    asyncio.get_running_loop().call_later(0.001, interrupt)
    await asyncio.sleep(0.05)
    return "left"

@tool(read_only=True)
def exit_validated(n: Annotated[str, AfterValidator(leave)]) -> str:
    return n

@tool
def interrupt_validated(n: Annotated[str, AfterValidator(interrupt)]) -> str:
    return n

@tool
def key_validated(n: Annotated[str, AfterValidator(lambda n: {}[n])]) -> str:
    return n

@tool(read_only=True)
def denied_validated(n: Annotated[str, AfterValidator(denied)]) -> str:
    return n

@prompt
async def ask() -> str:
    interrupt()

@prompt
async def ask_validated(n: Annotated[str, AfterValidator(leave)]) -> str:
    return n

async def suggest(prefix, chosen):
    interrupt()

@prompt
def suggested(
    plain: Annotated[str, complete(lambda prefix, chosen: leave())], awaited: Annotated[str, complete(suggest)]
) -> str:
    return plain

@resource("x://it")
async def it() -> str:
    await asyncio.gather(lib())

@resource("x://it/{n}")
async def one(n: Annotated[str, AfterValidator(interrupt)]) -> str:
    return n
"""


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "my_tools.py").write_text(TOOLS)
    (folder / "hypercorn.toml").write_text(f'worker_class = "{request.param}"\n')
    with process("my_tools.py", cwd=folder) as running:
        yield running


def call(server: LiveServer, tool: str, **params: Any) -> Any:
    body = {"tool": tool, "params": params, "stream": False}
    return httpx.post(f"{server.url}/api/v1/mcp/sse", json=body, timeout=START_SECONDS).json()


def rpc(server: LiveServer, method: str, **params: Any) -> Any:
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}
    headers["Mcp-Method"] = method
    if (name := params.get("name") or params.get("uri")) is not None:
        headers["Mcp-Name"] = name
    meta = {"protocolVersion": "2026-07-28", "clientInfo": {"name": "t", "version": "1"}, "clientCapabilities": {}}
    params["_meta"] = {f"io.modelcontextprotocol/{key}": value for key, value in meta.items()}
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(f"{server.url}/mcp", json=message, headers=headers, timeout=START_SECONDS).json()


@pytest.mark.parametrize(
    ("tool", "params"),
    [
        ("waits", {}),
        ("gathers", {}),
        ("interrupts", {}),
        ("generates", {}),
        ("exit_validated", {"n": "1"}),
        ("interrupt_validated", {"n": "1"}),
        ("key_validated", {"n": "1"}),
    ],
)
def test_a_tool_that_exits_has_failed_and_the_server_has_not(
    server: LiveServer, tool: str, params: dict[str, Any]
) -> None:
    error = call(server, tool, **params)["error"]
    assert error["code"] == "tool_failed"
    assert error["error_id"]
    if params:
        result = rpc(server, "tools/call", name=tool, arguments=params)["result"]
        assert result["isError"] is True
    assert call(server, "sound")["data"] == "sound"


def test_a_tool_that_leaves_a_task_which_exits_has_not_failed(server: LiveServer) -> None:
    assert call(server, "leaves")["data"] == "left"
    assert call(server, "sound")["data"] == "sound"


def test_a_validators_own_word_reaches_the_caller(server: LiveServer) -> None:
    assert call(server, "denied_validated", n="1")["error"]["message"] == "Not this one."
    result = rpc(server, "tools/call", name="denied_validated", arguments={"n": "1"})["result"]
    assert result["isError"] is True
    assert "Not this one." in result["content"][0]["text"]


def test_a_query_validates_as_a_body_does(server: LiveServer) -> None:
    query = {"tool": "exit_validated", "n": "1"}
    answer = httpx.get(f"{server.url}/api/v1/mcp/sse", params=query, headers={"Accept": "application/json"})
    assert answer.json()["error"]["code"] == "tool_failed"


SUGGESTED = {"type": "ref/prompt", "name": "suggested"}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("prompts/get", {"name": "ask"}),
        ("prompts/get", {"name": "ask_validated", "arguments": {"n": "1"}}),
        ("resources/read", {"uri": "x://it"}),
        ("resources/read", {"uri": "x://it/1"}),
        ("completion/complete", {"ref": SUGGESTED, "argument": {"name": "plain", "value": ""}}),
        ("completion/complete", {"ref": SUGGESTED, "argument": {"name": "awaited", "value": ""}}),
    ],
)
def test_what_else_exits_has_failed_too(server: LiveServer, method: str, params: dict[str, Any]) -> None:
    error = rpc(server, method, **params)["error"]
    assert error["code"] == -32603
    assert error["data"]["error_id"]
    assert call(server, "sound")["data"] == "sound"
