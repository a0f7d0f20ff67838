"""Limits over the whole path: each dialect's refusal, what is counted and for how long, and who is spared."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from limits_stage import EVENTS, MCP, RUNS, Limited, error_of, limited

from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer


def headers(answer: Answer) -> dict[str, str]:
    return dict(answer.headers)


async def test_the_same_object_in_every_dialect() -> None:
    async with limited("requests per principal 1/min") as app:
        assert (await app.call()).status == 200
        plain, rpc = await app.call(), await app.rpc("tools/list")
        assert plain.status == rpc.status == 429
        assert error_of(plain) == {
            "code": "rate_limited",
            "message": "The limit is 1 requests in 60 s for each caller, and is reached.",
            "hint": "Try again after the seconds in Retry-After.",
        }
        assert error_of(rpc)["code"] == "rate_limited"
        assert error_of(rpc)["message"] == error_of(plain)["message"]
        assert isinstance(rpc.body, bytes)
        assert json.loads(rpc.body)["id"] == 7
        for answer in (plain, rpc):
            assert headers(answer)["Retry-After"] == "60"
            assert headers(answer)["RateLimit"] == '"requests per principal";r=0;t=60'
            assert headers(answer)["RateLimit-Policy"] == '"requests per principal";q=1;w=60'
        assert (await app.call(me="ben")).status == 200
        app.now = 60.0
        assert (await app.call()).status == 200
        metrics = await app.ask("GET", "/metrics", me="carl")
        assert isinstance(metrics.body, bytes)
        assert b'mcp_app_limited_total{limit="requests per principal"} 2' in metrics.body
        assert b'mcp_app_refusals_total{code="rate_limited"} 2' in metrics.body


@pytest.mark.parametrize("limits", ["requests per principal 5/min", "requests per address 5/min", "requests 5/min"])
async def test_a_batch_is_no_way_around_the_limit_of_requests(limits: str) -> None:
    async with limited(limits) as app:
        hello = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        accept = {"accept": "application/json, text/event-stream"}
        begun = await app.ask(
            "POST", MCP, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}, **accept
        )
        session = {**accept, "mcp_session_id": headers(begun)["Mcp-Session-Id"]}
        batch: list[dict[str, Any]] = [{"jsonrpc": "2.0", "method": "notifications/initialized"}]
        batch += [{"jsonrpc": "2.0", "id": number, "method": "ping"} for number in range(6)]

        answer = await app.ask("POST", MCP, batch, **session)  # of five, one was to initialize

        assert isinstance(answer.body, bytes)
        responses = json.loads(answer.body)
        assert [each["id"] for each in responses] == list(range(6))
        codes = [each["error"]["data"]["code"] if "error" in each else None for each in responses]
        assert codes == [None] * 4 + ["rate_limited"] * 2
        assert (await app.ask("POST", MCP, batch[1:2], **session)).status == 429
        app.now = 60.0
        answer = await app.ask("POST", MCP, batch[:5], **session)
        assert isinstance(answer.body, bytes)
        assert [each.get("result") for each in json.loads(answer.body)] == [{}] * 4


async def test_a_large_message_is_refused_without_being_read() -> None:
    async with limited("requests per principal 1/min") as app:
        await app.call()
        answer = await app.rpc("tools/call", {"name": "echo", "arguments": {"text": "x" * 10_000}})
        assert answer.status == 429
        assert error_of(answer)["code"] == "rate_limited"


async def test_addresses_are_counted_before_credentials_are_looked_at() -> None:
    async with limited("requests per address 2/min") as app:
        for _ in range(2):
            await app.call(authorization="Basic x")
        assert (await app.call(authorization="Basic x")).status == 429
        assert (await app.call(peer="198.51.100.7")).status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_balancers_are_answered_however_often_they_ask(path: str) -> None:
    async with limited("requests 1/d, requests per address 1/d") as app:
        for _ in range(3):
            assert (await app.ask("GET", path)).status == 200
        assert (await app.ask("OPTIONS", EVENTS)).status == 204


async def test_a_run_counts_until_it_has_ended_whoever_reads_it() -> None:
    async with limited("concurrent per principal 1") as app:
        created = await app.ask("POST", RUNS, {"tool": "hang"})
        assert created.status == 202
        refusals = [
            await app.call(),
            await app.ask("POST", RUNS, {"tool": "hang"}),
            await app.ask("GET", f"{EVENTS}?tool=echo&text=x&run={'k' * 22}", accept="text/event-stream"),
            await app.rpc("tools/call", {"name": "echo", "arguments": {"text": "x"}}),
        ]
        for refused in refusals:
            assert (refused.status, error_of(refused)["code"]) == (429, "rate_limited")
        assert (await app.call(me="ben")).status == 200
        run = headers(created)["Location"]
        assert (await app.ask("DELETE", run)).status == 202
        await _eventually(app, 200)


async def test_a_refused_call_starts_nothing_and_leaves_nothing() -> None:
    async with limited("runs per principal 1/d, concurrent 5") as app:
        await app.call()
        started = app.runs.started
        for _ in range(10):
            assert (await app.call()).status == 429
        assert app.runs.started == started
        assert app.runs.working == 0


@pytest.mark.parametrize("way", ["post", "eventsource", "follow", "mcp", "listen", "session", "old"])
async def test_streams_are_counted_until_they_are_closed_in_every_way_to_open_one(way: str) -> None:
    async with limited("streams per principal 2", legacy_sse=True) as app:
        run = headers(await app.ask("POST", RUNS, {"tool": "hang"}))["Location"]
        session: dict[str, str] = {}
        if way == "session":
            session = {"mcp_session_id": headers(await _initialize(app))["Mcp-Session-Id"]}

        async def once() -> Answer:
            stream = {"accept": "text/event-stream"}
            match way:
                case "post":
                    return await app.call("hang", {}, **stream)
                case "eventsource":
                    return await app.ask("GET", f"{EVENTS}?tool=hang&run={len(app.opened)}{'k' * 22}", **stream)
                case "follow":
                    return await app.ask("GET", f"{run}/events", **stream)
                case "mcp":
                    return await app.rpc("tools/call", {"name": "hang", "arguments": {}}, **stream)
                case "listen":
                    return await app.rpc("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
                case "session":
                    return await app.ask("GET", MCP, **stream, **session)
                case _:
                    return await app.ask("GET", "/sse", **stream)

        for _ in range(2):
            assert (await once()).status == 200
        assert len(app.opened) == 2
        working = app.runs.working
        refused = await once()
        assert (refused.status, error_of(refused)["code"]) == (429, "rate_limited")
        assert app.runs.working == working
        app.opened[0].close()
        assert (await once()).status == 200
        assert (await app.call(accept="application/json")).status == 200, "JSON is no stream"


async def test_what_might_have_been_a_stream_and_is_none_has_no_place() -> None:
    async with limited("streams per principal 1") as app:
        for _ in range(3):
            assert (await app.rpc("tools/call", {"name": "echo", "arguments": {"text": "x"}})).status == 200
            assert (await app.call("nothing", accept="text/event-stream")).status == 404
            assert (await app.ask("HEAD", f"{EVENTS}?tool=echo&text=x", accept="text/event-stream")).status == 200
        stream = await app.call(accept="text/event-stream")
        assert isinstance(stream.body, Frames)
        assert (await app.call(accept="text/event-stream")).status == 429


async def test_who_leaves_before_the_answer_gives_its_place_back() -> None:
    async with limited("streams per principal 1, concurrent per principal 1") as app:
        task = asyncio.create_task(app.rpc("tools/call", {"name": "hang", "arguments": {}}))
        while not app.runs.working:  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await _eventually(app, 200)
        assert isinstance((await app.call(accept="text/event-stream")).body, Frames)


async def test_a_tool_is_no_way_around_the_limit_of_another() -> None:
    async with limited("runs of echo per principal 3/d") as app:
        answer = await app.call("twice")
        assert answer.status == 200
        await app.call()
        failed = await app.call("twice")
        assert error_of(failed)["code"] == "rate_limited"
        assert (await app.call()).status == 429
        assert (await app.call("twice", me="ben")).status == 200


async def test_by_default_this_machine_is_spared_and_others_are_not() -> None:
    async with limited(exposed=True) as app:
        for _ in range(1001):
            here = await app.ask("GET", "/mcp.json", peer="127.0.0.1")
        assert here.status == 200
        for _ in range(1000):
            there = await app.ask("GET", "/mcp.json")
        assert there.status == 200
        assert (await app.ask("GET", "/mcp.json")).status == 429
        assert (await app.ask("GET", "/mcp.json", me="ben")).status == 200
        assert (await app.ask("GET", "/mcp.json", me=None)).status == 200, "a stranger pays for nobody"


async def test_trusted_proxies_name_the_client_that_is_counted() -> None:
    async with limited("requests per address 1/d", trusted_proxies="10.0.0.0/8") as app:
        proxy = "10.1.2.3"
        for number in range(3):
            answer = await app.call(peer=proxy, x_forwarded_for=f"6.6.6.6, 192.0.2.{number}")
            assert answer.status == 200
        assert (await app.call(peer=proxy, x_forwarded_for="7.7.7.7, 192.0.2.1")).status == 429
        assert (await app.call(peer="192.0.2.1", x_forwarded_for="192.0.2.77")).status == 429
        assert (await app.call(peer=proxy, forwarded="for=192.0.2.2")).status == 429


@pytest.mark.parametrize("proxy", ["127.0.0.1", "<local>"])
async def test_a_field_of_its_own_spares_no_client_of_a_proxy_on_this_machine(proxy: str) -> None:
    async with limited(exposed=True, trusted_proxies="127.0.0.1,unix") as app:
        for _ in range(1001):
            answer = await app.ask(
                "GET", "/mcp.json", peer=proxy, me=None, x_forwarded_for="192.0.2.1", forwarded="for=127.0.0.1"
            )
        assert answer.status == 429
        answer = await app.ask("GET", "/mcp.json", peer=proxy, me=None, x_forwarded_for="192.0.2.1")
        assert answer.status == 200


async def _eventually(app: Limited, status: int) -> None:
    async with asyncio.timeout(10):
        while (await app.call()).status != status:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def _initialize(app: Limited) -> Answer:
    params: dict[str, Any] = {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}
    }  # fmt: skip
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    return await app.ask("POST", MCP, body, accept="application/json, text/event-stream")
