"""One write per turn: how many there are with it and without, in which order, and what still makes a writer wait."""

from __future__ import annotations

import asyncio

import pytest
from asyncio_transport import Transport
from defects import Provoking, eventually
from hypercorn.asyncio.task_group import TaskGroup
from hypercorn.config import Config
from hypercorn.events import Closed
from live_server import client_tls, serving
from raw_h2 import raw_h2

from mcp_app.server.engine.admission import ConnectionPlace
from mcp_app.server.engine.connection import Connection
from mcp_app.server.engine.context import ServerContext
from mcp_app.server.engine.writer import BUFFER_BYTES, ConnectionWriter


def writer_for(transport: Transport, lost: list[str] | None = None) -> ConnectionWriter:
    loop, told = asyncio.get_running_loop(), [] if lost is None else lost
    return ConnectionWriter(transport, asyncio.StreamReader(), loop, lambda: told.append("lost"), lambda: False)


async def test_a_turn_is_one_write_in_its_order() -> None:
    transport = Transport()
    writer = writer_for(transport)
    for piece in (b"head", b"", b"body", b"end"):
        writer.write(piece)
    writer.writelines([b",", bytearray(b"lines")])
    assert transport.asked == []
    await asyncio.sleep(0)
    assert transport.asked == [b"headbodyend,lines"]
    writer.write(b"next")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert transport.asked == [b"headbodyend,lines", b"next"]
    writer.close()


async def test_nothing_is_held_back_beyond_the_bound_and_what_follows_keeps_its_place() -> None:
    transport = Transport()
    writer = writer_for(transport)
    writer.write(b"a")
    writer.write(bytes(BUFFER_BYTES))
    assert transport.asked == [b"a" + bytes(BUFFER_BYTES)]
    writer.write(b"b")
    await asyncio.sleep(0)
    assert transport.asked[1:] == [b"b"]
    writer.close()


@pytest.mark.parametrize("end", ["close", "write_eof"])
async def test_an_end_comes_after_what_was_written(end: str) -> None:
    transport = Transport()
    writer = writer_for(transport)
    writer.write(b"the last words")
    getattr(writer, end)()
    await asyncio.sleep(0)
    assert transport.asked == [b"the last words", end.removeprefix("write_")]
    writer.close()


async def test_a_lost_connection_can_be_closed() -> None:
    transport = Transport(RuntimeError("the handler is closed"))
    writer = writer_for(transport)
    writer.write(b"nobody reads this")
    writer.close()
    assert transport.asked == ["close"]


@pytest.mark.parametrize("transport", [Transport(OSError()), Transport(RuntimeError()), Transport(closes=True)])
async def test_a_write_that_fails_after_its_writer_went_on_ends_the_connection(transport: Transport) -> None:
    """As upstream, where the failing write itself tells it."""
    handled: list[object] = []

    class Protocol:
        async def handle(self, event: object) -> None:
            handled.append(event)

    loop = asyncio.get_running_loop()
    transport.closed = False
    reader = asyncio.StreamReader()
    released = asyncio.StreamWriter(transport, asyncio.Protocol(), reader, loop)
    place = ConnectionPlace("", 0.0, lambda: None)
    server = Connection(Provoking(), loop, Config(), ServerContext(None), {}, reader, released, place)  # type: ignore[arg-type]
    server.protocol = Protocol()  # type: ignore[assignment]
    async with TaskGroup(loop) as server._task_group:
        server.writer.write(b"an event")
        await asyncio.sleep(0)
    assert handled == [Closed()]
    server.writer.write(b"another")  # the task group takes no more tasks: that is no error
    await asyncio.sleep(0)
    assert handled == [Closed()]
    transport.closed = True


async def writes_of(alpn: str, monkeypatch: pytest.MonkeyPatch, *, released: bool) -> int:
    """How often the server's transport is given something for one small answer, on an open connection."""
    counted = []
    write = asyncio.StreamWriter.write

    def counting(self: asyncio.StreamWriter, data: bytes) -> None:
        counted.append((self.get_extra_info("sockname")[1], data))
        write(self, data)

    async with serving(Provoking(), released=released) as server:
        if alpn == "h2":
            async with raw_h2(server.tls_port, client_tls()) as client:
                await client.until(lambda: client.events)
                await client.read_for(0.2)
                monkeypatch.setattr(asyncio.StreamWriter, "write", counting)
                stream = await client.request("/hello")
                await client.until(lambda: client.is_ended(stream))
                assert client.body(stream) == b"hello"
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.tls_port, ssl=client_tls(alpn))
            monkeypatch.setattr(asyncio.StreamWriter, "write", counting)
            writer.write(b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"\r\n0\r\n\r\n")
            writer.transport.abort()
        monkeypatch.undo()
        return sum(port == server.tls_port for port, _ in counted)


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
async def test_an_answer_is_written_at_once(alpn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = await writes_of(alpn, monkeypatch, released=False)
    without_it = await writes_of(alpn, monkeypatch, released=True)
    assert with_it <= 2  # HTTP/2: HEADERS and DATA may be of two turns
    assert without_it >= with_it + 1


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_reader_that_stops_makes_the_tool_wait_and_then_gets_everything(tls: bool) -> None:
    app = Provoking()
    async with serving(app) as server:
        port, context = (server.tls_port, client_tls("http/1.1")) if tls else (server.port, None)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=65536)
        app.produced = 240 * 2**20  # so that 16 MiB are left
        writer.write(b"GET /flood HTTP/1.0\r\nHost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        before = -1
        while app.produced != before:
            before = app.produced
            await asyncio.sleep(0.3)
        assert app.running["flood"] == 1, "the kernel's buffers, some MiB, are full, and the tool waits"
        writer.transport.resume_reading()
        body = b""
        while data := await reader.read(2**20):
            body += data
        assert b"transfer-encoding" not in head
        assert len(body) == 16 * 2**20
        writer.close()


async def test_a_client_that_left_is_noticed_by_a_write_although_nothing_is_read() -> None:
    """A pipelined byte stops Hypercorn from reading on."""
    app = Provoking()
    async with serving(app, graceful_timeout=0.5) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /stubborn HTTP/1.1\r\nHost: localhost\r\n\r\nG")
        await reader.readuntil(b"more\n")
        writer.transport.abort()
        await eventually(lambda: not app.running["stubborn"])
