"""One client connection that costs its own side little: for latencies, idle streams and a reader that stops.

HTTP/1.1 by hand and HTTP/2 frames by hand, because a client library's own work would be measured with the server's.
`peers.py` has the peer that misbehaves in HTTP/2's own terms; h2load makes the load. Only loopback is ever dialled.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import hpack

from .dialects import Answer, Call
from .peers import HOST, WAIT

OPEN_WINDOW = 2**31 - 1
"""RFC 9113, 6.9.1: the largest window, so that a reader that reads never has to say so."""

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM = _ACK = 1
_END_HEADERS = 4


class Lost(ConnectionError):
    """The server ended a connection or a stream that was to stay, or was silent for too long."""


class Wire(Protocol):
    """One connection; `post` gives a number by which its answer is asked for."""

    socket: socket.socket

    def post(self, call: Call) -> int: ...

    def answer(self, number: int) -> Answer:
        """The whole answer. Raises Lost."""

    def until(self, number: int, marker: bytes) -> None:
        """Return as soon as the answer's body has the marker. Raises Lost."""

    def close(self) -> None: ...


@cache
def _tls(ca: Path, protocol: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols([protocol])
    return context


def dial(port: int, ca: Path | None, *, reading: bool = True, http2: bool = False) -> Wire:
    """HTTP/2 over TLS with `ca`; in the clear without it: HTTP/1.1, or `http2` by prior knowledge (RFC 9113, 3.3).

    Without `reading` its windows stay small.
    """
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if not reading:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    raw.settimeout(WAIT)
    try:
        raw.connect((HOST, port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if ca is None:
            return Http2Wire(raw, port, "http", reading=reading) if http2 else Http1Wire(raw, port)
        secured = _tls(ca, "h2").wrap_socket(raw, server_hostname=HOST)
        if secured.selected_alpn_protocol() != "h2":
            raise Lost("the server does not speak HTTP/2 here")
        return Http2Wire(secured, port, "https", reading=reading)
    except BaseException:
        raw.close()
        raise


def readable(wires: list[Wire], seconds: float) -> list[Wire]:
    """Those on which something waits."""
    poll = select.poll()
    by_number = {each.socket.fileno(): each for each in wires}
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(seconds * 1000)]


class Http1Wire:
    """HTTP/1.1, one call after the other."""

    def __init__(self, raw: socket.socket, port: int) -> None:
        self.socket = raw
        self._host = f"{HOST}:{port}"
        self._buffer = bytearray()

    def post(self, call: Call) -> int:
        headers = (*call.headers, ("host", self._host), ("content-length", str(len(call.body))))
        lines = [f"POST {call.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        self._buffer.clear()
        self.socket.sendall("\r\n".join(lines).encode() + call.body)
        return 1

    def answer(self, number: int) -> Answer:
        head = self._take_to(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if "content-length" in fields:
            body = self._take(int(fields["content-length"]))
        else:
            body = b"".join(iter(self._chunk, b""))
        return Answer(int(head[0].split(" ")[1]), fields.get("content-type", ""), body)

    def until(self, number: int, marker: bytes) -> None:
        while marker not in self._buffer:
            self._more()

    def close(self) -> None:
        self.socket.close()

    def _chunk(self) -> bytes:
        size = int(self._take_to(b"\r\n").split(b";")[0], 16)
        data = self._take(size)
        self._take(2)
        return data

    def _take_to(self, marker: bytes) -> bytes:
        while (at := self._buffer.find(marker)) < 0:
            self._more()
        return self._take(at + len(marker))[: -len(marker)]

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _more(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise Lost("the server closed the connection")
        self._buffer += data


@dataclass
class _Stream:
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False


class Http2Wire:
    """HTTP/2, many calls at once (RFC 9113). It sends what is always right to send, and reads what servers send."""

    def __init__(self, connected: socket.socket, port: int, scheme: str, *, reading: bool) -> None:
        self.socket = connected
        self._scheme = scheme
        self._authority = f"{HOST}:{port}"
        self._decoder = hpack.Decoder()
        self._buffer = bytearray()
        self._next = 1
        self._streams: dict[int, _Stream] = {}
        window = OPEN_WINDOW if reading else 65_535
        start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, struct.pack("!HI", 4, window))
        if reading:
            start += _frame(_WINDOW_UPDATE, 0, 0, struct.pack("!I", OPEN_WINDOW - 65_535))
        connected.sendall(start)

    def post(self, call: Call) -> int:
        number, self._next = self._next, self._next + 2
        self._streams[number] = _Stream()
        head = _header_block(self._scheme, self._authority, call)
        frames = _frame(_HEADERS, _END_HEADERS, number, head) + _frame(_DATA, _END_STREAM, number, call.body)
        self.socket.sendall(frames)
        return number

    def answer(self, number: int) -> Answer:
        stream = self._streams[number]
        while not stream.ended:
            self.read()
        del self._streams[number]
        return Answer(int(stream.headers[":status"]), stream.headers.get("content-type", ""), bytes(stream.body))

    def until(self, number: int, marker: bytes) -> None:
        stream = self._streams[number]
        while marker not in stream.body:
            if stream.ended:
                raise Lost(f"the stream ended without {marker!r}")
            self.read()

    def close(self) -> None:
        self.socket.close()

    def read(self) -> None:
        """Take what one read gives. Raises Lost."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise Lost("the server closed the connection")
        self._buffer += data
        while len(self._buffer) >= 9:
            size = int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < 9 + size:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            number = int.from_bytes(self._buffer[5:9], "big") & OPEN_WINDOW
            payload = bytes(self._buffer[9 : 9 + size])
            del self._buffer[: 9 + size]
            self._take(kind, flags, number, payload)

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        stream = self._streams.get(number)
        if kind == _HEADERS:
            fields = self._decoder.decode(payload)  # always: the table of the connection is in it
            if stream is not None:
                stream.headers.update({str(name): str(value) for name, value in fields})
        elif kind == _DATA and stream is not None:
            stream.body += payload
        elif kind == _SETTINGS and not flags & _ACK:
            self.socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self.socket.sendall(_frame(_PING, _ACK, 0, payload))
        elif kind in (_RESET, _GOAWAY):
            raise Lost(f"{'RST_STREAM' if kind == _RESET else 'GOAWAY'}: {payload!r}")
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM and stream is not None:
            stream.ended = True


def drain(wire: Wire, seconds: float) -> int:
    """Read and throw away for so long; the bytes there were, as they came over the socket."""
    taken = 0
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        wire.socket.settimeout(left)
        try:
            data = wire.socket.recv(1 << 18)
        except TimeoutError:
            break
        if not data:
            raise Lost("the server closed the connection")
        taken += len(data)
    wire.socket.settimeout(WAIT)
    return taken


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack("!BBI", kind, flags, stream) + payload


@cache
def _header_block(scheme: str, authority: str, call: Call) -> bytes:
    """Literals that no table remembers (RFC 7541, 6.2.3): the same bytes are right for every stream."""
    fields = [(":method", "POST"), (":path", call.path), (":scheme", scheme), (":authority", authority), *call.headers]
    fields.append(("content-length", str(len(call.body))))
    return b"".join(b"\x10" + _text(name) + _text(value) for name, value in fields)


def _text(value: str) -> bytes:
    """A string literal without Huffman (RFC 7541, 5.2); its length is an integer of seven bits and what follows."""
    raw = value.encode()
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    rest, length = len(raw) - 127, bytearray([127])
    while rest >= 128:
        length.append(rest % 128 + 128)
        rest //= 128
    return bytes([*length, rest]) + raw
