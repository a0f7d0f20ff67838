"""Real web servers for the scan's tests: Hypercorn with TLS, h2 and http/1.1, and bare sockets that misbehave.

Imported by tests/builtin only.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from authority import Pair
from hypercorn.asyncio import serve
from hypercorn.config import Config

Headers = dict[str, str] | list[tuple[str, str]]


@dataclass
class Page:
    """What a path answers; `body` may be an endless source of chunks."""

    status: int = 200
    headers: Headers = field(default_factory=dict)
    body: bytes | Callable[[], AsyncIterator[bytes]] = b""
    before: Callable[[], Awaitable[Any]] | None = None
    """Awaited before the answer begins."""


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    scheme: str
    version: str
    path: str
    host: str
    headers: dict[str, str]


class Site:
    """An ASGI application that answers from a table: (scheme, path) -> Page."""

    def __init__(self) -> None:
        self.pages: dict[tuple[str, str], Page] = {}
        self.seen: list[Seen] = []
        self.over = asyncio.Event()
        """Set when its server stops: a page that is slow waits for this, so that it does not outlive the test."""

    def put(self, scheme: str, path: str, page: Page) -> None:
        self.pages[scheme, path] = page

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])  # tells Hypercorn that there is no lifespan
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", headers.get(":authority", ""))
        self.seen.append(Seen(scope["scheme"], scope["http_version"], scope["path"], host, headers))
        page = self.pages.get((scope["scheme"], scope["path"]), Page(404, {"content-type": "text/plain"}, b"no"))
        if page.before is not None:
            await page.before()
        pairs = page.headers.items() if isinstance(page.headers, dict) else page.headers
        lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs]
        await send({"type": "http.response.start", "status": page.status, "headers": lines})
        if isinstance(page.body, bytes):
            await send({"type": "http.response.body", "body": page.body})
            return
        async for chunk in page.body():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def listening(address: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A bound socket; port 0 lets the system choose."""
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((address, port))
    return bound


@asynccontextmanager
async def hypercorn(
    site: Site, pair: Pair | None, bound: socket.socket, alpn: tuple[str, ...] = ("h2", "http/1.1")
) -> AsyncIterator[None]:
    """Serve the site on a bound socket, with TLS when there is a certificate."""
    config = Config()
    bind = [f"fd://{bound.detach()}"]
    config.accesslog = config.errorlog = None
    config.graceful_timeout = config.shutdown_timeout = 0.2
    if pair is not None:
        config.certfile, config.keyfile = str(pair.chain), str(pair.key)
        config.alpn_protocols = list(alpn)
    config.bind = bind
    stop = asyncio.Event()
    running = asyncio.create_task(serve(site, config, shutdown_trigger=stop.wait))  # type: ignore[arg-type]
    try:
        yield
    finally:
        site.over.set()
        stop.set()
        await asyncio.wait_for(running, 10)


Adjust = Callable[[ssl.SSLContext], None]
"""Changes a server's TLS context before its certificate is loaded."""

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def bare(
    behave: Behaviour, bound: socket.socket, pair: Pair | None = None, adjust: Adjust | None = None
) -> AsyncIterator[list[str]]:
    """A server that does what it is told with each connection; yields the list of its clients' addresses."""
    clients: list[str] = []
    tasks: set[asyncio.Task[None]] = set()

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        clients.append(writer.get_extra_info("peername")[0])
        try:
            await behave(reader, writer)
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            return  # the client has left, or the test is over
        finally:
            tasks.discard(task)
            writer.close()

    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if adjust is not None:
            adjust(context)
        context.load_cert_chain(pair.chain, pair.key)
    server = await asyncio.start_server(on_connection, sock=bound, ssl=context)
    try:
        yield clients
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await server.wait_closed()


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A behaviour: one plain answer to whatever comes."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    await writer.drain()


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A behaviour: takes the connection and is silent."""
    await asyncio.sleep(60)
