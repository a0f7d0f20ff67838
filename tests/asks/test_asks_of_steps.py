"""Tools that tools call, asking the same caller, in rounds and in a session; and what MCP's clients see of steps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asks_session import connect, question, result
from asks_stage import Server, accepted
from pydantic import BaseModel

from mcp_app import Context, ToolError, prompt, resource, tool

Make = Callable[..., Server]


class Name(BaseModel):
    name: str


@tool
async def who(ctx: Context, greeting: str = "Hello") -> str:
    """Ask for a name."""
    number = await ctx.once("number", lambda: next(NUMBERS))
    return f"{greeting} {(await ctx.ask(Name, f'{greeting}. Your name?')).name} {number}"


@tool
def who_there(ctx: Context) -> str:
    """The same in a thread."""
    return ctx.wait(ctx.ask(Name, "Your name?")).name


NUMBERS = iter(range(10**9))


async def both(ctx: Context) -> list[str]:
    own = (await ctx.ask(Name, "And you?")).name
    return [own, *await asyncio.gather(ctx.call(who), ctx.call(who, greeting="Bye"), ctx.part(0, 50, "x").call(who))]


async def test_the_keys_of_steps_do_not_collide_and_are_the_same_in_each_round(serve: Make) -> None:
    server = serve(both, who)
    first = await server.call("both")
    assert list(first.requests) == ["ask-1"]
    second = await server.call("both", {"ask-1": accepted(name="Ada")}, first.state)
    assert list(second.requests) == ["who/ask-1", "who-2/ask-1", "x/ask-1"]
    third = await server.call(
        "both", {"who/ask-1": accepted(name="Bea"), "x/ask-1": accepted(name="Cleo")}, second.state
    )
    assert list(third.requests) == ["who-2/ask-1"]
    done = await server.call("both", {"who-2/ask-1": accepted(name="Dora")}, third.state)
    own, *names = done.result["structuredContent"]
    assert own == "Ada"
    assert [each.split()[:2] for each in names] == [["Hello", "Bea"], ["Bye", "Dora"], ["Hello", "Cleo"]]
    made = [int(each.split()[2]) for each in names]
    assert len(set(made)) == 3  # once for each step, though its function ran three times
    assert next(NUMBERS) == max(made) + 1


async def test_a_step_of_a_step_and_a_plain_one_ask_too(serve: Make) -> None:
    async def middle(ctx: Context) -> str:
        return await ctx.call(who_there)

    def outer(ctx: Context) -> str:
        return str(ctx.wait(ctx.call("middle")))

    server = serve(outer, middle, who_there)
    asked = await server.call("outer")
    assert list(asked.requests) == ["middle/who_there/ask-1"]
    done = await server.call("outer", {"middle/who_there/ask-1": accepted(name="Ada")}, asked.state)
    assert done.text == "Ada"


async def test_a_key_that_is_that_of_a_step_is_refused(serve: Make) -> None:
    async def asks(ctx: Context) -> None:
        step = asyncio.create_task(ctx.call(who))
        for _ in range(3):
            await asyncio.sleep(0)
        with pytest.raises(ValueError, match="the key 'who/ask-1' was used before"):
            ctx.ask(Name, "Your name?", key="who/ask-1")
        with pytest.raises(ValueError, match=r"the key 'who/number' of ctx\.once was used by another tool"):
            await ctx.once("who/number", lambda: 5)
        step.cancel()
        raise ToolError("as it should be")

    said = await serve(asks, who).call("asks")
    assert said.text.startswith("as it should be")


async def test_a_step_asks_in_a_session(serve: Make) -> None:
    async def outer(ctx: Context) -> str:
        return await ctx.call(who)

    client = await connect(serve(outer))
    async with client.call("outer") as messages:
        request = await question(messages)
        assert request["params"]["message"] == "Hello. Your name?"
        await client.respond(request, accepted(name="Ada"))
        assert (await result(messages))["content"][0]["text"].startswith("Hello Ada")


@pytest.mark.parametrize("plain", [False, True])
async def test_prompts_and_resources_call_tools(serve: Make, plain: bool) -> None:
    if plain:

        @prompt
        def greet(ctx: Context) -> str:
            return ctx.wait(ctx.call(who))

        @resource("people://first")
        def people(ctx: Context) -> str:
            return ctx.wait(ctx.call(who))
    else:

        @prompt
        async def greet(ctx: Context) -> str:
            return await ctx.call(who)

        @resource("people://first")
        async def people(ctx: Context) -> str:
            return await ctx.call(who)

    server = serve(who, prompts=[greet], resources=[people])
    for method, params in (("prompts/get", {"name": "greet"}), ("resources/read", {"uri": "people://first"})):
        asked = await server.request(method, params)
        assert list(asked.requests) == ["who/ask-1"]
        more = {"inputResponses": {"who/ask-1": accepted(name="Ada")}, "requestState": asked.state}
        assert "Hello Ada" in str((await server.request(method, {**params, **more})).result)


# --- what clients see ------------------------------------------------------------------------------------------------


@tool
async def items(ctx: Context) -> AsyncIterator[str]:
    """Yield two items, and say how far it is."""
    await ctx.progress(1, 3, "one")
    yield "first"
    await ctx.log("warning", "beware", {"a": 1})
    await ctx.progress(3, 3)
    yield "second"


async def walk(ctx: Context) -> str:
    await ctx.progress(1, 100, "begun")
    await ctx.call(items)
    await ctx.part(10, 60).call(items)
    await ctx.progress(70, 100)
    return "done"


async def progress(server: Server, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """The progress notifications, the log messages, the result."""
    said = await server.call(name, meta={"progressToken": "t", "io.modelcontextprotocol/logLevel": "info"})
    found = [each["params"] for each in said.before if each["method"] == "notifications/progress"]
    logged = [each["params"] for each in said.before if each["method"] == "notifications/message"]
    return found, logged, said.result


async def test_progress_is_one_growing_number(serve: Make) -> None:
    found, logged, done = await progress(serve(walk), "walk")
    numbers = [each["progress"] for each in found]
    assert numbers == sorted(set(numbers))
    assert [round(number) for number in numbers] == [1] * 5 + [27, 27, 60, 60, 70]
    assert {each["total"] for each in found} == {100}
    assert [each.get("message") for each in found] == [
        *("begun", "items: one", "items: first", None, "items: second"),
        *("items-2: one", "items-2: first", None, "items-2: second", None),
    ]
    steps = [step for each in found for name, step in each.get("_meta", {}).items() if name.endswith("/step")]
    assert steps[0] == {"path": ["items"], "data": "first"}
    assert len(steps) == 4
    assert [each["logger"] for each in logged] == ["items", "items-2"]
    assert done["content"] == [{"type": "text", "text": "done"}]
    assert not [name for name in done.get("_meta", {}) if name.endswith("/partial")]


async def test_what_a_step_yields_is_no_part_of_a_generators_result(serve: Make) -> None:
    async def yields(ctx: Context) -> AsyncIterator[str]:
        yield "own"
        await ctx.call(items)

    _, _, done = await progress(serve(yields), "yields")
    assert done["content"] == [{"type": "text", "text": "own"}]


async def test_in_the_plain_dialect_steps_have_their_path(serve: Make) -> None:
    async def short(ctx: Context) -> None:
        await ctx.part(0, 50, "look").call(items)

    answer = (await serve(short).plain("short")).message
    assert answer["progress"] == [
        {
            "type": "progress",
            "data": {"message": "one"},
            "metadata": {"progress": 16.6667, "total": 100, "path": ["look"], "step": {"progress": 1, "total": 3}},
        },
        {"type": "progress", "data": "first", "metadata": {"path": ["look"]}},
        {
            "type": "log",
            "data": {"level": "warning", "message": "beware", "data": {"a": 1}},
            "metadata": {"path": ["look"]},
        },
        {
            "type": "progress",
            "data": {},
            "metadata": {"progress": 50, "total": 100, "path": ["look"], "step": {"progress": 3, "total": 3}},
        },
        {"type": "progress", "data": "second", "metadata": {"path": ["look"]}},
    ]
