"""MCP 2026-07-28 over real connections: what HTTP itself decides: names of fields, bytes, ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
from live_server import LiveServer, client_tls, serving
from modern_client import ABSENT, SECONDS, headers, request
from modern_requests import ADD
from modern_served import HELD, TOOLS

from mcp_app import Settings, create_app


@pytest.fixture
async def server() -> AsyncIterator[LiveServer]:
    HELD.began, HELD.stopped = asyncio.Event(), asyncio.Event()
    async with serving(create_app(Settings(), TOOLS)) as live:
        yield live


def fields(message: Any, server: LiveServer, **changes: Any) -> list[tuple[bytes, bytes]]:
    made = headers(message, host=f"{server.host}:{server.port}", **changes)
    return [(name.encode(), value.encode("latin-1")) for name, value in made.items()]


async def exchange(server: LiveServer, body: bytes, sent: Sequence[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    """One POST on a connection of its own: status and body, of an answer with a length."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    head = b"".join(b"%b: %b\r\n" % each for each in [*sent, (b"content-length", b"%d" % len(body))])
    writer.write(b"POST /mcp HTTP/1.1\r\n%b\r\n%b" % (head, body))
    try:
        async with asyncio.timeout(SECONDS):
            lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            said = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines[1:])}
            return int(lines[0].split()[1]), await reader.readexactly(int(said.get(b"content-length", b"0")))
    finally:
        writer.close()


async def test_names_of_header_fields_are_the_same_in_any_case(server: LiveServer) -> None:
    message = request("tools/call", {"name": "regional", "arguments": {"region": "eu"}})
    sent = fields(message, server, mcp_param_region="eu")
    for change in (bytes.upper, bytes.title, bytes.swapcase):
        status, body = await exchange(
            server, json.dumps(message).encode(), [(change(name), each) for name, each in sent]
        )
        assert status == 200
        assert json.loads(body)["result"]["structuredContent"] == "region eu"


@pytest.mark.parametrize("value", [b"\xff", "ü".encode(), b"add\xa0", b"a\x7fdd", b"add, add"])
async def test_bytes_that_a_header_may_not_have_are_refused(server: LiveServer, value: bytes) -> None:
    message = request("tools/call", ADD, id="mine")
    sent = [(name, value if name == b"mcp-name" else each) for name, each in fields(message, server)]
    status, body = await exchange(server, json.dumps(message).encode(), sent)
    assert status == 400
    if body.startswith(b'{"jsonrpc"'):  # else it was refused as HTTP, before there was a message
        assert json.loads(body)["error"]["code"] == -32020
        assert json.loads(body)["id"] == "mine"


@pytest.mark.parametrize("name", [b"mcp-name", b"mcp-method", b"mcp-protocol-version"])
async def test_a_field_that_stands_twice_with_two_values_is_refused(server: LiveServer, name: bytes) -> None:
    message = request("tools/call", ADD)
    for second in (b"other", dict(fields(message, server))[name]):
        sent = [*fields(message, server), (name, second)]
        status, body = await exchange(server, json.dumps(message).encode(), sent)
        assert (status, json.loads(body)["error"]["code"]) == (400, -32020)


async def test_white_space_around_a_value_does_not_count(server: LiveServer) -> None:
    message = request("tools/call", ADD)
    sent = [(name, b" \t" + value + b" \t") for name, value in fields(message, server)]
    status, body = await exchange(server, json.dumps(message).encode(), sent)
    assert (status, json.loads(body)["result"]["structuredContent"]) == (200, 1)


async def test_a_notification_is_202_with_no_body(server: LiveServer) -> None:
    message = request("notifications/cancelled", {"requestId": 1}, ABSENT)
    assert await exchange(server, json.dumps(message).encode(), fields(message, server)) == (202, b"")


async def test_closing_the_connection_is_cancelling(server: LiveServer) -> None:
    message = request("tools/call", {"name": "wait"}, progressToken="t")
    body = json.dumps(message).encode()
    reader, writer = await asyncio.open_connection(server.host, server.port)
    head = b"".join(b"%b: %b\r\n" % each for each in fields(message, server))
    writer.write(b"POST /mcp HTTP/1.1\r\n%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
    async with asyncio.timeout(SECONDS):
        await HELD.began.wait()
        await reader.readuntil(b"notifications/progress")
        assert not HELD.stopped.is_set()
        writer.close()
        await HELD.stopped.wait()


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
async def test_closing_a_tls_connection_is_cancelling(server: LiveServer, alpn: str) -> None:
    message = request("tools/call", {"name": "wait"}, progressToken="t")
    made = headers(message, host=f"{server.host}:{server.tls_port}")
    async with httpx.AsyncClient(http2=alpn == "h2", verify=client_tls(alpn), timeout=SECONDS) as client:
        url = f"https://{server.host}:{server.tls_port}/mcp"
        async with client.stream("POST", url, json=message, headers=made) as answer:
            assert answer.http_version == ("HTTP/2" if alpn == "h2" else "HTTP/1.1")
            async for line in answer.aiter_lines():
                if "notifications/progress" in line:
                    break
        assert not HELD.stopped.is_set() or alpn == "http/1.1"  # of HTTP/2, this client ends no single stream
    await asyncio.wait_for(HELD.stopped.wait(), SECONDS)
