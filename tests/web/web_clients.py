"""Two clients with one face: a request on HTTP/1.1 and on HTTP/2, each frame and chunk of the answer looked at.

They do nothing by themselves: no retry, no redirect, no decoding. Not a test.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from live_server import LiveServer, client_tls
from web_play import SECONDS
from web_wire import Wire


class Reply(ABC):
    """An answer that is being read."""

    status = 0

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.wire = Wire()
        self.clean = False
        """The end was said: the final chunk, or END_STREAM."""

    @abstractmethod
    async def more(self) -> None:
        """Read a little."""

    @abstractmethod
    async def leave(self) -> None:
        """Stop this stream alone, where the protocol can; else the connection."""

    async def head(self) -> None:
        async with asyncio.timeout(SECONDS):
            while not self.status:
                await self.more()

    async def until(self, events: int) -> Wire:
        async with asyncio.timeout(SECONDS):
            while len(self.wire.events) < events:
                await self.more()
        return self.wire

    async def rest(self) -> Wire:
        """To its clean end."""
        async with asyncio.timeout(SECONDS):
            while not self.clean or not self.status:
                await self.more()
        return self.wire

    def _take(self, data: bytes) -> None:
        self.body += data
        if self.headers.get("content-type") == "text/event-stream":
            self.wire.feed(data)


class Connection(ABC):
    """One connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer

    @abstractmethod
    async def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send a request, its body whole."""

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send a request and read its answer."""
        reply = await self.send(method, path, body, **headers)
        await reply.rest()
        return reply

    async def close(self) -> None:
        """Over TLS: close_notify and FIN."""
        self.writer.close()

    def abort(self) -> None:
        """Without a word."""
        self.writer.transport.abort()


class H1(Connection):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self.reader = reader

    async def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> H1Reply:
        fields = {"Host": "localhost", **({} if body is None else {"Content-Length": str(len(body))})}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.writer.write(head.encode("latin-1") + b"\r\n" + (body or b""))
        await self.writer.drain()
        return H1Reply(self, method)


class H1Reply(Reply):
    def __init__(self, connection: H1, method: str) -> None:
        super().__init__()
        self._connection = connection
        self._method = method
        self._left: int | None = None

    async def more(self) -> None:
        reader = self._connection.reader
        if not self.status:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            self.status = int(lines[0].split()[1])
            for line in filter(None, lines[1:]):
                name, _, value = line.partition(": ")
                known = self.headers.get(name.lower())
                self.headers[name.lower()] = value if known is None else f"{known}, {value}"
            if "transfer-encoding" not in self.headers:
                self._left = int(self.headers.get("content-length", 0))
            self.clean = self._method == "HEAD" or self.status in {204, 304} or self._left == 0
        elif self._left is not None:
            data = await reader.read(self._left)
            assert data, "cut"
            self._left -= len(data)
            self._take(data)
            self.clean = self._left == 0
        else:
            size = int(await reader.readuntil(b"\r\n"), 16)
            self._take((await reader.readexactly(size + 2))[:size])
            self.clean = size == 0

    async def leave(self) -> None:
        await self._connection.close()


class H2(Connection):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self.reader = reader
        # What a client library would not send is just what is to be sent.
        config = H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        self.h2 = H2Connection(config)
        self.replies: dict[int, H2Reply] = {}
        self.h2.initiate_connection()

    async def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    async def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> H2Reply:
        reply = await self.open(method, path, end=not body, **headers)
        if body:
            await self.finish(reply, body)
        return reply

    async def open(self, method: str, path: str, *, end: bool = False, **headers: str) -> H2Reply:
        """The request's head alone."""
        fields = [(name.replace("_", "-").lower(), value) for name, value in headers.items()]
        pseudo = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "localhost")]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pseudo + fields]
        number = self.h2.get_next_available_stream_id()
        reply = self.replies[number] = H2Reply(self, number)
        self.h2.send_headers(number, encoded, end_stream=end)
        await self.flush()
        return reply

    async def finish(self, reply: H2Reply, body: bytes = b"") -> None:
        """The request's body, and its end."""
        rest = memoryview(body)
        while rest:
            while not (room := min(len(rest), self.h2.local_flow_control_window(reply.number))):
                await self.read()
            part, rest = rest[:room], rest[room:]
            for at in range(0, len(part), self.h2.max_outbound_frame_size):
                self.h2.send_data(reply.number, bytes(part[at : at + self.h2.max_outbound_frame_size]))
            await self.flush()
        self.h2.end_stream(reply.number)
        await self.flush()

    async def read(self) -> None:
        """Read what comes next, for whichever stream it is."""
        data = await asyncio.wait_for(self.reader.read(65536), SECONDS)
        assert data, "the connection was closed"
        for event in self.h2.receive_data(data):
            number = getattr(event, "stream_id", None)
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if number in self.replies:
                self.replies[number].hear(event)
            assert not isinstance(event, ConnectionTerminated) or event.error_code == 0, event
        try:
            await self.flush()
        except ConnectionError:
            pass  # a server that stops closes behind its last answer, which was read; the next `read` says so


class H2Reply(Reply):
    def __init__(self, connection: H2, number: int) -> None:
        super().__init__()
        self._connection = connection
        self.number = number
        self.reset: int | None = None

    def hear(self, event: Event) -> None:
        """One event of this stream."""
        if isinstance(event, ResponseReceived):
            for raw_name, raw_value in event.headers or ():
                name, value = bytes(raw_name).decode("latin-1"), bytes(raw_value).decode("latin-1")
                known = self.headers.get(name)
                self.headers[name] = value if known is None else f"{known}, {value}"
            self.status = int(self.headers.pop(":status"))
        elif isinstance(event, DataReceived):
            self._take(event.data or b"")
        elif isinstance(event, StreamEnded):
            self.clean = True
        elif isinstance(event, StreamReset):
            self.reset = int(event.error_code or 0)

    async def more(self) -> None:
        assert self.reset is None or self.clean, f"reset with {self.reset}"
        await self._connection.read()

    async def leave(self) -> None:
        self._connection.h2.reset_stream(self.number, ErrorCodes.CANCEL)
        await self._connection.flush()


PROTOCOLS = ("http/1.1", "h2")


@asynccontextmanager
async def connected(server: LiveServer, protocol: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[Connection]:
    """A connection over TLS, whose protocol was agreed on by ALPN; aborted at the end."""
    reader, writer = await asyncio.open_connection(
        server.host, server.tls_port, ssl=tls or client_tls(protocol), server_hostname="localhost"
    )
    agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    assert agreed == protocol
    connection: Connection = H2(reader, writer) if protocol == "h2" else H1(reader, writer)
    if isinstance(connection, H2):
        await connection.flush()
    try:
        yield connection
    finally:
        connection.abort()
