"""subscriptions/listen (2026-07-28, Subscriptions): what is acknowledged, what is told, and how it ends."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from listening_client import (
    EVERYTHING,
    SECONDS,
    SUBSCRIPTION_ID,
    Listened,
    first,
    greet,
    request,
    second,
    stage,
    watched,
)
from loop_clock import on_loop_clock

from mcp_app import UnknownResource
from mcp_app.dialects.mcp.stateless import subscriptions
from mcp_app.web.messages import Answer

ACKNOWLEDGED = "notifications/subscriptions/acknowledged"


async def acknowledged(stream: Listened) -> dict[str, Any]:
    message = await stream.next()
    assert message["method"] == ACKNOWLEDGED
    honoured: dict[str, Any] = message["params"]["notifications"]
    return honoured


def refusal(answer: Answer) -> tuple[int, int, Any]:
    """Status, code and id of a JSON-RPC error."""
    assert isinstance(answer.body, bytes)
    body = json.loads(answer.body)
    return answer.status, body["error"]["code"], body["id"]


# --- Acknowledgment --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", [7, 0, "seven"])
async def test_the_acknowledgement_comes_first_and_with_the_first_byte(id: Any) -> None:  # noqa: A002
    async with stage() as here:
        stream = await here.listen(EVERYTHING, id=id)
        [message] = await stream.read()
        assert message == {
            "jsonrpc": "2.0",
            "method": ACKNOWLEDGED,
            "params": {"_meta": {SUBSCRIPTION_ID: id}, "notifications": EVERYTHING},
        }
        assert ("Content-Type", "text/event-stream") in stream.answer.headers


@pytest.mark.parametrize(
    ("wanted", "honoured"),
    [
        ({}, {}),
        ({"toolsListChanged": True}, {"toolsListChanged": True}),
        ({"toolsListChanged": False, "promptsListChanged": True}, {"promptsListChanged": True}),
        ({"toolsListChanged": "yes"}, {}),
        ({"resourceSubscriptions": []}, {}),
        ({"resourceSubscriptions": ["test://watched", "no URI"]}, {"resourceSubscriptions": ["test://watched"]}),
        (
            {"resourceSubscriptions": ["test://watched", "TEST://%77atched"]},
            {"resourceSubscriptions": ["TEST://%77atched"]},
        ),
    ],
)
async def test_what_is_acknowledged_is_what_is_honoured(wanted: Any, honoured: Any) -> None:
    async with stage() as here:
        assert await acknowledged(await here.listen(wanted)) == honoured


async def test_more_resources_than_are_told_of_are_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_URIS", 2)
    async with stage() as here:
        stream = await here.listen({"resourceSubscriptions": ["test://users/1", "test://users/2", "test://users/3"]})
        assert await acknowledged(stream) == {"resourceSubscriptions": ["test://users/1", "test://users/2"]}


# --- Receiving Notifications -----------------------------------------------------------------------------------------


async def test_each_kind_is_told_with_the_id_of_the_subscription() -> None:
    async with stage() as here:
        stream = await here.listen({**EVERYTHING, "resourceSubscriptions": ["test://watched"]})
        await acknowledged(stream)
        meta = {SUBSCRIPTION_ID: 7}
        here.tools.add(second)
        assert await stream.next() == {
            "jsonrpc": "2.0", "method": "notifications/tools/list_changed", "params": {"_meta": meta}
        }  # fmt: skip
        here.prompts.remove(greet)
        assert (await stream.next())["method"] == "notifications/prompts/list_changed"
        here.resources.changed()
        assert (await stream.next())["method"] == "notifications/resources/list_changed"
        here.resources.updated("test://watched")
        assert await stream.next() == {
            "jsonrpc": "2.0",
            "method": "notifications/resources/updated",
            "params": {"_meta": meta, "uri": "test://watched"},
        }


async def test_what_was_not_asked_for_is_not_sent() -> None:
    async with stage() as here:
        stream = await here.listen({"promptsListChanged": True, "resourceSubscriptions": ["test://users/1"]})
        await acknowledged(stream)
        here.tools.add(second)
        here.resources.updated("test://watched")
        here.resources.updated("test://users/2")
        here.resources.remove(watched)
        here.prompts.changed()
        assert (await stream.next())["method"] == "notifications/prompts/list_changed"
        here.resources.updated("test://users/%31")
        assert (await stream.next())["params"]["uri"] == "test://users/1"  # as its client wrote it


async def test_each_subscription_has_its_own_id_and_filter() -> None:
    async with stage() as here:
        one = await here.listen({"toolsListChanged": True}, id="one")
        two = await here.listen({"toolsListChanged": True, "promptsListChanged": True}, id="two")
        for stream in (one, two):
            await acknowledged(stream)
        here.prompts.changed()
        assert (await two.next())["method"] == "notifications/prompts/list_changed"
        here.tools.changed()
        for stream, each in ((one, "one"), (two, "two")):
            message = await stream.next()
            assert message["method"] == "notifications/tools/list_changed"
            assert message["params"]["_meta"] == {SUBSCRIPTION_ID: each}


async def test_a_change_in_a_thread_is_told() -> None:
    async with stage() as here:
        stream = await here.listen(EVERYTHING)
        await acknowledged(stream)
        reading = asyncio.create_task(stream.next())
        await asyncio.sleep(0)
        thread = threading.Thread(target=here.tools.add, args=(second,))
        thread.start()
        thread.join(SECONDS)
        assert (await reading)["method"] == "notifications/tools/list_changed"


async def test_changes_that_were_not_sent_yet_are_one() -> None:
    async with stage() as here:
        stream = await here.listen({**EVERYTHING, "resourceSubscriptions": ["test://watched"]})
        await acknowledged(stream)
        for _ in range(1000):
            here.tools.changed()
            here.resources.updated("test://watched")
        await asyncio.sleep(0)
        assert [each["method"] for each in await stream.read()] == [
            "notifications/tools/list_changed",
            "notifications/resources/updated",
        ]
        here.tools.changed()
        assert (await stream.next())["method"] == "notifications/tools/list_changed"


async def test_a_thousand_changes_of_one_turn_are_one_for_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage() as here:
        told: list[str] = []
        subscriptions = here.endpoint.speaker._subscriptions
        monkeypatch.setattr(subscriptions, "list_changed", lambda kind, _: told.append(kind))
        monkeypatch.setattr(subscriptions, "resource_updated", lambda uri, _: told.append(uri))
        for _ in range(1000):
            here.tools.changed()
            here.resources.updated("test://users/1")
        assert told == []
        await asyncio.sleep(0)
        assert told == ["tools", "test://users/1"]
        here.tools.changed()
        await asyncio.sleep(0)
        assert told == ["tools", "test://users/1", "tools"]


async def test_what_nobody_can_read_cannot_be_updated() -> None:
    async with stage() as here:
        for uri in ("test://nothing", "no URI"):
            with pytest.raises(UnknownResource):
                here.resources.updated(uri)


# --- Cancellation and Graceful Closure -------------------------------------------------------------------------------


@on_loop_clock
async def test_at_the_cap_it_ends_with_the_empty_result() -> None:
    async with stage(cap_seconds=20, heartbeat_seconds=8) as here:
        began = asyncio.get_running_loop().time()
        stream = await here.listen(EVERYTHING)
        await acknowledged(stream)
        [result] = await stream.rest()
        assert asyncio.get_running_loop().time() - began == 20
        assert stream.heartbeats == 2
        assert result["id"] == 7
        assert result["result"].pop("resultType") == "complete"
        assert result["result"].pop("_meta")[SUBSCRIPTION_ID] == 7
        assert result["result"] == {}


async def test_at_shutdown_it_ends_with_what_was_said_and_the_empty_result() -> None:
    async with stage() as here:
        stream = await here.listen(EVERYTHING)
        await acknowledged(stream)
        here.tools.changed()
        await asyncio.sleep(0)
        await here.endpoint.drain()
        here.tools.changed()
        told, result = await stream.rest()
        assert told["method"] == "notifications/tools/list_changed"
        assert result["result"]["_meta"][SUBSCRIPTION_ID] == 7
        assert refusal(await here.ask(request(EVERYTHING))) == (503, -32603, 7)


async def test_who_ends_before_reading_is_still_acknowledged() -> None:
    async with stage() as here:
        stream = await here.listen(EVERYTHING)
        await here.endpoint.drain()
        messages = await stream.rest()
        assert [each.get("method", "result") for each in messages] == [ACKNOWLEDGED, "result"]


async def test_leaving_ends_it_and_nothing_is_left() -> None:
    async with stage() as here:
        stream = await here.listen(EVERYTHING)
        await acknowledged(stream)
        assert "mcp_app_streams_open 1" in await here.metrics()
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0)
        stream.frames.close()
        assert await reading == []
        assert "mcp_app_streams_open 0" in await here.metrics()
        here.tools.changed()
        await asyncio.sleep(0)
        assert await stream.read() == []


async def test_a_drained_endpoint_watches_nothing() -> None:
    async with stage() as here:
        pass
    assert here.tools._watchers._callbacks == here.prompts._watchers._callbacks == []
    assert here.resources._watchers._callbacks == here.resources._updates._callbacks == []
    here.tools.remove(first)


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream;q=0, */*", "text/html"])
async def test_who_takes_no_stream_is_refused_with_json_rpc(accept: str) -> None:
    async with stage() as here:
        assert refusal(await here.ask(request(EVERYTHING), accept=accept)) == (406, -32600, 7)


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json, text/event-stream;q=0.1", "*/*"])
async def test_who_takes_a_stream_gets_one(accept: str) -> None:
    async with stage() as here:
        await acknowledged(Listened(await here.ask(request(EVERYTHING), accept=accept)))


async def test_one_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_SUBSCRIPTIONS", 1)
    async with stage() as here:
        stream = await here.listen(EVERYTHING)
        assert refusal(await here.ask(request(EVERYTHING))) == (503, -32603, 7)
        stream.frames.close()
        await acknowledged(await here.listen(EVERYTHING))


async def test_more_uris_than_are_kept_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "MAX_URI_BYTES", 50)
    wanted = {"resourceSubscriptions": ["test://users/1"]}  # 14 characters, kept twice
    async with stage() as here:
        stream = await here.listen(wanted)
        assert refusal(await here.ask(request(wanted))) == (503, -32603, 7)
        stream.frames.close()
        await acknowledged(await here.listen(wanted))


@pytest.mark.parametrize(
    "wanted", [None, [], "all", {"toolsListChanged": 12}, {"resourceSubscriptions": "test://watched"}]
)
async def test_what_is_no_filter_is_invalid(wanted: Any) -> None:
    async with stage() as here:
        assert refusal(await here.ask(request(wanted))) == (400, -32602, 7)
