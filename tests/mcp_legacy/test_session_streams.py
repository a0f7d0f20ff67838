"""Streams of a session: leaving, coming back, what the cap means, and what the server says by itself.

2025-11-25, Transports: Sending Messages, Listening, Multiple Connections, Resumability and Redelivery.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from legacy_client import STREAM, Client, Events, Stage, decoded
from loop_clock import on_loop_clock
from pydantic import BaseModel

from mcp_app import Context, tool
from mcp_app.protocol.access import ANONYMOUS


async def started(client: Client, n: int = 3) -> Events:
    """A call of `steps` that wants progress."""
    return Events(await client.tool("steps", token="t", n=n))


def numbers(messages: list[Any]) -> list[float]:
    """The progress in notifications."""
    return [each["params"]["progress"] for each in messages if "params" in each]


# --- a request's stream ----------------------------------------------------------------------------------------------


async def test_a_stream_of_2025_11_25_is_primed(stage: Stage) -> None:
    client = await stage.client()
    events = await started(client)
    first = await events.next()
    assert first is not None
    assert (first.data, first.retry) == ("", None), "retry is for the end of a stream: Java clients drop one at it"
    assert events.raw.startswith(b": open\nid: ")
    assert re.fullmatch(r"[0-9a-f]{32}/0", first.id)
    stage.steps.release()
    second = await events.next()
    assert second is not None
    assert second.id.startswith(first.id[:33])
    assert second.id != first.id


@pytest.mark.parametrize("version", ["2025-06-18", "2025-03-26", "2024-11-05"])
async def test_older_clients_get_no_event_without_data(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    events = await started(client, n=1)
    stage.steps.release()
    stage.steps.release()
    first = await events.next()
    assert first is not None
    assert first.data
    assert first.id  # which they can come back with all the same
    assert first.retry is None
    await events.rest()
    assert b"data: \n" not in events.raw


async def test_leaving_is_not_cancelling_and_nothing_is_lost(stage: Stage) -> None:
    client = await stage.client()
    events = await started(client)
    await events.next()
    stage.steps.release()
    seen = await events.next()
    assert seen is not None
    events.leave()
    for _ in range(3):
        stage.steps.release()
    rest = await Events(await client.get(seen.id)).rest()
    assert numbers(rest) == [2, 3]
    assert rest[-1]["id"] == client.ids
    assert rest[-1]["result"]["structuredContent"] == {"n": 3}
    assert not stage.cancelled.is_set()


async def test_what_was_sent_to_nobody_is_sent_again(stage: Stage) -> None:
    client = await stage.client()
    events = await started(client)
    primer = await events.next()
    assert primer is not None
    for _ in range(4):
        stage.steps.release()
    lost = await events.rest()
    again = await Events(await client.get(primer.id)).rest()
    assert again == lost
    assert await Events(await client.get(primer.id)).rest() == lost


async def test_nothing_is_left_after_the_response(stage: Stage) -> None:
    client = await stage.client()
    events = await started(client, n=0)
    stage.steps.release()
    last = ""
    while (event := await events.next()) is not None:
        last = event.id
    assert (await client.get(last)).status == 204


async def test_two_requests_are_two_streams(stage: Stage) -> None:
    client = await stage.client()
    first, second = await started(client, n=1), await started(client, n=1)
    one, two = await first.next(), await second.next()
    assert one is not None
    assert two is not None
    assert one.id != two.id
    for _ in range(4):
        stage.steps.release()
    [_, response] = await first.rest()
    assert response["id"] == client.ids - 1
    [_, response] = await Events(await client.get(two.id)).rest()
    assert response["id"] == client.ids


@pytest.mark.parametrize("last_event_id", ["x", "0" * 32 + "/1", "0" * 32, "1/1", "0" * 32 + "/-1"])
async def test_an_event_id_of_nothing_is_400(stage: Stage, last_event_id: str) -> None:
    client = await stage.client()
    assert (await client.get(last_event_id)).status == 400


async def test_streams_are_of_one_session(stage: Stage) -> None:
    client, other = await stage.client(), await stage.client()
    event = await (await started(client)).next()
    assert event is not None
    assert (await other.get(event.id)).status == 400
    own = await Events(await client.get()).next()
    assert own is not None
    assert (await other.get(own.id)).status == 400
    assert (await client.get(event.id.replace("/0", "/99"))).status == 400
    assert (await client.get(own.id.replace("/0", "/99"))).status == 400


@on_loop_clock
async def test_at_the_cap_a_stream_of_2025_11_25_ends_and_the_run_goes_on() -> None:
    stage = Stage(cap_seconds=10)
    client = await stage.client()
    events = await started(client, n=1)
    assert await events.rest() == []
    assert re.search(rb": cap\n+id: \S+\nretry: 1000\ndata: \n\n\Z", events.raw)
    assert events.raw.count(b"retry:") == 1
    assert stage.runs.working == 1
    last = re.findall(rb"id: (\S+)", events.raw)[-1].decode()
    again = Events(await client.get(last))
    stage.steps.release()
    stage.steps.release()
    rest = await again.rest()
    assert numbers(rest) == [1]
    assert rest[-1]["result"]["structuredContent"] == {"n": 1}
    await stage.close()


@on_loop_clock
async def test_at_the_cap_an_older_request_ends_with_an_error() -> None:
    stage = Stage(cap_seconds=10)
    client = await stage.client("2025-06-18")
    [last] = [each for each in await Events(await client.tool("steps", n=1)).rest() if "id" in each]
    assert last["error"]["data"]["code"] == "time_cap"
    assert stage.runs.working == 0
    await stage.close()


@on_loop_clock
async def test_at_the_cap_json_alone_ends_with_an_error() -> None:
    stage = Stage(cap_seconds=5)
    client = await stage.client()
    params = {"name": "steps", "arguments": {"n": 1}}
    answer = await client.request("tools/call", params, accept="application/json")
    assert decoded(answer)["error"]["data"]["code"] == "time_cap"
    assert stage.runs.working == 0
    await stage.close()


async def test_partial_results_are_counted_once_when_somebody_comes_back_for_them(stage: Stage) -> None:
    @tool
    async def parts() -> Any:
        """Three parts."""
        for part in ("a", "b", "c"):
            await stage.steps.acquire()
            yield part

    stage.tools.add(parts)
    client = await stage.client()
    events = Events(await client.tool("parts", token="t"))
    primer = await events.next()
    assert primer is not None
    stage.steps.release()
    await events.next()
    other = Events(await client.get(primer.id))
    stage.steps.release()
    stage.steps.release()
    rest = await other.rest()
    assert rest[-1]["result"]["content"] == [{"type": "text", "text": part} for part in ("a", "b", "c")]
    assert len(numbers(rest)) == 3
    assert sorted(set(numbers(rest))) == numbers(rest)  # "MUST increase with each notification"
    assert await events.rest() == []  # each message on only one of the connected streams


# --- the session's own stream ----------------------------------------------------------------------------------------


async def test_changes_are_told_on_the_sessions_stream(stage: Stage) -> None:
    @tool
    async def another() -> None:
        """Another."""

    client = await stage.client()
    events = Events(await client.get())
    await events.next()
    stage.tools.add(another)
    assert await events.message() == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    await client.result("resources/subscribe", {"uri": "test://text"})
    stage.resources.updated("test://text")
    assert await events.message() == {
        "jsonrpc": "2.0",
        "method": "notifications/resources/updated",
        "params": {"uri": "test://text"},
    }
    await client.result("resources/unsubscribe", {"uri": "test://text"})
    stage.resources.updated("test://text")
    stage.tools.remove(another)
    assert (await events.message())["method"] == "notifications/tools/list_changed"


async def test_what_changed_is_told_by_the_uri_that_the_client_wrote(stage: Stage) -> None:
    """Clients compare it with the one they sent, as text; that "TEST:" and "%74" are the same they do not know."""
    client, other = await stage.client(), await stage.client()
    events = Events(await client.get())
    await events.next()
    spelt = ["TEST://text", "test://%74ext"]
    for uri in (*spelt, spelt[0]):
        await client.result("resources/subscribe", {"uri": uri})
    await other.result("resources/subscribe", {"uri": "test://text"})
    stage.resources.updated("test://text")
    assert [(await events.message())["params"] for _ in spelt] == [{"uri": uri} for uri in spelt]
    await client.result("resources/unsubscribe", {"uri": spelt[0]})
    await client.result("resources/unsubscribe", {"uri": "test://text"})  # which it never subscribed to
    stage.resources.updated("test://text")
    assert (await events.message())["params"] == {"uri": spelt[1]}
    await client.result("resources/unsubscribe", {"uri": spelt[1]})
    stage.resources.updated("test://text")
    await asyncio.sleep(0)
    stage.endpoint.sessions.list_changed("tools")
    assert (await events.message())["method"] == "notifications/tools/list_changed"
    others = Events(await other.get())
    await others.next()
    assert {(await others.message())["params"]["uri"] for _ in range(3)} == {"test://text"}


async def test_a_session_is_told_of_so_many_resources_and_not_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_app.dialects.mcp.sessions.session_record.MAX_SUBSCRIPTIONS", 2)
    client = await stage.client()
    for uri in ("test://text", "TEST://text"):
        await client.result("resources/subscribe", {"uri": uri})
    refused = decoded(await client.request("resources/subscribe", {"uri": "Test://text"}))
    assert refused["error"]["data"]["code"] == "overloaded"
    assert await client.result("resources/subscribe", {"uri": "TEST://text"}) == {}


async def test_what_nobody_heard_is_kept_and_told_once(stage: Stage) -> None:
    client = await stage.client()
    stage.endpoint.sessions.list_changed("tools")
    events = Events(await client.get())
    primer = await events.next()
    assert (await events.message())["method"] == "notifications/tools/list_changed"
    events.leave()
    stage.endpoint.sessions.list_changed("prompts")
    assert primer is not None
    # Without Last-Event-ID it goes on where the last one was, with it where that says.
    fresh = Events(await client.get())
    await fresh.next()
    assert (await fresh.message())["method"] == "notifications/prompts/list_changed"
    again = Events(await client.get(primer.id))
    await again.next()
    assert [(await again.message())["method"] for _ in range(2)] == [
        "notifications/tools/list_changed",
        "notifications/prompts/list_changed",
    ]


async def test_each_message_goes_to_one_stream_only(stage: Stage) -> None:
    client, other = await stage.client(), await stage.client()
    first = Events(await client.get())
    await first.next()
    second = Events(await client.get())
    await second.next()
    elsewhere = Events(await other.get())
    await elsewhere.next()
    stage.endpoint.sessions.list_changed("tools")
    assert (await second.message())["method"] == "notifications/tools/list_changed"
    assert (await elsewhere.message())["method"] == "notifications/tools/list_changed"
    assert await first.next() is None


async def test_a_session_that_is_not_initialized_is_told_nothing(stage: Stage) -> None:
    session = await stage.endpoint.sessions.begin(ANONYMOUS)
    stage.endpoint.sessions.list_changed("tools")
    await asyncio.sleep(0)
    assert session.outbox.last == 0


async def test_delete_ends_the_sessions_stream(stage: Stage) -> None:
    client = await stage.client()
    events = Events(await client.get())
    await events.next()
    await client.delete()
    assert await events.next() is None


async def test_the_sessions_stream_must_be_taken(stage: Stage) -> None:
    client = await stage.client()
    assert (await client.get(accept="application/json")).status == 406
    assert (await client.get(accept="*/*")).status == 200


@on_loop_clock
async def test_at_the_cap_the_sessions_stream_ends_and_is_come_back_to() -> None:
    stage = Stage(cap_seconds=20, heartbeat_seconds=5)
    client = await stage.client()
    events = Events(await client.get())
    assert await events.rest() == []
    assert events.raw.count(b":\n") == 3  # 5, 10 and 15 s
    assert events.raw.endswith(b"retry: 1000\ndata: \n\n")
    assert events.raw.count(b"retry:") == 1
    assert decoded(await client.request("ping"))["result"] == {}
    await stage.close()


# --- how long a session lasts ----------------------------------------------------------------------------------------


@on_loop_clock
async def test_an_idle_session_ends() -> None:
    stage = Stage(session_idle_seconds=60)
    idle, used = await stage.client(), await stage.client()
    for _ in range(3):
        await asyncio.sleep(30)
        await used.result("ping")
    assert (await idle.request("ping")).status == 404
    await asyncio.sleep(61)
    assert (await used.request("ping")).status == 404
    assert len(stage.endpoint.sessions) == 0
    assert len(stage.log) == 0
    await stage.close()


@on_loop_clock
async def test_a_session_that_is_worked_for_is_not_idle() -> None:
    stage = Stage(session_idle_seconds=60, cap_seconds=1000, run_life_seconds=1000)
    client = await stage.client()
    events = await started(client, n=0)
    await asyncio.sleep(200)
    stage.steps.release()
    assert [each["id"] for each in await events.rest() if "id" in each] == [client.ids]
    assert await client.result("ping") == {}
    events.leave()
    await asyncio.sleep(121)
    assert (await client.request("ping")).status == 404
    await stage.close()


async def test_a_run_that_is_followed_in_the_plain_dialect_shows_no_questions(stage: Stage) -> None:
    """What a session's client is asked has an id, by which whoever saw it could answer."""

    class Name(BaseModel):
        name: str

    @tool
    async def asks(ctx: Context) -> str:
        await ctx.progress(1, 2, "before")
        await ctx.let_go()
        return (await ctx.ask(Name, "Who?")).name

    stage.tools.add(asks)
    client = await stage.client(elicitation={})
    events = Events(await client.tool("asks", token="t"))
    while (event := await events.next()) is not None and "progress" not in event.data:
        pass
    assert event is not None
    run = event.id.partition("/")[0]
    followed = Events(await stage.ask("GET", path=f"/api/v1/mcp/runs/{run}/events", accept=STREAM))
    again = Events(await client.get(f"{run}/2"))
    while (event := await again.next()) is not None and not event.data:
        pass  # the event that a stream of this revision begins with
    assert event is not None
    asked = json.loads(event.data)
    assert asked["method"] == "elicitation/create"
    await client.post({"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": {"name": "Ada"}}})
    seen = await followed.rest()
    assert [each["type"] for each in seen] == ["started", "progress", "complete"]
    assert seen[-1]["data"] == "Ada"


async def test_head_says_what_get_would_and_takes_no_stream_from_its_reader(stage: Stage) -> None:
    client = await stage.client()
    own = await client.get()
    listener = await stage.endpoint.sessions.find(client.session, ANONYMOUS)
    assert listener is not None
    before = listener.outbox.listener
    event = await (await started(client)).next()
    assert event is not None
    for last, status in ((None, 200), (event.id, 200), ("x", 400), (event.id.partition("/")[0] + "/99", 400)):
        headers = client._headers({"accept": STREAM, "last_event_id": last})
        head = await stage.ask("HEAD", **headers)
        assert head.status == status
        if last is None:
            assert set(head.headers) == set(own.headers)
        else:
            got = await client.get(last)
            assert (got.status, set(got.headers)) == (
                head.status,
                {field for field in head.headers if field[0] != "Content-Length"},
            )
    assert listener.outbox.listener is before
