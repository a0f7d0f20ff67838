"""What a validator of the author's raises, and a forgotten `await`, as a plain caller and an MCP client see them."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from mcp_app import Context, ToolError, UnknownResource, create_app, prompt, resource, tool
from mcp_app.protocol.errors import InvalidParams, Overloaded, UnknownTool
from mcp_app.protocol.event import NotJson

JSON_OR_STREAM = {"Accept": "application/json, text/event-stream"}


def _own(_: str) -> str:
    raise ToolError("Not that one.", hint="Take another.")


Broken = Annotated[str, AfterValidator(lambda text: {"a": 1}[text])]
Leaving = Annotated[str, AfterValidator(lambda _: sys.exit(1))]
Own = Annotated[str, AfterValidator(_own)]


@tool(read_only=True)
def broken(x: Broken) -> str:
    return x


@tool(read_only=True)
def leaving(x: Leaving) -> str:
    return x


@tool(read_only=True)
def own(x: Own) -> str:
    return x


@tool(read_only=True)
async def forgetful(ctx: Context, x: str) -> str:
    ctx.progress(1, 2)
    return x


@tool(read_only=True)
def full(x: str) -> str:
    raise Overloaded("of another server")


@tool(read_only=True)
async def asks_for_another(x: str) -> str:
    raise UnknownTool("of another server")


@tool(read_only=True)
async def reads_nothing(x: str) -> str:
    raise UnknownResource("a://of-another-server")


@prompt
def ask(x: Broken) -> str:
    return x


@prompt
async def lazily(x: str) -> Any:
    return map(str, [x])


@prompt
async def forgets(ctx: Context, x: str) -> str:
    ctx.progress(1, 2)
    return x


@resource("a://{x}")
def read(x: Leaving) -> str:
    return x


@resource("b://b")
def unawaited() -> Any:
    return lazily("b")


@resource("c://c")
async def read_lazily() -> Any:
    return map(str, "b")


@resource("d://d")
def no_json() -> Any:
    raise NotJson("it holds a lock")


PROMPTS = {
    "ask": "The prompt ask failed.",
    "lazily": "The prompt lazily is async and gave a map,",
    "forgets": "The prompt forgets called ctx.progress(…) without await, once",
}
RESOURCES = {
    "a://b": "The resource read failed.",
    "b://b": "The resource unawaited returned what has to be awaited",
    "c://c": "The resource read_lazily is async and gave a map,",
    "d://d": "The resource no_json gave what cannot be sent as JSON: it holds a lock.",
}


TOOLS = {
    broken: "The tool broken failed.",
    leaving: "The tool leaving failed.",
    own: "Not that one.",
    forgetful: "The tool forgetful called ctx.progress(…) without await, once",
    full: "The tool full failed.",
    asks_for_another: "The tool asks_for_another failed.",
    reads_nothing: "The tool reads_nothing failed.",
}


@pytest.fixture
async def client() -> Any:
    app = create_app(
        tools=list(TOOLS), prompts=[ask, lazily, forgets], resources=[read, unawaited, read_lazily, no_json]
    )
    async with app.test_app() as running:
        yield running.test_client()


@pytest.mark.parametrize("called", TOOLS, ids=lambda each: each.name)
async def test_a_plain_caller(client: Any, called: Any) -> None:
    body = {"tool": called.name, "params": {"x": "b"}}
    posted = await client.post("/api/v1/mcp/sse", json=body, headers={"Accept": "application/json"})
    got = await client.get(f"/api/v1/mcp/sse?tool={called.name}&x=b", headers={"Accept": "application/json"})
    for answer in (posted, got):
        assert answer.status_code == 500
        error = json.loads(await answer.get_data())["error"]
        assert error["code"] == "tool_failed"
        assert error["message"].startswith(TOOLS[called])


async def test_an_mcp_client(client: Any) -> None:
    info = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    headers = dict(JSON_OR_STREAM)

    async def send(method: str, params: dict[str, Any]) -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = await client.post("/mcp", json=body, headers=headers)
        assert answer.status_code == 200
        headers.setdefault("Mcp-Session-Id", answer.headers.get("Mcp-Session-Id", ""))
        text = (await answer.get_data()).decode()
        found: dict[str, Any] = json.loads(text if text.startswith("{") else text.partition("data: ")[2])
        return found

    await send("initialize", info)
    headers["MCP-Protocol-Version"] = "2025-06-18"
    for called, said in TOOLS.items():
        result = (await send("tools/call", {"name": called.name, "arguments": {"x": "b"}}))["result"]
        assert result["isError"]
        assert result["content"][0]["text"].startswith(said)
    for name, said in PROMPTS.items():
        error = (await send("prompts/get", {"name": name, "arguments": {"x": "b"}}))["error"]
        assert (error["data"]["code"], error["message"][: len(said)]) == ("tool_failed", said)
    for uri, said in RESOURCES.items():
        error = (await send("resources/read", {"uri": uri}))["error"]
        assert (error["data"]["code"], error["message"][: len(said)]) == ("tool_failed", said)


def _value_error(_: str) -> str:
    raise ValueError("no file a\udcffb")


def _assertion(_: str) -> str:
    raise AssertionError("no file a\udcffb")


def _custom(_: str) -> str:
    raise PydanticCustomError("absent", "no file {name}", {"name": "a\udcffb"})


@pytest.mark.parametrize("refuse", [_value_error, _assertion, _custom])
def test_a_refusal_that_no_utf_8_carries_is_a_refusal(refuse: Any) -> None:
    """As of a ValueError with a file's name (os.fsdecode): it is no failure of the tool's."""

    @tool(read_only=True)
    def found(x: Annotated[str, AfterValidator(refuse)], n: int = 1) -> str:
        return x

    def texts(x: str) -> str:
        return x

    texts.__annotations__["x"] = Annotated[str, AfterValidator(refuse)]
    calls = [
        lambda: found.validated({"x": "b"}),
        lambda: found.from_query({}, {"x": ["b"]}),
        lambda: found.from_query({"x": "b"}, {"n": ["1"]}),
        lambda: prompt(texts).arguments({"x": "b"}),
        lambda: resource("a://{x}")(texts).reading("a://b", {"x": "b"}),
    ]
    for call in calls:
        with pytest.raises(InvalidParams, match="a\ufffdb"):
            call()
