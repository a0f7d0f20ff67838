"""tools/call with an idempotency key in `_meta`: worked on once, answered each time, with its result or its task."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

import asks_stage
import pytest
from asks_session import Client, connect, question, result
from asks_stage import Said, Server, accepted
from conftest import Make  # type: ignore[attr-defined]
from loop_clock import on_loop_clock
from pydantic import BaseModel

from mcp_app import Context, ToolError, tool
from mcp_app.config.settings import Settings
from mcp_app.manifest import load_manifest
from mcp_app.web.frames import Frames

NAME = f"{load_manifest(None).namespace}idempotencyKey"
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
EXTENSION = "io.modelcontextprotocol/tasks"
TASKS: dict[str, Any] = {"elicitation": {}, "extensions": {EXTENSION: {}}}
NAMES = {**asks_stage._NAMES, **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId")}

calls = itertools.count(1)


class Name(BaseModel):
    name: str


@pytest.fixture(autouse=True)
def counted() -> None:
    global calls
    calls = itertools.count(1)


def worked() -> int:
    """How often a tool of this test has begun."""
    return int(repr(calls).partition("(")[2].rstrip(")")) - 1


@tool
async def book(seats: int = 1) -> str:
    return f"{seats} seats, booking {next(calls)}"


@tool
async def steps(ctx: Context) -> int:
    """Three steps of a minute."""
    number = next(calls)
    for step in range(3):
        await ctx.progress(step + 1, 3)
        await asyncio.sleep(20)
    return number


@tool
async def fails() -> None:
    raise ToolError(f"failed {next(calls)}")


@tool
async def greet(ctx: Context) -> str:
    number = next(calls)
    return f"Hello {(await ctx.ask(Name, 'Who?', key='who')).name}, {number}"


@tool(once=True)
async def pay(ctx: Context) -> str:
    number = next(calls)
    return f"{(await ctx.ask(Name, 'Who pays?', key='who')).name} pays, {number}"


@tool
async def long() -> int:
    """Ten minutes."""
    number = next(calls)
    await asyncio.sleep(600)
    return number


@tool(task="must")
async def must() -> int:
    number = next(calls)
    await asyncio.sleep(600)
    return number


@tool(task="may")
async def may(seconds: float = 0.0) -> int:
    number = next(calls)
    await asyncio.sleep(seconds)
    return number


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    """A server on the loop's clock."""
    monkeypatch.setattr(asks_stage, "_NAMES", NAMES)
    monkeypatch.setattr(asks_stage, "validate_server_result", lambda *_: None)  # its schema knows no tasks

    def make(*tools: Any, **settings: Any) -> Server:
        monkeypatch.setattr(asks_stage, "Settings", lambda **more: Settings(**more, **settings))
        return Server(*tools)

    return make


async def call(server: Server, name: str, *rest: Any, key: Any = KEY, **more: Any) -> Said:
    meta = {NAME: key, **more.pop("meta", {})}
    return await server.call(name, *rest, meta=meta, patience=10_000, **more)


async def close(server: Server) -> None:
    await server.endpoint.drain()
    server.runs.close()


# --- without a session -----------------------------------------------------------------------------------------------


async def test_a_call_is_worked_on_once(serve: Make) -> None:
    server = serve(book)
    answers = await asyncio.gather(*(call(server, "book", arguments={"seats": 2}) for _ in range(5)))
    assert {said.text for said in answers} == {"2 seats, booking 1"}
    assert (await call(server, "book", arguments={"seats": 2.0})).text == "2 seats, booking 1"
    assert worked() == 1


async def test_without_a_key_it_is_another_call(serve: Make) -> None:
    server = serve(book)
    assert [(await server.call("book")).text[-1] for _ in range(2)] == ["1", "2"]


async def test_an_error_is_had_again(serve: Make) -> None:
    server = serve(fails)
    said = [await call(server, "fails") for _ in range(2)]
    assert [each.result["content"][0]["text"] for each in said] == ["failed 1"] * 2


async def test_another_call_with_the_key_is_refused(serve: Make) -> None:
    server = serve(book, fails)
    await call(server, "book")
    for name, arguments in (("book", {"seats": 2}), ("fails", {})):
        refused = await call(server, name, arguments=arguments)
        assert (refused.status, refused.error["code"]) == (400, -32602)
        assert refused.error["data"]["code"] == "idempotency_key_reused"
    assert worked() == 1


@pytest.mark.parametrize("key", [None, 7, "", "short", "k" * 256, "\n" * 20, ["k" * 20]])
async def test_what_is_no_key_is_refused(serve: Make, key: Any) -> None:
    server = serve(book)
    refused = await call(server, "book", key=key)
    assert (refused.status, refused.error["data"]["code"]) == (400, "invalid_request")
    assert NAME in refused.error["message"]
    assert worked() == 0


async def test_arguments_that_are_wrong_leave_the_key_free(serve: Make) -> None:
    server = serve(book)
    assert (await call(server, "book", arguments={"seats": "x"})).result["isError"]
    assert (await call(server, "book", arguments={"seats": 3})).text == "3 seats, booking 1"


@on_loop_clock
async def test_who_comes_back_while_it_works_gets_all_of_it(stage: Callable[..., Server]) -> None:
    server = stage(steps)
    leaving = asyncio.create_task(call(server, "steps", accept="application/json"))
    await asyncio.sleep(25)
    leaving.cancel()
    await asyncio.wait({leaving})
    await asyncio.sleep(10)
    said = await call(server, "steps", meta={"progressToken": "again"})
    assert [each["params"]["progress"] for each in said.before][:3] == [1, 2, 3]
    assert {each["params"]["progressToken"] for each in said.before} == {"again"}
    assert said.text == "1"
    assert (await call(server, "steps")).text == "1"
    await close(server)


@on_loop_clock
async def test_who_does_not_come_back_has_cancelled_it(stage: Callable[..., Server]) -> None:
    server = stage(long)
    leaving = asyncio.create_task(call(server, "long"))
    await asyncio.sleep(25)
    leaving.cancel()
    await asyncio.wait({leaving})
    await asyncio.sleep(31)
    assert server.runs.working == 0
    assert (await call(server, "long")).error["data"]["code"] == "left"
    await close(server)


@on_loop_clock
async def test_a_stream_of_it_has_no_ids(stage: Callable[..., Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be ids to come back with, which this revision does not have."""
    server = stage(steps)
    frames: list[bytes] = []

    async def recorded(body: Frames, content_type: str) -> Any:
        chunks = [chunk async for chunk in body]
        frames.extend(chunks)
        body.close()
        return [json.loads(line[6:]) for line in b"".join(chunks).decode().splitlines() if line[:5] == "data:"]

    monkeypatch.setattr(asks_stage, "_messages", recorded)
    for _ in range(2):
        await call(server, "steps", meta={"progressToken": "p"})
    assert b"data: " in b"".join(frames)
    assert not [line for line in b"".join(frames).split(b"\n") if line.startswith((b"id:", b"retry:"))]
    await close(server)


@pytest.mark.parametrize("made", [greet, pay], ids=["greet", "pay"])
async def test_each_round_of_questions_is_worked_on_once(serve: Make, made: Any) -> None:
    """The key is that of the whole call: a client sends it with each round."""
    server = serve(made)
    asked = [await call(server, made.name) for _ in range(2)]
    assert [each.requests.keys() for each in asked] == [{"who"}] * 2
    assert worked() == 1
    answers = {"who": accepted(name="Ann")}
    ended = [await call(server, made.name, answers, asked[0].state) for _ in range(2)]
    assert len({each.text for each in ended}) == 1
    assert ended[0].text.endswith(" 2")
    assert worked() == 2
    refused = await call(server, made.name, {"who": accepted(name="Bob")}, asked[0].state)
    assert refused.error["data"]["code"] == "idempotency_key_reused"
    # What the repetition gave out is as good as the first.
    assert (await call(server, made.name, answers, asked[1].state)).text.endswith(" 3")


# --- tasks -----------------------------------------------------------------------------------------------------------


async def get(server: Server, task: str) -> dict[str, Any]:
    return (await server.request("tasks/get", {"taskId": task}, can=TASKS, patience=10_000)).result


@on_loop_clock
async def test_a_task_is_found_again(stage: Callable[..., Server]) -> None:
    server = stage(must)
    found = [(await call(server, "must", can=TASKS)).result for _ in range(3)]
    assert len({each["taskId"] for each in found}) == 1
    await asyncio.sleep(601)
    again = (await call(server, "must", can=TASKS)).result
    assert again["taskId"] == found[0]["taskId"]
    assert (await get(server, again["taskId"]))["result"]["content"][0]["text"] == "1"
    assert worked() == 1
    await close(server)


@on_loop_clock
async def test_a_call_that_might_have_been_a_task_and_ended_before(stage: Callable[..., Server]) -> None:
    server = stage(may)
    said = [await call(server, "may", can=TASKS) for _ in range(2)]
    assert [each.text for each in said] == ["1", "1"]
    await close(server)


@on_loop_clock
async def test_who_leaves_before_there_is_a_task_finds_it(stage: Callable[..., Server]) -> None:
    server = stage(may)
    leaving = asyncio.create_task(call(server, "may", arguments={"seconds": 60}, can=TASKS))
    await asyncio.sleep(0.2)
    leaving.cancel()
    await asyncio.wait({leaving})
    found = (await call(server, "may", arguments={"seconds": 60}, can=TASKS)).result
    assert found["status"] == "working"
    await asyncio.sleep(60)
    assert (await get(server, found["taskId"]))["result"]["content"][0]["text"] == "1"
    assert worked() == 1
    await close(server)


@on_loop_clock
async def test_a_call_that_becomes_a_task_is_the_same_for_all_who_asked(stage: Callable[..., Server]) -> None:
    server = stage(long)
    began = asyncio.get_running_loop().time()
    first = asyncio.create_task(call(server, "long", can=TASKS))
    await asyncio.sleep(50)
    second = await call(server, "long", can=TASKS)
    assert asyncio.get_running_loop().time() - began == pytest.approx(115), "by the run's cap, not by its own"
    tasks = {(await first).result["taskId"], second.result["taskId"]}
    tasks.add((await call(server, "long", can=TASKS)).result["taskId"])
    assert len(tasks) == 1
    await asyncio.sleep(600)
    assert (await get(server, tasks.pop()))["status"] == "completed"
    assert worked() == 1
    await close(server)


@on_loop_clock
async def test_it_becomes_a_task_although_the_first_has_left(stage: Callable[..., Server]) -> None:
    server = stage(long)
    leaving = asyncio.create_task(call(server, "long", can=TASKS))
    await asyncio.sleep(90)
    leaving.cancel()
    await asyncio.wait({leaving})
    await asyncio.sleep(10)
    said = await call(server, "long", can=TASKS)
    assert said.result["resultType"] == "task"
    await asyncio.sleep(600)
    assert (await get(server, said.result["taskId"]))["status"] == "completed"
    await close(server)


async def test_whether_tasks_are_declared_makes_another_call(serve: Make) -> None:
    server = serve(book)
    await call(server, "book")
    refused = await call(server, "book", can=TASKS)
    assert refused.error["data"]["code"] == "idempotency_key_reused"


# --- with a session --------------------------------------------------------------------------------------------------

REVISIONS = ("2025-03-26", "2025-06-18", "2025-11-25")


async def ask(client: Client, name: str, id_: int, key: str | None = KEY, **meta: Any) -> Any:
    """The message that answers a tools/call; the messages before it are dropped."""
    params = {"name": name, "arguments": {}, "_meta": meta if key is None else {NAME: key, **meta}}
    answer = await client.post({"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params})
    if isinstance(answer.body, bytes):
        return json.loads(answer.body)
    *_, last = [message async for message in client._messages(answer.body) if "method" not in message][:1]
    answer.body.close()
    return last


@pytest.mark.parametrize("version", REVISIONS)
async def test_in_a_session_and_in_the_next_one(serve: Make, version: str) -> None:
    server = serve(book, fails)
    client = await connect(server, version=version)
    answers = [await ask(client, "book", id_) for id_ in (11, 12)]
    answers.append(await ask(await connect(server, version=version), "book", 13))
    assert [each["id"] for each in answers] == [11, 12, 13]
    assert {each["result"]["content"][0]["text"] for each in answers} == {"1 seats, booking 1"}
    refused = await ask(client, "fails", 14)
    assert refused["error"]["data"]["code"] == "idempotency_key_reused"
    assert (await ask(client, "book", 15, key="short"))["error"]["data"]["code"] == "invalid_request"
    assert worked() == 1


@on_loop_clock
async def test_a_lost_stream_of_a_session_is_asked_for_again(stage: Callable[..., Server]) -> None:
    server = stage(steps)
    client = await connect(server)
    params = {"name": "steps", "arguments": {}, "_meta": {NAME: KEY, "progressToken": "p"}}
    first = await client.post({"jsonrpc": "2.0", "id": 11, "method": "tools/call", "params": params})
    assert isinstance(first.body, Frames)
    await anext(first.body)
    again = await client.post({"jsonrpc": "2.0", "id": 12, "method": "tools/call", "params": params})
    assert isinstance(again.body, Frames)
    raw = b"".join([chunk async for chunk in again.body])
    assert b"\nid: " not in raw, "the ids are those of the first stream"
    assert raw.count(b"notifications/progress") >= 3
    assert b'"id":12,"result"' in raw
    rest = b"".join([chunk async for chunk in first.body])
    assert b'"result"' not in rest, "the stream before has ended: each message goes out once"
    first.body.close()
    again.body.close()
    assert worked() == 1
    await close(server)


@pytest.mark.parametrize("version", REVISIONS[1:])
async def test_what_was_asked_and_not_answered_is_asked_again_and_nothing_else(serve: Make, version: str) -> None:
    @tool
    async def two(ctx: Context) -> str:
        next(calls)
        first = await ctx.ask(Name, "First?", key="first")
        second = await ctx.ask(Name, "Second?", key="second")
        return f"{first.name} {second.name}"

    server = serve(two)
    client = await connect(server, version=version)
    message = {
        "jsonrpc": "2.0",
        "method": "tools/call",
        "params": {"name": "two", "arguments": {}, "_meta": {NAME: KEY}},
    }
    first = await client.post({**message, "id": 11})
    assert isinstance(first.body, Frames)
    asked = await question(client._messages(first.body))
    await client.respond(asked, {"action": "accept", "content": {"name": "Ann"}})
    again = await client.post({**message, "id": 12})
    assert isinstance(again.body, Frames)
    messages = client._messages(again.body)
    asked = await question(messages)
    assert asked["params"]["message"] == "Second?"
    await client.respond(asked, {"action": "accept", "content": {"name": "Bob"}})
    assert (await result(messages))["content"][0]["text"] == "Ann Bob"
    first.body.close()
    again.body.close()
    assert worked() == 1


async def test_pages_that_were_to_be_opened_are_no_result(serve: Make) -> None:
    """-32042 says: open them, and send the request again. The key is that of the whole."""

    @tool
    async def shows(ctx: Context) -> str:
        next(calls)
        await ctx.ask_url("https://example.com/page", "Look", key="page")
        return "seen"

    server = serve(shows)
    client = await connect(server)
    params = {"name": "shows", "arguments": {}, "_meta": {NAME: KEY}}
    message = {"jsonrpc": "2.0", "id": 11, "method": "tools/call", "params": params}
    answers = [await client.post({**message, "id": id_}, accept="application/json") for id_ in (11, 12, 13)]
    said = [json.loads(answer.body) for answer in answers]  # type: ignore[arg-type]
    assert said[0]["error"]["code"] == -32042
    assert [each["result"]["content"][0]["text"] for each in said[1:]] == ["seen"] * 2
    assert worked() == 2
