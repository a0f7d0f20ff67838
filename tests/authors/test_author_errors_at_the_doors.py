"""What a validator of the author's raises, and a forgotten `await`, as a plain caller and an MCP client see them."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from mcp_app import Context, ToolError, UnknownResource, errors, prompt, resource, tool
from mcp_app.protocol.errors import InvalidParams, Overloaded, UnknownTool
from mcp_app.protocol.event import NotJson
from mcp_app.testing import client


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


ALL = [*TOOLS, ask, lazily, forgets, read, unawaited, read_lazily, no_json]


@pytest.mark.parametrize("by", ["post", "get"])
@pytest.mark.parametrize("called", TOOLS, ids=lambda each: each.name)
async def test_a_plain_caller(called: Any, by: Any) -> None:
    async with client(ALL, by=by) as c:
        with pytest.raises((ToolError, errors.ToolFailed)) as raised:
            await c.run(called, x="b")
    assert raised.value.code == "tool_failed"
    assert raised.value.message.startswith(TOOLS[called])


async def test_an_mcp_client() -> None:
    async with client(ALL, era="2025-06-18") as c:
        for called, said in TOOLS.items():
            with pytest.raises((ToolError, errors.ToolFailed)) as raised:
                await c.run(called, x="b")
            assert raised.value.message.startswith(said)
        for method, params, said in (
            *(("prompts/get", {"name": name, "arguments": {"x": "b"}}, said) for name, said in PROMPTS.items()),
            *(("resources/read", {"uri": uri}, said) for uri, said in RESOURCES.items()),
        ):
            run = c.request(method, params)
            with pytest.raises((ToolError, errors.ToolFailed)) as raised:
                await run
            assert raised.value.code == "tool_failed"
            assert run.events[-1].raw["error"]["message"].startswith(said)


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
