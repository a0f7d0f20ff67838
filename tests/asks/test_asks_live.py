"""MCP with sessions: a question is a request of ours on the call's stream, and the call waits for the response."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from asks_session import connect, question, result, to_its_end
from asks_stage import Server, accepted, sampled
from pydantic import BaseModel

from mcp_app import Context, Declined, NoAnswer, Titled
from mcp_app.web.frames import Frames

Make = Callable[..., Server]


class Name(BaseModel):
    name: str


async def greet(ctx: Context) -> str:
    await ctx.log("info", "before")
    return f"Hello, {(await ctx.ask(Name, 'Name?')).name}!"


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18"])
async def test_a_call_waits_for_its_answer(serve: Make, version: str) -> None:
    client = await connect(serve(greet), version=version)
    async with client.call("greet") as messages:
        asked = await question(messages)
        assert asked["method"] == "elicitation/create"
        assert asked["params"]["requestedSchema"]["required"] == ["name"]
        assert (await client.respond(asked, accepted(name="Ann"))).status == 202
        assert (await result(messages))["content"] == [{"type": "text", "text": "Hello, Ann!"}]


async def test_the_tool_runs_once(serve: Make) -> None:
    begun: list[int] = []

    async def once(ctx: Context) -> str:
        begun.append(1)
        first = await ctx.ask(Name, "First?")
        second = await ctx.ask(Name, "Second?")
        return first.name + second.name

    client = await connect(serve(once))
    async with client.call("once") as messages:
        await client.respond(await question(messages), accepted(name="A"))
        await client.respond(await question(messages), accepted(name="B"))
        assert (await result(messages))["content"][0]["text"] == "AB"
    assert begun == [1]


async def test_several_at_once_and_in_any_order(serve: Make) -> None:
    async def both(ctx: Context) -> str:
        name, said = await asyncio.gather(ctx.ask(Name, "Name?"), ctx.sample("Hi", max_tokens=5))
        return f"{said.text} {name.name}"

    client = await connect(serve(both))
    async with client.call("both") as messages:
        first, second = await question(messages), await question(messages)
        assert first["id"] != second["id"]
        await client.respond(second, sampled("Hello"))
        await client.respond(first, accepted(name="Ann"))
        assert (await result(messages))["content"][0]["text"] == "Hello Ann"


async def test_roots_and_a_page_to_open(serve: Make) -> None:
    async def look(ctx: Context) -> str:
        await ctx.ask_url("https://example.com/login", "Log in")
        return (await ctx.roots())[0].name or ""

    client = await connect(serve(look))
    async with client.call("look") as messages:
        page = await question(messages)
        assert page["params"]["mode"] == "url"
        assert page["params"]["elicitationId"]
        await client.respond(page, {"action": "accept"})
        await client.respond(await question(messages), {"roots": [{"uri": "file:///x", "name": "X"}]})
        assert (await result(messages))["content"][0]["text"] == "X"


async def test_an_answer_that_does_not_fit_is_asked_for_again_but_not_for_ever(serve: Make) -> None:
    client = await connect(serve(greet))
    async with client.call("greet") as messages:
        await client.respond(await question(messages), accepted(name=5))
        await client.respond(await question(messages), accepted(name="Ann"))
        assert (await result(messages))["content"][0]["text"] == "Hello, Ann!"
    async with client.call("greet") as messages:
        for _ in range(3):
            await client.respond(await question(messages), accepted())
        failed = await result(messages)
        assert failed["isError"] is True
        assert "name" in failed["content"][0]["text"]
        assert failed["content"][0]["text"].endswith("give an answer that fits: the message says what does not.")


@pytest.mark.parametrize(
    ("result_", "error", "caught"),
    [
        ({"action": "decline"}, None, "Declined decline"),
        ({"action": "cancel"}, None, "Declined cancel"),
        (None, {"code": -1, "message": "no"}, "Declined decline"),
        (None, {"code": -32603, "message": "broken"}, "NoAnswer"),
    ],
)
async def test_no_answer(serve: Make, result_: Any, error: Any, caught: str) -> None:
    async def ask(ctx: Context) -> str:
        try:
            return (await ctx.ask(Name, "Name?")).name
        except Declined as declined:
            return f"Declined {declined.action}"
        except NoAnswer:
            return "NoAnswer"

    client = await connect(serve(ask))
    async with client.call("ask") as messages:
        await client.respond(await question(messages), result_, error)
        assert (await result(messages))["content"][0]["text"] == caught


async def test_what_a_client_cannot_do_is_for_the_model_to_read(serve: Make) -> None:
    client = await connect(serve(greet), can={"sampling": {}})
    async with client.call("greet") as messages:
        failed = await result(messages)
    assert failed["isError"] is True
    assert "elicitation" in failed["content"][0]["text"]


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/event-stream;q=0.5"])
async def test_who_is_answered_with_json_is_not_asked(serve: Make, accept: str) -> None:
    client = await connect(serve(greet))
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "greet", "arguments": {}}}
    answer = await client.post(call, accept=accept)
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body)["result"]["isError"] is True


async def test_a_response_that_nobody_waits_for_changes_nothing(serve: Make) -> None:
    client = await connect(serve(greet))
    async with client.call("greet") as messages:
        asked = await question(messages)
        await client.respond({"id": "another"}, accepted(name="Eve"))
        await client.respond(asked, accepted(name="Ann"))
        await client.respond(asked, accepted(name="Bob"))
        assert (await result(messages))["content"][0]["text"] == "Hello, Ann!"


async def test_another_session_cannot_answer(serve: Make) -> None:
    server = serve(greet)
    client, other = await connect(server), await connect(server)
    async with client.call("greet") as messages:
        asked = await question(messages)
        await other.respond(asked, accepted(name="Eve"))
        await client.respond(asked, accepted(name="Ann"))
        assert (await result(messages))["content"][0]["text"] == "Hello, Ann!"


async def test_a_plain_function_waits_in_its_thread(serve: Make) -> None:
    def slow(ctx: Context) -> str:
        return ctx.wait(ctx.ask(Name, "Name?")).name

    client = await connect(serve(slow))
    async with client.call("slow") as messages:
        await client.respond(await question(messages), accepted(name="Ann"))
        assert (await result(messages))["content"][0]["text"] == "Ann"


async def test_a_stream_is_let_go_and_come_back_to(serve: Make) -> None:
    going_on = asyncio.Event()

    async def long(ctx: Context) -> str:
        await ctx.let_go()
        await going_on.wait()
        await ctx.let_go()
        return (await ctx.ask(Name, "Name?")).name

    server = serve(long)
    client = await connect(server)
    params = {"name": "long", "arguments": {}}
    answer = await client.post({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})
    last = await to_its_end(answer)
    assert [work.code for work in server.runs._at_work.runs] == [None]  # the run goes on
    resumed = await client.resume(last)
    going_on.set()
    again = await to_its_end(resumed)
    rest = await client.resume(again)
    assert isinstance(rest.body, Frames)
    messages = client._messages(rest.body)
    await client.respond(await question(messages), accepted(name="Ann"))
    assert (await result(messages))["content"][0]["text"] == "Ann"
    rest.body.close()


@pytest.mark.parametrize("version", ["2025-06-18", "2025-03-26"])
async def test_a_stream_that_is_not_polled_is_not_let_go(serve: Make, version: str) -> None:
    async def stays(ctx: Context) -> str:
        await ctx.let_go()
        await ctx.log("info", "still here")
        return "done"

    client = await connect(serve(stays), version=version)
    async with client.call("stays") as messages:
        assert (await result(messages))["content"][0]["text"] == "done"


async def test_a_plain_call_is_not_let_go(serve: Make) -> None:
    def stays(ctx: Context) -> str:
        ctx.let_go()
        return "done"

    server = serve(stays)
    assert (await server.plain("stays")).message["data"] == "done"
    assert (await server.call("stays")).text == "done"


class Choice(BaseModel):
    colour: Annotated[Literal["#f00", "#0f0"], Titled({"#f00": "Red", "#0f0": "Green"})]


class Choices(BaseModel):
    colours: list[Literal["red", "green"]]


async def pick(ctx: Context) -> str:
    return (await ctx.ask(Choice, "Which?")).colour


async def pick_several(ctx: Context) -> str:
    return " ".join((await ctx.ask(Choices, "Which?")).colours)


async def test_the_forms_of_2025_06_18_say_titles_beside_the_values(serve: Make) -> None:
    client = await connect(serve(pick), version="2025-06-18")
    async with client.call("pick") as messages:
        asked = await question(messages)
        assert asked["params"]["requestedSchema"]["properties"] == {
            "colour": {"type": "string", "enum": ["#f00", "#0f0"], "enumNames": ["Red", "Green"]}
        }
        await client.respond(asked, accepted(colour="#0f0"))
        assert (await result(messages))["content"][0]["text"] == "#0f0"


async def test_the_forms_of_2025_06_18_have_no_choice_of_several(serve: Make) -> None:
    client = await connect(serve(pick_several), version="2025-06-18")
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "pick_several", "arguments": {}}}
    said = json.loads((await client.post(call)).body)["result"]
    assert said["isError"] is True
    assert "colours is a choice of several" in said["content"][0]["text"]
