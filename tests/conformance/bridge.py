"""A bridge from HTTP, which the suite speaks, to `mcp-app serve --stdio fixture.py`. Run by run.py; not a test.

A session is a process of its own, as a client starts one; all requests without a session go to one process. Ids and
progress tokens of several connections become ids of one. What belongs to HTTP (header fields, hosts, streams that are
resumed) is not here: those checks are listed in not_passing.toml.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from quart import Quart, Response, request

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from live_server import serving  # noqa: E402 - the tests' own directory is no package

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
VERSION = "io.modelcontextprotocol/protocolVersion"
METHOD_NOT_FOUND = -32601


class Exchange:
    """One request of the suite, with its own id and token, until its response has come."""

    def __init__(self, message: Mapping[str, Any], number: str) -> None:
        self.id = message["id"]
        self.number = number
        self.messages: asyncio.Queue[Any] = asyncio.Queue()
        meta = message.get("params", {}).get("_meta", {})
        self.token = meta.get("progressToken")
        self.over = False

    def outgoing(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message as the process gets it."""
        changed = json.loads(json.dumps({**message, "id": self.number}))
        if self.token is not None:
            changed["params"]["_meta"]["progressToken"] = self.number
        return changed  # type: ignore[no-any-return]

    def incoming(self, message: dict[str, Any]) -> dict[str, Any]:
        """The message as the suite gets it."""
        body = message.get("params") or message.get("result") or {}
        if body.get("progressToken") == self.number:
            body["progressToken"] = self.token
        if body.get("_meta", {}).get(SUBSCRIPTION) == self.number:
            body["_meta"][SUBSCRIPTION] = self.id
        return {**message, "id": self.id} if message.get("id") == self.number else message


class Child:
    """One process, and what is asked of it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._open: dict[str, Exchange] = {}
        self.own: asyncio.Queue[Any] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls) -> Child:
        command = [sys.executable, "-m", "mcp_app", "serve", "--stdio", str(HERE / "fixture.py")]
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=2**24, env=os.environ))

    async def send(self, message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()

    async def ask(self, message: dict[str, Any]) -> Exchange:
        exchange = Exchange(message, f"n{next(self._numbers)}")
        self._open[exchange.number] = exchange
        await self.send(exchange.outgoing(message))
        return exchange

    async def leave(self, exchange: Exchange) -> None:
        if self._open.pop(exchange.number, None) is not None:
            params = {"requestId": exchange.number}
            await self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    async def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            exchange = self._exchange(message)
            if exchange is None:
                self.own.put_nowait(message)
                continue
            exchange.over = "method" not in message
            if exchange.over:
                del self._open[exchange.number]
            exchange.messages.put_nowait(exchange.incoming(message))

    def _exchange(self, message: dict[str, Any]) -> Exchange | None:
        """The request that a message belongs to. A question, or a line of a log, says nothing of that: it goes to the
        newest."""
        if "method" not in message:
            return self._open.get(message.get("id", ""))
        params = message.get("params", {})
        named = params.get("progressToken") or params.get("_meta", {}).get(SUBSCRIPTION)
        if named is not None:
            return self._open.get(named)
        if "id" in message or message["method"] == "notifications/message":
            return next(reversed(self._open.values()), None)
        return None


app = Quart(__name__)
sessions: dict[str, Child] = {}
shared: list[Child] = []


@app.post("/mcp")
async def post() -> Any:
    message = await request.get_json(force=True)
    headers = {}
    if message.get("method") == "initialize" and VERSION not in message.get("params", {}).get("_meta", {}):
        session = secrets.token_hex(8)
        sessions[session] = child = await Child.start()
        headers["Mcp-Session-Id"] = session
    elif "mcp-session-id" in request.headers:
        if request.headers["mcp-session-id"] not in sessions:
            return "", 404
        child = sessions[request.headers["mcp-session-id"]]
    else:
        child = shared[0]
    if "method" not in message or "id" not in message:
        await child.send(message)
        return "", 202
    exchange = await child.ask(message)
    modern = request.headers.get("mcp-protocol-version", "") >= "2026"
    first = None if message["method"] == "subscriptions/listen" else await exchange.messages.get()
    if first is not None and "method" not in first:
        return first, _status(first) if modern else 200, headers
    stream = Response(_stream(child, exchange, first, modern), 200, {"Content-Type": "text/event-stream", **headers})
    stream.timeout = None
    return stream


def _status(message: Mapping[str, Any]) -> int:
    """As the transport over HTTP has it."""
    if "error" not in message:
        return 200
    return 404 if message["error"]["code"] == METHOD_NOT_FOUND else 400


async def _stream(child: Child, exchange: Exchange, first: Any, leaving: bool) -> AsyncIterator[bytes]:
    try:
        if first is not None:
            yield _event(first)
        while not exchange.over or not exchange.messages.empty():
            yield _event(await exchange.messages.get())
    finally:
        if leaving:
            await child.leave(exchange)


def _event(message: Any) -> bytes:
    return f"data: {json.dumps(message)}\n\n".encode()


@app.get("/mcp")
async def get() -> Any:
    child = sessions.get(request.headers.get("mcp-session-id", ""))
    if child is None:
        return "", 405

    async def stream() -> AsyncIterator[bytes]:
        yield b": open\n\n"
        while True:
            yield _event(await child.own.get())

    answer = Response(stream(), 200, {"Content-Type": "text/event-stream"})
    answer.timeout = None
    return answer


@app.delete("/mcp")
async def delete() -> Any:
    child = sessions.pop(request.headers.get("mcp-session-id", ""), None)
    if child is None:
        return "", 404
    await child.end()
    return "", 204


async def main() -> None:
    shared.append(await Child.start())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (15, 2):
        loop.add_signal_handler(number, stop.set)
    async with serving(app) as server:
        print(f"{server.url}/mcp", flush=True)
        await stop.wait()
    for child in (*shared, *sessions.values()):
        await child.end()


if __name__ == "__main__":
    asyncio.run(main())
