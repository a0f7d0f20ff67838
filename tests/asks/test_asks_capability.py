"""Who cannot be asked is told what is missing: -32021 in MCP 2026-07-28, an error for the caller elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asks_stage import Server
from mcp_types import MissingRequiredClientCapabilityErrorData
from pydantic import BaseModel

from mcp_app import Context, MissingCapability, prompt
from mcp_app.asking.asker import declared
from mcp_app.asking.questions import Questions

Make = Callable[..., Server]
FORM: dict[str, Any] = {"elicitation": {"form": {}}}


class Name(BaseModel):
    name: str


async def form(ctx: Context) -> str:
    return (await ctx.ask(Name, "Name?")).name


async def page(ctx: Context) -> str:
    await ctx.ask_url("https://example.com/", "Log in")
    return ""


async def sample(ctx: Context) -> str:
    return (await ctx.sample("Hi", max_tokens=1)).text


async def sample_tools(ctx: Context) -> str:
    tool = {"name": "t", "inputSchema": {"type": "object"}}
    return (await ctx.sample("Hi", max_tokens=1, tools=[tool])).text


async def roots(ctx: Context) -> str:
    return str(await ctx.roots())


CASES: list[tuple[Callable[..., Any], dict[str, Any], dict[str, Any]]] = [
    (form, {}, FORM),
    (form, {"elicitation": {"url": {}}}, FORM),
    (form, {"sampling": {}, "roots": {}}, FORM),
    (page, {"elicitation": {}}, {"elicitation": {"url": {}}}),
    (page, FORM, {"elicitation": {"url": {}}}),
    (sample, FORM, {"sampling": {}}),
    (sample_tools, {"sampling": {}}, {"sampling": {"tools": {}}}),
    (roots, {"sampling": {}}, {"roots": {}}),
]


@pytest.mark.parametrize(("tool", "can", "required"), CASES)
async def test_what_is_missing_is_an_error_of_its_own(
    serve: Make, tool: Callable[..., Any], can: Any, required: Any
) -> None:
    answer = await serve(tool).call(tool.__name__, can=can)
    assert (answer.status, answer.error["code"]) == (400, -32021)
    assert answer.error["data"]["requiredCapabilities"] == required
    MissingRequiredClientCapabilityErrorData.model_validate(answer.error["data"])


async def test_where_the_stream_has_begun_the_error_comes_in_it(serve: Make) -> None:
    async def late(ctx: Context) -> str:
        await ctx.progress(1)
        return (await ctx.roots())[0].uri

    answer = await serve(late).call("late", can={}, meta={"progressToken": 1})
    assert (answer.status, answer.error["code"], len(answer.before)) == (200, -32021, 1)


async def test_a_prompt_too(serve: Make) -> None:
    @prompt
    async def about(ctx: Context) -> str:
        return (await ctx.ask(Name, "Name?")).name

    answer = await serve(prompts=[about]).request("prompts/get", {"name": "about"}, can={})
    assert (answer.status, answer.error["code"]) == (400, -32021)


async def test_a_tool_may_look_and_go_without(serve: Make) -> None:
    async def careful(ctx: Context) -> str:
        if ctx.can("elicitation"):
            return (await ctx.ask(Name, "Name?")).name
        return (await ctx.sample("A name?", max_tokens=5)).text

    server = serve(careful)
    asked = await server.call("careful", can={"sampling": {}})
    assert [each["method"] for each in asked.requests.values()] == ["sampling/createMessage"]
    asked = await server.call("careful", can={"elicitation": {}})
    assert [each["method"] for each in asked.requests.values()] == ["elicitation/create"]


async def test_a_tool_may_catch_it(serve: Make) -> None:
    async def tries(ctx: Context) -> str:
        try:
            return (await ctx.ask(Name, "Name?")).name
        except MissingCapability as missing:
            return str(missing.required)

    assert (await serve(tries).call("tries", can={})).text == str(FORM)


async def test_the_plain_dialect_cannot_be_asked(serve: Make) -> None:
    answer = await serve(form).plain("form")
    assert answer.status == 400
    assert answer.error["code"] == "missing_capability"
    assert "elicitation.form" in answer.error["message"]
    assert answer.error["requiredCapabilities"] == FORM


async def test_once_works_without_anybody_to_ask(serve: Make) -> None:
    async def counts(ctx: Context) -> list[int]:
        made: list[int] = []
        for _ in range(3):
            await ctx.once("k", lambda: made.append(1))
        return made

    answer = await serve(counts).plain("counts")
    assert answer.message["data"] == [1]


@pytest.mark.parametrize(
    ("needs", "capabilities", "enough"),
    [
        (FORM, {"elicitation": {}}, True),
        (FORM, {"elicitation": {"form": {}}}, True),
        (FORM, {"elicitation": {"url": {}}}, False),
        (FORM, {"elicitation": None}, False),
        ({"sampling": {}}, {"sampling": {"tools": {}}}, True),
        ({"roots": {}}, {"roots": {"listChanged": True}}, True),
        ({"roots": {}}, {}, False),
    ],
)
def test_what_was_declared(needs: Any, capabilities: Any, enough: bool) -> None:
    assert declared(needs, capabilities) is enough


def test_a_capability_that_is_none() -> None:
    from mcp_app.asking import NullAsker

    with pytest.raises(ValueError, match=r"elicitation\.url"):
        Questions(NullAsker()).can("telepathy")
