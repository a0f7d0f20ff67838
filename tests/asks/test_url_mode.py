"""Pages to open: 2025-11-25 and 2026-07-28, client/elicitation, URL Mode."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asks_stage
import pytest
from asks_session import Client, connect, question, result
from asks_stage import ALL, SECONDS, Server, accepted
from mcp_types.methods import parse_server_notification, parse_server_request
from pydantic import BaseModel

from mcp_app import Context, ToolDefinitionError, Visits, tool
from mcp_app.asking import CallState, UrlReferrals
from mcp_app.asking.by_url import MAX_REFERRALS, REFERRAL_SECONDS
from mcp_app.asking.form import requested_schema
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Request

Make = Callable[..., Server]
PAGE = "https://example.com/connect?from=mcp"
ACCEPT = {"action": "accept"}
COMPLETE = "notifications/elicitation/complete"
TASKS = {**ALL, "extensions": {"io.modelcontextprotocol/tasks": {}}}


class Name(BaseModel):
    name: str


class Follower:
    """Polls a task, as a client of 2026-07-28 that can follow it."""

    def __init__(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = server
        names = {**asks_stage._NAMES, "tasks/get": "taskId", "tasks/update": "taskId"}
        monkeypatch.setattr(asks_stage, "_NAMES", names)
        monkeypatch.setattr(asks_stage, "validate_server_result", lambda *_: None)  # its schema knows no tasks

    async def ask(self, method: str, task: str, **more: Any) -> Any:
        return (await self.server.request(f"tasks/{method}", {"taskId": task, **more}, can=TASKS)).result

    async def until(self, task: str, status: str = "completed") -> Any:
        for _ in range(int(SECONDS / 0.01)):
            found = await self.ask("get", task)
            if found["status"] == status:
                return found
            await asyncio.sleep(0.01)
        raise AssertionError(f"it is {found['status']}")


async def opens(ctx: Context) -> str:
    await ctx.ask_url(PAGE, "Log in")
    return "opened"


async def form(ctx: Context) -> str:
    return (await ctx.ask(Name, "Name?")).name


def visiting(visits: Visits) -> Callable[..., Any]:
    async def visit(ctx: Context) -> str:
        await ctx.ask_url(PAGE, "Log in", until=visits)
        return "logged in"

    return visit


def id_of(url: str) -> str:
    """The visit's, in the page's URL, which is otherwise as the author wrote it."""
    query = parse_qs(urlsplit(url).query)
    assert query.pop("from") == ["mcp"]
    [found] = query.pop("elicitationId")
    assert not query
    assert len(found) == 32
    return found


async def json_call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """A call of a client that takes only JSON."""
    params = {"name": tool, "arguments": arguments}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    answer = await client.post(call, "application/json")
    assert answer.status == 200
    assert isinstance(answer.body, bytes)
    message: dict[str, Any] = json.loads(answer.body)
    assert message["id"] == 2
    return message


async def own_stream(client: Client) -> AsyncIterator[dict[str, Any]]:
    """The messages of the session's own stream."""
    headers = {"host": "127.0.0.1:8000", "accept": "text/event-stream", "mcp-session-id": client.session or ""}
    answer = await client.server.endpoint.answer(Request("GET", "/mcp", headers=headers, server=("127.0.0.1", 8000)))
    assert isinstance(answer.body, Frames)
    try:
        async for message in client._messages(answer.body):
            yield message
    finally:
        answer.body.close()


# --- a client that takes no stream: -32042 ---------------------------------------------------------------------------


async def test_who_takes_only_json_is_told_what_to_open_and_calls_again(serve: Make) -> None:
    client = await connect(serve(opens))
    first = await json_call(client, "opens")
    assert first["error"]["code"] == -32042
    [page] = first["error"]["data"]["elicitations"]
    parse_server_request("elicitation/create", "2025-11-25", page)
    id_ = page.pop("elicitationId")
    assert len(id_) == 32
    assert page == {"mode": "url", "url": PAGE, "message": "Log in"}
    assert (await json_call(client, "opens"))["result"]["content"][0]["text"] == "opened"
    again = await json_call(client, "opens")  # another call, that nobody has opened a page for
    assert again["error"]["data"]["elicitations"][0]["elicitationId"] != id_


async def test_a_call_with_other_parameters_or_of_another_session_is_another(serve: Make) -> None:
    async def connects(site: str, ctx: Context) -> str:
        await ctx.ask_url(PAGE, "Log in")
        return site

    server = serve(connects)
    client, other = await connect(server), await connect(server)
    assert (await json_call(client, "connects", site="a"))["error"]["code"] == -32042
    assert (await json_call(client, "connects", site="b"))["error"]["code"] == -32042
    assert (await json_call(other, "connects", site="a"))["error"]["code"] == -32042
    assert (await json_call(client, "connects", site="a"))["result"]["content"][0]["text"] == "a"


async def test_it_is_the_same_call_however_its_arguments_are_written(serve: Make) -> None:
    async def connects(number: int, ctx: Context, more: int = 1) -> int:
        await ctx.ask_url(PAGE, "Log in")
        return number + more

    client = await connect(serve(connects))
    assert (await json_call(client, "connects", number="5", more=None))["error"]["code"] == -32042
    assert (await json_call(client, "connects", number=5))["result"]["content"][0]["text"] == "6"


async def test_all_that_is_to_be_opened_is_in_one_error_and_what_was_made_once_is_kept(serve: Make) -> None:
    made: list[int] = []

    async def several(ctx: Context) -> str:
        await ctx.once("order", lambda: made.append(1))
        await asyncio.gather(ctx.ask_url(PAGE, "One"), ctx.ask_url(PAGE, "Two"))
        await ctx.ask_url(PAGE, "Three")
        return "all"

    client = await connect(serve(several))
    rounds = []
    while "error" in (message := await json_call(client, "several")):
        rounds.append([each["message"] for each in message["error"]["data"]["elicitations"]])
    assert rounds == [["One", "Two"], ["Three"]]
    assert message["result"]["content"][0]["text"] == "all"
    assert made == [1]


async def test_until_the_page_is_done_with_the_same_one_is_asked_for(serve: Make) -> None:
    visits = Visits()
    client = await connect(serve(visiting(visits)))
    own = own_stream(client)
    listening = asyncio.ensure_future(anext(own))
    ids = set()
    for _ in range(3):
        [page] = (await json_call(client, "visit"))["error"]["data"]["elicitations"]
        assert page["elicitationId"] == id_of(page["url"])
        ids.add(page["elicitationId"])
    [id_] = ids
    found = visits.find(id_)
    assert found is not None
    assert (found.principal, found.completed) == ("anonymous", False)
    assert not visits.complete("f" * 32)
    assert visits.find(id_, "anonymous") is found
    assert visits.find(id_, "eve") is None  # as of a visit that never was
    assert not visits.complete(id_, "eve")
    assert not found.completed
    assert visits.complete(id_)
    assert visits.complete(id_)  # twice is told once
    told = await asyncio.wait_for(listening, SECONDS)
    assert told == {"jsonrpc": "2.0", "method": COMPLETE, "params": {"elicitationId": id_}}
    parse_server_notification(COMPLETE, "2025-11-25", told["params"])
    assert (await json_call(client, "visit"))["result"]["content"][0]["text"] == "logged in"
    assert (await json_call(client, "visit"))["error"]["data"]["elicitations"][0]["elicitationId"] != id_
    await own.aclose()  # type: ignore[attr-defined]


async def test_only_who_asked_is_told(serve: Make) -> None:
    visits = Visits()
    server = serve(visiting(visits))
    client, other = await connect(server), await connect(server)
    [page] = (await json_call(client, "visit"))["error"]["data"]["elicitations"]
    visits.complete(page["elicitationId"])
    await asyncio.sleep(0.05)
    last = {each.id: each.outbox.last for each in server.endpoint.sessions._sessions.values()}
    assert last == {client.session: 1, other.session: 0}


@pytest.mark.parametrize(
    ("version", "can"),
    [
        ("2025-11-25", {}),
        ("2025-11-25", {"elicitation": {}}),
        ("2025-11-25", {"elicitation": {"form": {}}}),
        ("2025-06-18", ALL),
        ("2025-03-26", ALL),
        ("2024-11-05", ALL),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "application/json, text/event-stream"])
async def test_who_did_not_declare_it_is_never_sent_to_a_page(serve: Make, version: str, can: Any, accept: str) -> None:
    """ "MUST NOT send elicitation requests with modes that are not supported by the client"."""
    client = await connect(serve(opens), can=can, version=version)
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "opens", "arguments": {}}}
    answer = await client.post(call, accept)
    assert isinstance(answer.body, bytes)
    said = json.loads(answer.body)["result"]
    assert said["isError"] is True
    assert "elicitation.url" in said["content"][0]["text"]


@pytest.mark.parametrize("modes", [{}, {"form": {}}, {"form": {}, "url": {}}])
async def test_a_form_goes_to_who_declared_forms(serve: Make, modes: Any) -> None:
    client = await connect(serve(form), can={"elicitation": modes})
    async with client.call("form") as messages:
        await client.respond(await question(messages), accepted(name="Ann"))
        assert (await result(messages))["content"][0]["text"] == "Ann"


async def test_no_form_goes_to_who_declared_pages_alone(serve: Make) -> None:
    client = await connect(serve(form), can={"elicitation": {"url": {}}})
    for _ in range(2):
        assert (await json_call(client, "form"))["result"]["isError"] is True


async def test_a_client_that_refuses_a_mode_it_declared_is_no_answer(serve: Make) -> None:
    """Clients answer -32602 to a mode that they did not declare; one that did and says so all the same is wrong."""
    client = await connect(serve(opens))
    async with client.call("opens") as messages:
        await client.respond(await question(messages), error={"code": -32602, "message": "no such mode"})
        failed = await result(messages)
    assert failed["isError"] is True
    assert "no such mode" in failed["content"][0]["text"]


# --- a client that is asked on the call's stream ---------------------------------------------------------------------


async def test_a_call_waits_for_its_page_and_says_that_it_is_done(serve: Make) -> None:
    visits = Visits()
    client = await connect(serve(visiting(visits)))
    async with client.call("visit") as messages:
        asked = await question(messages)
        id_ = asked["params"]["elicitationId"]
        assert id_ == id_of(asked["params"]["url"])
        assert id_ != asked["id"]
        await client.respond(asked, ACCEPT)
        await asyncio.sleep(0.05)
        assert visits.complete(id_)
        assert await anext(messages) == {"jsonrpc": "2.0", "method": COMPLETE, "params": {"elicitationId": id_}}
        assert (await result(messages))["content"][0]["text"] == "logged in"
    assert client.server.endpoint.sessions._sessions[client.session or ""].outbox.last == 0  # one stream only


async def test_a_page_may_be_done_before_the_client_answers(serve: Make) -> None:
    visits = Visits()
    client = await connect(serve(visiting(visits)))
    async with client.call("visit") as messages:
        asked = await question(messages)
        visits.complete(asked["params"]["elicitationId"])
        await asyncio.sleep(0.05)
        await client.respond(asked, ACCEPT)
        assert (await result(messages))["content"][0]["text"] == "logged in"


async def test_who_declines_is_not_waited_for(serve: Make) -> None:
    visits = Visits()
    client = await connect(serve(visiting(visits)))
    async with client.call("visit") as messages:
        await client.respond(await question(messages), {"action": "decline"})
        assert (await result(messages))["isError"] is True


async def test_a_page_that_is_done_after_its_call_is_told_on_the_sessions_stream(serve: Make) -> None:
    visits = Visits()
    client = await connect(serve(visiting(visits)))
    async with client.call("visit") as messages:
        asked = await question(messages)
        await client.respond(asked, ACCEPT)
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 2}}
        await client.post(cancelled)
        async for message in messages:
            if "error" in message:
                break
    await asyncio.sleep(0.05)
    own = own_stream(client)
    listening = asyncio.ensure_future(anext(own))
    await asyncio.sleep(0)
    visits.complete(asked["params"]["elicitationId"])
    assert (await asyncio.wait_for(listening, SECONDS))["method"] == COMPLETE
    await own.aclose()  # type: ignore[attr-defined]


async def test_a_plain_function_sends_its_user_too_and_a_thread_may_complete(serve: Make) -> None:
    visits = Visits()

    def slow(ctx: Context) -> str:
        ctx.wait(ctx.ask_url(PAGE, "Log in", until=visits))
        return "logged in"

    client = await connect(serve(slow))
    async with client.call("slow") as messages:
        asked = await question(messages)
        await client.respond(asked, ACCEPT)
        page = threading.Thread(target=visits.complete, args=(asked["params"]["elicitationId"],))
        page.start()
        assert (await result(messages))["content"][0]["text"] == "logged in"
    page.join(SECONDS)


# --- 2026-07-28 ------------------------------------------------------------------------------------------------------


async def test_in_2026_the_call_comes_again_and_waits_for_its_page(serve: Make) -> None:
    visits = Visits()
    server = serve(visiting(visits))
    for accept in ("application/json", "application/json, text/event-stream"):
        asked = await server.call("visit", accept=accept)
        [(key, page)] = asked.requests.items()
        assert "elicitationId" not in page["params"]  # which that revision does not have
        id_ = id_of(page["params"]["url"])
        waiting = asyncio.create_task(server.call("visit", {key: ACCEPT}, asked.state, accept=accept))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        visits.complete(id_)
        said = await waiting
        assert said.text == "logged in"
        assert said.before == ()  # no notification either


async def test_in_2026_nothing_is_32042(serve: Make) -> None:
    asked = await serve(opens).call("opens", can={"elicitation": {}})
    assert asked.error["code"] == -32021


async def test_after_a_restart_the_sealed_state_still_knows_the_page(serve: Make) -> None:
    asked = await serve(visiting(Visits())).call("visit")
    [(key, page)] = asked.requests.items()
    visits = Visits()
    waiting = asyncio.create_task(serve(visiting(visits)).call("visit", {key: ACCEPT}, asked.state))
    id_ = id_of(page["params"]["url"])
    for _ in range(int(SECONDS / 0.01)):
        if visits.complete(id_):
            break
        await asyncio.sleep(0.01)
    assert (await waiting).text == "logged in"


async def test_a_task_waits_for_its_page(serve: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    visits = Visits()
    client = Follower(serve(tool(task="must")(visiting(visits))), monkeypatch)
    task = (await client.server.call("visit", can=TASKS)).result["taskId"]
    [(key, page)] = (await client.until(task, "input_required"))["inputRequests"].items()
    await client.ask("update", task, inputResponses={key: ACCEPT})
    await client.until(task, "working")
    visits.complete(id_of(page["params"]["url"]))
    assert (await client.until(task))["result"]["content"][0]["text"] == "logged in"


# --- what is kept, and never asked -----------------------------------------------------------------------------------


async def test_visits_are_forgotten_after_their_time_and_beyond_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    visits = Visits(clock=lambda: now)
    first = visits.begin("1", "alice")
    assert visits.begin("1", "alice") is first
    now = 3599.0
    visits.begin("2", "alice")
    assert visits.find("1") is first
    now = 3600.0
    assert visits.find("1") is None
    assert not visits.complete("1")
    monkeypatch.setattr("mcp_app.asking.visits.MAX_VISITS", 2)
    visits.begin("3", "bob")
    visits.begin("4", "bob")
    assert len(visits) == 2
    assert visits.find("2") is None


async def test_referrals_are_forgotten_after_their_time_and_beyond_their_number() -> None:
    now = 0.0
    referrals = UrlReferrals(lambda: now)
    for each in range(MAX_REFERRALS + 1):
        await referrals.keep(str(each), CallState())
    assert len(referrals) == MAX_REFERRALS
    assert await referrals.take("0") is None
    assert await referrals.take("1") is not None
    assert await referrals.take("1") is None  # one call for one referral
    now = REFERRAL_SECONDS
    assert await referrals.take("2") is None


@pytest.mark.parametrize(
    "name", ["password", "newPassword", "user_password", "api_key", "access_token", "secret", "card_number", "cvv"]
)
def test_no_form_asks_for_a_secret(name: str) -> None:
    """ "Servers MUST NOT use form mode elicitation to request sensitive information"."""
    model = type("Form", (BaseModel,), {"__annotations__": {name: str}})
    with pytest.raises(ToolDefinitionError, match="ask_url"):
        requested_schema(model)


@pytest.mark.parametrize("name", ["name", "email", "secretary", "tokens", "secret_santa", "key", "passport", "card"])
def test_what_only_sounds_like_one_is_asked_for(name: str) -> None:
    model = type("Form", (BaseModel,), {"__annotations__": {name: str}})
    assert list(requested_schema(model)["properties"]) == [name]
