"""HTTP/2 connections as hypothesis draws them: sound requests among frames that are malformed, out of place, or far too
many, cut anywhere. Not a test.

An act says what a client does next; `Written` makes bytes of it, and knows what the server must have understood.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hpack import Encoder
from hypothesis import strategies as st

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED = 0x1, 0x4, 0x8

WINDOW = 65535
"""Of a connection, at its begin (RFC 9113, 6.9.2)."""

ECHO = b'{"text": "drawn"}'


class Many(NamedTuple):
    """The same bytes, so many times: written out they would be too long for the report of a failure."""

    what: bytes
    times: int


Data = bytes | Many

Fields = tuple[tuple[Data, Data], ...]


def data_of(given: Data) -> bytes:
    return given.what * given.times if isinstance(given, Many) else given


class Request(NamedTuple):
    """A sound request: its body in pieces, its head in parts of so many bytes."""

    path: bytes
    body: Data | None = None
    piece: int = 1024
    part: int = 16384
    known: bool = True


class Head(NamedTuple):
    """Fields as they are, encoded."""

    fields: Fields
    end: bool


class Frame(NamedTuple):
    """Any frame at all, so many times. `stream` is one of the connection's, or a number."""

    kind: int
    flags: int
    stream: int | str
    payload: Data
    times: int = 1
    declared: int | None = None


class Raw(NamedTuple):
    """Bytes."""

    data: bytes


Act = Request | Head | Frame | Raw


@dataclass
class Drawn:
    """A connection: what is sent, at which byte it is cut off, in which pieces, and how its client leaves."""

    acts: list[Act]
    preface: bytes
    tls: bool
    cut: int | None
    pieces: int
    leaving: str
    reads: bool


class Written:
    """The bytes of acts. `sound`: nothing but sound requests so far, so that all of `asked` must be answered."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._encoder = Encoder()
        self._next = 1
        self._window = WINDOW
        self.asked: list[int] = []
        self.sound = True

    def bytes_of(self, act: Act) -> bytes:
        match act:
            case Request():
                return self._request(act)
            case Head(fields, end):
                self.sound = False
                block = self._encoder.encode([(data_of(name), data_of(value)) for name, value in fields])
                return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), self._stream("new"), block)
            case Frame():
                self.sound = False
                made = frame(act.kind, act.flags, self._stream(act.stream), data_of(act.payload), act.declared)
                return made * act.times
            case Raw(data):
                self.sound = False
                return data

    def _stream(self, named: int | str) -> int:
        if isinstance(named, int):
            return named
        if named == "new":
            self._next += 2
        return max(1, self._next - 2)

    def _request(self, request: Request) -> bytes:
        stream = self._stream("new")
        self.asked.append(stream)
        fields = [
            (b":method", b"GET" if request.body is None else b"POST"),
            (b":path", request.path),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b"accept", b"application/json"),
        ]
        if request.known:
            fields.append((b"authorization", b"Bearer " + self._key))
        if request.body is not None:
            fields.append((b"content-type", b"application/json"))
        block = self._encoder.encode(fields)
        parts = [block[at : at + request.part] for at in range(0, len(block), request.part)]
        sent = b""
        for number, part in enumerate(parts):
            flags = END_HEADERS if number == len(parts) - 1 else 0
            if number == 0 and request.body is None:
                flags |= END_STREAM
            sent += frame(HEADERS if number == 0 else CONTINUATION, flags, stream, part)
        if request.body is not None:
            body = data_of(request.body)
            self._window -= len(body)
            self.sound = self.sound and self._window >= 0  # it is not waited for
            for at in range(0, len(body), request.piece):
                end = at + request.piece >= len(body)
                sent += frame(DATA, END_STREAM if end else 0, stream, body[at : at + request.piece])
        return sent


def frame(kind: int, flags: int, stream: int, payload: bytes, declared: int | None = None) -> bytes:
    """A frame (RFC 9113, 4.1), with another length than its own where one is `declared`."""
    length = len(payload) if declared is None else declared
    return length.to_bytes(3, "big") + bytes((kind, flags)) + (stream & 0xFFFFFFFF).to_bytes(4, "big") + payload


# --- strategies ------------------------------------------------------------------------------------------------------

_number = st.sampled_from([0, 1, 2, 255, 16383, 16384, 16385, 65535, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1])
_four = st.one_of(_number, st.integers(0, 2**32 - 1)).map(lambda value: value.to_bytes(4, "big"))

requests = st.builds(
    Request,
    st.sampled_from([b"/healthz", b"/api/v1/mcp/tools/echo", b"/nowhere", b"/api/v1/mcp/tools", b"/mcp.json"]),
    st.none() | st.just(ECHO) | st.sampled_from([b"{}", b"[", Many(ECHO, 3000)]),
    st.sampled_from([16, 1024, 16384]),
    st.sampled_from([7, 100, 16384]),
    st.booleans(),
)

_PSEUDO = [b":method", b":path", b":scheme", b":authority", b":protocol", b":status"]
_FIELDS = [b"host", b"te", b"connection", b"cookie", b"content-length", b"expect", b"transfer-encoding"]
_names = st.sampled_from([*_PSEUDO, *_FIELDS, b"X", b"", b" ", b"a\nb", Many(b"x", 3000)]) | st.binary(max_size=12)
_SOUND = [b"GET", b"POST", b"CONNECT", b"/", b"*", b"https", b"localhost", b"trailers", b"100-continue", b"websocket"]
_values = st.sampled_from([*_SOUND, b"5", b"-1", b"a\0b", Many(b"x", 20_000), b"chunked"]) | st.binary(max_size=12)
heads = st.builds(
    Head,
    st.lists(st.tuples(_names, _values), max_size=8).map(tuple)
    | st.tuples(st.lists(st.tuples(_names, _values), max_size=2)).map(
        lambda more: (
            *((b":method", b"POST"), (b":path", b"/api/v1/mcp/tools/echo"), (b":scheme", b"https")),
            *((b":authority", b"localhost"), *more[0]),
        )
    ),
    st.booleans(),
)

_settings = st.lists(st.tuples(st.integers(0, 12) | st.integers(0, 65535), _four), max_size=8).map(
    lambda pairs: b"".join(code.to_bytes(2, "big") + value for code, value in pairs)
)
_payloads = st.one_of(
    st.binary(max_size=40),
    _four,
    _settings,
    st.tuples(_four, _four).map(b"".join),
    st.sampled_from(
        [b"", bytes(5), bytes(8), b"\x82\x84\x87", Many(b"\0", 16384), Many(b"\0", 16385), Many(b"\xff", 300)]
    ),
)
_streams = st.sampled_from(["new", "last", 0, 1, 2, 3, 2**31 - 1, 2**32 - 1]) | st.integers(0, 2**32 - 1)
_times = st.sampled_from([1, 1, 1, 1, 2, 40, 1500])
frames = st.builds(
    Frame,
    st.integers(0, 10) | st.integers(0, 255),
    st.sampled_from([0, END_STREAM, END_HEADERS, END_STREAM | END_HEADERS, PADDED, 0x20, 0xFF]),
    _streams,
    _payloads,
    _times,
    st.none() | st.none() | st.integers(0, 2**24 - 1),
)

acts = st.one_of(requests, requests, heads, frames, st.builds(Raw, st.binary(max_size=60)))

connections = st.builds(
    Drawn,
    st.lists(acts, max_size=6) | st.lists(requests, min_size=1, max_size=8),
    st.just(PREFACE + frame(SETTINGS, 0, 0, b""))
    | st.just(PREFACE)
    | _settings.map(lambda payload: PREFACE + frame(SETTINGS, 0, 0, payload))
    | st.binary(max_size=30),
    st.booleans(),
    st.none() | st.none() | st.integers(0, 400),
    st.sampled_from([1, 1, 2, 7]),
    st.sampled_from(["close", "reset", "half", "stay"]),
    st.booleans(),
)
