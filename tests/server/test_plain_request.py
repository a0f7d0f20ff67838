"""HTTP/1.1 requests with and without an upgrade: each is answered as by Hypercorn."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from defects import lifespan
from hypercorn.protocol.h11 import H11Protocol
from live_server import serving


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says what it was asked."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
        return
    seen = {key: scope[key] for key in ("method", "http_version", "path", "scheme", "root_path")}
    seen["headers"] = [
        (bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in scope["headers"]
    ]
    body = json.dumps(seen).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


REQUESTS = {
    "plain": b"get /a%20b?c HTTP/1.1\r\nHost: localhost\r\nX-Twice: one\r\nx-twice: Two \r\n\r\n",
    "http/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "body": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
    "connection": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\n\r\n",
    "websocket": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUPGRADE: WebSocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "h2c": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    "h2c with a body": b"POST / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
    "another": b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: irc/6.9\r\n\r\n",
    "prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
}
EXPECTED = {"websocket": b"HTTP/1.1 403 ", "h2c": b"HTTP/1.1 101 ", "prior knowledge": b"\0\0"}


LAST = (b"]]}", b"\0\0\0\0\1\0\0\0\1", b"\0\0\0\4\1\0\0\0\0")
"""What an answer ends with: a small body, an empty frame that ends a stream, or, where HTTP/2 was spoken at once, the
word that its SETTINGS were read."""


async def answer(request: bytes, *, released: bool) -> bytes:
    """What is answered, up to its end or the connection's."""
    async with serving(app, released=released, include_date_header=False, h2c_upgrade=True) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request)
        received = b""
        async with asyncio.timeout(20.0):
            while not received.endswith(LAST) and (data := await reader.read(65536)):
                received += data
        writer.transport.abort()
        return received


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_answer_is_that_of_hypercorn_as_released(name: str) -> None:
    ours = await answer(REQUESTS[name], released=False)
    released = await answer(REQUESTS[name], released=True)
    if name == "h2c":  # an HTTP/2 answer then, whose frames are fewer
        assert [part(ours) for part in (head, body)] == [part(released) for part in (head, body)]
    else:
        assert ours == released
    assert ours.startswith(EXPECTED.get(name, b"HTTP/1.1 200 "))


def head(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[0]


def body(answer: bytes) -> bytes:
    return answer[answer.index(b"{") : answer.rindex(b"}")]


async def test_only_a_request_with_an_upgrade_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []
    released = H11Protocol._check_protocol

    async def counting(self: H11Protocol, event: Any) -> None:
        searched.append(event.target)
        await released(self, event)

    monkeypatch.setattr(H11Protocol, "_check_protocol", counting)
    await answer(REQUESTS["plain"], released=False)
    assert searched == []
    await answer(REQUESTS["h2c"], released=False)
    assert searched == [b"/"]
