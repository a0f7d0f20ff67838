"""An application driven as its server drives it: raw scopes and messages, in memory. Not a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from web_play import SECONDS
from web_wire import Wire

from mcp_app.server.engine.waiting import QUEUE_KEY


class TellingQueue(asyncio.Queue[dict[str, Any]]):
    """What our own server gives its application beside `receive`."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Callable[[], object]] = []

    def poll(self) -> dict[str, Any] | None:
        return None if self.empty() else self.get_nowait()

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        self.told.append(callback)


class Exchange:
    """One request: what the application sent so far, and the client's own moves."""

    def __init__(self, app: Any, scope: dict[str, Any], *, tells: bool = False) -> None:
        """With `tells` the application can have itself told when the client leaves, as by our own server."""
        self._incoming = TellingQueue()
        if tells:
            scope["extensions"][QUEUE_KEY] = self._incoming
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.wire = Wire()
        self.body = b""
        self.complete = False
        """The last body message came: the server would end the stream cleanly."""
        self.writable = asyncio.Event()
        """While it is not set, the application's writes wait, as for a client that does not read."""
        self.writable.set()
        self.task = asyncio.create_task(app(scope, self._incoming.get, self._send), name="exchange")

    async def _send(self, message: dict[str, Any]) -> None:
        await self.writable.wait()
        self._outgoing.put_nowait(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._incoming.put_nowait({"type": "http.disconnect"})  # as ASGI has it: Quart 0.23 waits for it

    def send(self, body: bytes = b"", more: bool = False) -> None:
        """A part of the request's body."""
        self._incoming.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def disconnect(self) -> None:
        for callback in self._incoming.told:
            callback()
        self._incoming.put_nowait({"type": "http.disconnect"})

    async def receive(self) -> bytes:
        """The next message's bytes."""
        message = await asyncio.wait_for(self._outgoing.get(), SECONDS)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            return b""
        self.complete = not message.get("more_body", False)
        self.body += message["body"]
        if self.field("content-type") == "text/event-stream":
            self.wire.feed(message["body"])
        return bytes(message["body"])

    async def until(self, events: int) -> Wire:
        while len(self.wire.events) < events:
            await self.receive()
        return self.wire

    async def rest(self) -> Exchange:
        """All there is, to the end of the application's call."""
        while not self.complete:
            await self.receive()
        await self.over()
        return self

    async def answered(self) -> Exchange:
        """Send an empty body, and read all there is."""
        self.send()
        return await self.rest()

    async def over(self) -> None:
        """Wait until the application is done with the request; what it raised is raised here."""
        await asyncio.wait_for(asyncio.shield(self.task), SECONDS)

    def field(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name]
        return ", ".join(values) if values else None


class Client:
    """Makes exchanges with one application."""

    def __init__(self, app: Any, *, tells: bool = False) -> None:
        self._app = app
        self._tells = tells
        self.exchanges: list[Exchange] = []

    def open(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        body: bytes | None = b"",
        version: str = "2",
        host: bytes = b"localhost",
    ) -> Exchange:
        """Send a request; with `body` None the body is left to `send`."""
        scope = self.scope(method, target, headers, version=version, host=host)
        exchange = Exchange(self._app, scope, tells=self._tells)
        self.exchanges.append(exchange)
        if body is not None:
            exchange.send(body)
        return exchange

    @staticmethod
    def scope(
        method: str,
        target: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        version: str = "2",
        host: bytes = b"localhost",
    ) -> dict[str, Any]:
        """What a server says of such a request."""
        path, _, query = target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(errors="surrogateescape"),
            "root_path": "",
            "query_string": query.encode(errors="surrogateescape"),
            "headers": [(b"host", host), *headers],
            "client": ("127.0.0.1", 9),
            "server": ("127.0.0.1", 8443),
            "extensions": {},
            "state": {},
        }

    def post(self, target: str, body: bytes | None, *headers: tuple[bytes, bytes], **options: Any) -> Exchange:
        return self.open("POST", target, ((b"content-type", b"application/json"), *headers), body=body, **options)


@asynccontextmanager
async def running(app: Any, *, tells: bool = False) -> AsyncIterator[Client]:
    """The application with its lifespan; exchanges that a test left open are disconnected."""
    async with app.test_app():
        client = Client(app, tells=tells)
        try:
            yield client
        finally:
            for exchange in client.exchanges:
                exchange.writable.set()
                exchange.disconnect()
            await asyncio.gather(*(asyncio.wait({exchange.task}, timeout=SECONDS) for exchange in client.exchanges))
            assert all(exchange.task.done() for exchange in client.exchanges)
