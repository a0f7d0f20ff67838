"""Real FastAPI, Starlette and Quart under real uvicorn and Hypercorn: what a caller gets below /tools."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import EventSource, ServerSentEvent
from web_hosts import HOSTS_BY_NAME, HYPERCORN, Host, Running, hosted

SECONDS = 20.0
EVENTS = "/tools/api/v1/mcp/sse"
RUNS = "/tools/api/v1/mcp/runs"
META = "io.modelcontextprotocol/"
BOTH = "application/json, text/event-stream"


VERSIONS = {1: "HTTP/1.1", 2: "HTTP/2"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each host, with each version of HTTP that its server speaks where there is a client."""
    if "client" in metafunc.fixturenames:
        hosts = [
            (name, version)
            for name, host in HOSTS_BY_NAME.items()
            for version in VERSIONS
            if host.http2 or version == 1
        ]
        names = [f"{name}-{VERSIONS[version]}" for name, version in hosts]
        metafunc.parametrize(("host", "version"), hosts, indirect=["host"], ids=names, scope="module")
    elif "running" in metafunc.fixturenames:
        metafunc.parametrize("host", HOSTS_BY_NAME, indirect=True, scope="module")


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest) -> Host:
    return HOSTS_BY_NAME[request.param]


@pytest.fixture(scope="module")
def running(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with hosted(host, tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.fixture
async def client(running: Running, version: int) -> AsyncIterator[httpx.AsyncClient]:
    """One that has signed in as ann."""
    async with calling(running, http2=version == 2) as client:
        yield client


def calling(running: Running, name: str = "ann", *, http2: bool = False) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=running.url, http1=not http2, http2=http2, headers={"x-user": name}, timeout=SECONDS, trust_env=False
    )


async def said(client: httpx.AsyncClient, tool: str, **params: Any) -> Any:
    """The result of a call, as JSON."""
    answer = await client.post(EVENTS, json={"tool": tool, "params": params}, headers={"accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@asynccontextmanager
async def streaming(
    client: httpx.AsyncClient, method: str, url: str, **more: Any
) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
    async with client.stream(method, url, **more) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield EventSource(response).aiter_sse()


async def following(events: AsyncIterator[ServerSentEvent], kind: str) -> list[dict[str, Any]]:
    """The events up to one of that type."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(SECONDS):
        async for event in events:
            found.append({**json.loads(event.data), "id": event.id})
            if found[-1]["type"] == kind:
                return found
    raise AssertionError(f"no {kind}: {found}")


async def test_events_come_as_they_happen(client: httpx.AsyncClient) -> None:
    async with streaming(client, "POST", EVENTS, json={"tool": "walk"}) as events:
        await following(events, "started")
        for _ in range(3):
            await said(client, "step")
            await following(events, "progress")
        assert (await following(events, "complete"))[-1]["data"] == "there"


async def test_json(client: httpx.AsyncClient) -> None:
    assert await said(client, "who") == "ann"


async def test_who_calls(client: httpx.AsyncClient, running: Running) -> None:
    run = await client.post(RUNS, json={"tool": "who"})
    assert run.status_code == 202
    async with calling(running, "bob") as bob, calling(running, "") as nobody:
        assert await said(bob, "who") == "bob"
        assert (await bob.get(run.headers["location"])).status_code == 404
        assert (await nobody.get(run.headers["location"])).status_code == 401
    assert (await client.get(run.headers["location"])).status_code == 200


async def test_mcp_without_sessions(client: httpx.AsyncClient) -> None:
    meta = {f"{META}protocolVersion": "2026-07-28", f"{META}clientCapabilities": {}}
    message = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "who", "arguments": {}, "_meta": meta},
    }  # fmt: skip
    fields = {
        "accept": BOTH, "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "who",
    }  # fmt: skip
    answer = await client.post("/tools/mcp", json=message, headers=fields)
    assert answer.json()["result"]["content"][0]["text"] == "ann"


async def test_mcp_with_sessions(client: httpx.AsyncClient) -> None:
    info = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    opened = await client.post(
        "/tools/mcp",
        json={"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": info},
        headers={"accept": BOTH},
    )
    fields = {"accept": BOTH, "mcp-session-id": opened.headers["mcp-session-id"]}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "who", "arguments": {}}}
    answer = await client.post("/tools/mcp", json=call, headers=fields)
    text = answer.text if answer.text.startswith("{") else answer.text.split("data: ")[-1]
    assert json.loads(text)["result"]["content"][0]["text"] == "ann"
    assert (await client.delete("/tools/mcp", headers=fields)).status_code == 204


async def test_mcp_of_2024_is_told_an_address_below_the_prefix(client: httpx.AsyncClient) -> None:
    async with streaming(client, "GET", "/tools/mcp", headers={"accept": "text/event-stream"}) as events:
        first = await anext(events)
        assert first.event == "endpoint"
        assert first.data.startswith("/tools/mcp/messages?session=")
        ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
        assert (await client.post(first.data, json=ping)).status_code == 202
        assert json.loads((await anext(events)).data) == {"jsonrpc": "2.0", "id": 7, "result": {}}


async def test_a_stream_is_resumed(client: httpx.AsyncClient) -> None:
    url = f"{EVENTS}?tool=walk&count=2&run={secrets.token_hex(16)}"
    async with streaming(client, "GET", url, headers={"accept": "text/event-stream"}) as events:
        await said(client, "step")
        [*_, first] = await following(events, "progress")
    fields = {"accept": "text/event-stream", "last-event-id": first["id"]}
    async with streaming(client, "GET", url, headers=fields) as events:
        await said(client, "step")
        rest = await following(events, "complete")
    assert [each["type"] for each in rest] == ["progress", "complete"]


async def test_every_address_has_the_prefix(client: httpx.AsyncClient, running: Running) -> None:
    run = await client.post(RUNS, json={"tool": "who"})
    assert run.headers["location"] == run.json()["url"] == f"{RUNS}/{run.json()['id']}"
    manifest = await client.get("/tools/mcp.json")
    assert manifest.json()["remotes"][0]["url"] == f"{running.url}/tools/mcp"
    page = await client.get("/tools", follow_redirects=True)
    assert str(page.url) == f"{running.url}/tools/"
    assert "<!doctype html>" in page.text
    assert (await client.get("/tools/page/page.js")).status_code == 200


async def test_leaving_cancels(client: httpx.AsyncClient, running: Running) -> None:
    before = len(await said(client, "ended"))
    # A client of its own: over HTTP/2 httpx resets no stream, so that it leaves only with its connection.
    async with (
        calling(running, http2=client._transport._pool._http2) as leaving,  # type: ignore[attr-defined]
        streaming(leaving, "POST", EVENTS, json={"tool": "walk"}) as events,
    ):
        await following(events, "started")
    async with asyncio.timeout(SECONDS):
        while len(await said(client, "ended")) == before:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    assert (await said(client, "ended"))[-1] == "left"


async def test_the_host_answers_what_is_its_own(client: httpx.AsyncClient) -> None:
    for path in ("/mcp.json", "/toolsmith", "/nothing"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert "not_found" not in answer.text


# --- a stop ----------------------------------------------------------------------------------------------------------


def uvicorn(*more: str) -> Host:
    command = HOSTS_BY_NAME["FastAPI, uvicorn"].command
    return Host((*command[:-1], *more))


async def stopped_during_a_stream(host: Host, folder: Path) -> tuple[Running, str]:
    """The host that was told to stop while a stream was open, after its end: what it said, and how the stream ended."""
    with hosted(host, folder) as running:
        async with calling(running) as client, streaming(client, "POST", EVENTS, json={"tool": "walk"}) as events:
            await following(events, "started")
            running.process.send_signal(signal.SIGTERM)
            try:
                last = (await following(events, "error"))[-1]["error"]["code"]
            except httpx.RemoteProtocolError:
                last = "cut"
    return running, last


@pytest.mark.parametrize(
    ("host", "last"),
    [
        # uvicorn waits for the stream, then cuts it; only then it tells its application
        (uvicorn("--timeout-graceful-shutdown", "1", "hosts:living"), "cut"),
        # told before, as docs/how-to-mount.md shows
        (Host((uvicorn().command[0], "hosts.py")), "shutdown"),
        (HOSTS_BY_NAME["FastAPI, our engine"], "shutdown"),
        (HOSTS_BY_NAME["Quart, our engine"], "shutdown"),
    ],
    ids=["uvicorn", "uvicorn, told before", "FastAPI, our engine", "Quart, our engine"],
)
async def test_a_stop_during_a_stream(host: Host, last: str, tmp_path: Path) -> None:
    running, seen = await stopped_during_a_stream(host, tmp_path)
    assert seen == last, running.output
    cleaned = f"cleaned up after {'left' if last == 'cut' else 'shutdown'}"
    assert cleaned in running.output


async def test_uvicorn_without_a_lifespan_stops_too(tmp_path: Path) -> None:
    """It ends itself by the signal, before its loop ends, so that nothing of ours is told."""
    running, seen = await stopped_during_a_stream(uvicorn("--timeout-graceful-shutdown", "1", "hosts:fast"), tmp_path)
    assert seen == "cut", running.output


if sys.version_info < (3, 12):  # from there on it waits for the stream's end: docs/hypercorn-defects.md

    @pytest.mark.parametrize("application", ["hosts:living", "hosts:shop"])
    async def test_hypercorn_as_released_cuts_streams_and_the_tools_clean_up(application: str, tmp_path: Path) -> None:
        running, seen = await stopped_during_a_stream(Host((*HYPERCORN, application)), tmp_path)
        assert seen == "cut", running.output
        # Quart 0.22 leaves its tasks alone when Hypercorn cancels them: its stream ends when we are told to stop.
        assert {"cleaned up after left", "cleaned up after shutdown"} & set(running.output), running.output
