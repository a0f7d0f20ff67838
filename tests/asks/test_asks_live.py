"""MCP with sessions: a question is a request of ours on the call's stream, and the call waits for the response."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asks_stage import ALL, SECONDS, Server, accepted, sampled
from mcp_types.methods import parse_server_notification, parse_server_request, validate_server_result
from pydantic import BaseModel

from mcp_app import Context, Declined, NoAnswer
from mcp_app.web.exchange import Answer, Request
from mcp_app.web.frames import Frames

Make = Callable[..., Server]
VERSION = "2025-11-25"


class Name(BaseModel):
    name: str


async def greet(ctx: Context) -> str:
    await ctx.log("info", "before")
    return f"Hello, {(await ctx.ask(Name, 'Name?')).name}!"


class Client:
    """A client of one session, which reads one stream at a time."""

    def __init__(self, server: Server, version: str) -> None:
        self.server = server
        self.version = version
        self.session: str | None = None

    async def post(self, body: Any, accept: str = "application/json, text/event-stream") -> Answer:
        headers = {"host": "127.0.0.1:8000", "content-type": "application/json", "accept": accept}
        if self.session is not None:
            headers |= {"mcp-session-id": self.session, "mcp-protocol-version": self.version}
        request = Request("POST", "/mcp", headers=headers, body=json.dumps(body).encode(), server=("127.0.0.1", 8000))
        return await asyncio.wait_for(self.server.endpoint.answer(request), SECONDS)

    async def begin(self, can: Any) -> Client:
        params = {"protocolVersion": self.version, "capabilities": can, "clientInfo": {"name": "t", "version": "1"}}
        answer = await self.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
        self.session = dict(answer.headers)["Mcp-Session-Id"]
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    @asynccontextmanager
    async def call(self, tool: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The messages of a call's stream, each checked against the revision's schema."""
        params = {"name": tool, "arguments": {}}
        answer = await self.post({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params})
        assert isinstance(answer.body, Frames), answer.body
        try:
            yield self._messages(answer.body)
        finally:
            answer.body.close()

    async def _messages(self, frames: Frames) -> AsyncIterator[dict[str, Any]]:
        while True:
            chunk = await asyncio.wait_for(anext(frames), SECONDS)
            for line in chunk.decode().splitlines():
                if line.startswith("data: {"):
                    message = json.loads(line[6:])
                    if "result" in message:
                        validate_server_result("tools/call", self.version, message["result"])
                    elif "id" not in message:
                        parse_server_notification(message["method"], self.version, message["params"])
                    elif "method" in message:
                        parse_server_request(message["method"], self.version, message.get("params"))
                    yield message

    async def resume(self, last: str) -> Answer:
        """GET of the rest of a stream."""
        headers = {"host": "127.0.0.1:8000", "accept": "text/event-stream", "last-event-id": last}
        headers |= {"mcp-session-id": self.session or "", "mcp-protocol-version": self.version}
        request = Request("GET", "/mcp", headers=headers, server=("127.0.0.1", 8000))
        return await asyncio.wait_for(self.server.endpoint.answer(request), SECONDS)

    async def respond(self, request: dict[str, Any], result: Any = None, error: Any = None) -> Answer:
        said = {"result": result} if error is None else {"error": error}
        return await self.post({"jsonrpc": "2.0", "id": request["id"], **said})


async def connect(server: Server, can: Any = ALL, version: str = VERSION) -> Client:
    return await Client(server, version).begin(can)


async def question(messages: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    """The next request among them."""
    async for message in messages:
        if "method" in message and "id" in message:
            return message
    raise AssertionError("no question came")


async def result(messages: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    async for message in messages:
        if "result" in message:
            found: dict[str, Any] = message["result"]
            return found
    raise AssertionError("no result came")


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
    assert [work.code for work in server.runs._working] == [None]  # the run goes on
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


async def to_its_end(answer: Answer) -> str:
    """Read a stream that has no message; the last id of it."""
    assert isinstance(answer.body, Frames)
    text = b"".join([chunk async for chunk in answer.body]).decode()
    answer.body.close()
    assert "jsonrpc" not in text
    ids = [line[4:] for line in text.splitlines() if line.startswith("id: ")]
    assert ids
    return ids[-1]
