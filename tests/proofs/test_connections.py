"""HTTP/2 connections, drawn: whatever a client sends, in whatever pieces, and however it leaves, the server answers
what was asked soundly, and nothing with a status of its own fault; what it sends is HTTP/2; a client beside them is
served throughout; and what is alive and held in its process is the same at the end.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hpack import Decoder
from hypothesis import example, given, settings
from live_server import LiveServer, client_tls

from .drawn_connections import (
    CONTINUATION,
    DATA,
    ECHO,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Drawn,
    Frame,
    Request,
    Written,
    connections,
    frame,
)
from .examples import count, examples, time_bound
from .unharmed import SETTLING_SECONDS, fuzzed, unharmed

IN_SUITE = 150
"""Connections."""

PATIENCE = 20.0
"""Seconds for what must come."""

QUIET = 0.05
"""Seconds of silence after which a client that sent nonsense leaves."""

STAYING = 40
"""Connections that are left open beside the next."""

END = b"the end."
"""Of a PING, behind everything else: who understood all of it answers."""

SENT_BY_SERVERS = {DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION}

pytestmark = pytest.mark.time_bound(time_bound(IN_SUITE) + 3 * SETTLING_SECONDS)


class Reader:
    """What a server sends on one connection, read as strictly as a client may. Raises AssertionError for what is no
    HTTP/2."""

    def __init__(self) -> None:
        self._unread = b""
        self._decoder = Decoder()
        self.statuses: dict[int, list[int]] = {}
        self.over: set[int] = set()
        """Streams that were answered to the end, or reset."""
        self.goaway: int | None = None
        self.acknowledged = False
        self.bodies = 0

    def feed(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= 9:
            length = int.from_bytes(self._unread[:3], "big")
            if len(self._unread) < 9 + length:
                return
            kind, flags = self._unread[3], self._unread[4]
            stream = int.from_bytes(self._unread[5:9], "big")
            payload, self._unread = self._unread[9 : 9 + length], self._unread[9 + length :]
            self._frame(kind, flags, stream, payload)

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        assert kind in SENT_BY_SERVERS, (kind, payload)
        assert kind not in {PRIORITY, PUSH_PROMISE}
        assert len(payload) <= 16384
        match kind:
            case 1:
                assert flags & END_HEADERS
                fields = dict(self._decoder.decode(payload))
                self.statuses.setdefault(stream, []).append(int(fields[":status"]))
            case 0:
                self.bodies += len(payload)
            case 3:
                assert len(payload) == 4
                self.over.add(stream)
            case 7:
                self.goaway = int.from_bytes(payload[4:8], "big")
            case 6 if payload == END:
                self.acknowledged = True
        if kind in {DATA, HEADERS} and flags & 1:
            self.over.add(stream)


def connected(server: LiveServer, tls: ssl.SSLContext | None) -> socket.socket:
    port = server.port if tls is None else server.tls_port
    plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    return plain if tls is None else tls.wrap_socket(plain, server_hostname="localhost")


def talk(sock: socket.socket, drawn: Drawn, key: str) -> tuple[Reader, Written, bool]:
    """Send what is drawn, read what comes, and say whether the connection was ended by the server."""
    reader, written = Reader(), Written(key)
    usual = drawn.preface.startswith(PREFACE)
    window = frame(WINDOW_UPDATE, 0, 0, (2**30).to_bytes(4, "big")) if usual else b""
    sent = drawn.preface + window + b"".join(written.bytes_of(act) for act in drawn.acts)
    plain = drawn.preface == PREFACE + frame(SETTINGS, 0, 0, b"") and drawn.cut is None
    written.sound = written.sound and plain
    sent += frame(PING, 0, 0, END)
    if drawn.cut is not None:
        sent = sent[: drawn.cut]
    ended = False
    step = -(-len(sent) // drawn.pieces) or 1
    try:
        for at in range(0, len(sent), step):
            sock.sendall(sent[at : at + step])
        if drawn.leaving == "half" and not written.sound and not isinstance(sock, ssl.SSLSocket):
            sock.shutdown(socket.SHUT_WR)
        sock.settimeout(PATIENCE if written.sound else QUIET)
        while drawn.reads or written.sound:
            received = sock.recv(65536)
            if not received:
                ended = True
                break
            if usual:
                reader.feed(received)
            if reader.acknowledged and set(written.asked) <= reader.over:
                break
    except TimeoutError:
        assert not written.sound, f"not all was answered: {written.asked} {reader.over} {drawn}"
    except (ConnectionError, ssl.SSLError):
        ended = True
    return reader, written, ended


def check(drawn: Drawn, reader: Reader, written: Written, ended: bool) -> None:
    """What holds of every connection."""
    said = f"{drawn}: {reader.statuses} GOAWAY {reader.goaway}"
    final = [status for statuses in reader.statuses.values() for status in statuses]
    assert all(status < 500 for status in final), said
    assert reader.goaway != 2, f"INTERNAL_ERROR: {said}"
    if written.sound:
        assert not ended, said
        assert all(len([status for status in found if status >= 200]) == 1 for found in reader.statuses.values()), said
        assert set(written.asked) == set(reader.statuses), said


@pytest.fixture
def server(tmp_path: Path, keys: dict[str, str]) -> Iterator[LiveServer]:
    (tmp_path / "hypercorn.toml").write_text("max_connections = 200\nkeep_alive_timeout = 5\n")
    # This machine's addresses are one caller here: how many requests it may make is another proof's.
    with fuzzed(tmp_path, MCP_APP_LIMITS="off") as live:
        yield live


USUAL = PREFACE + frame(SETTINGS, 0, 0, b"")
SOUND = Drawn([Request(b"/api/v1/mcp/tools/echo", ECHO)] * 3, USUAL, True, None, 3, "close", True)
FLOOD = Drawn([Frame(PING, 0, 0, bytes(8), 1500)] * 2, USUAL, False, None, 1, "close", False)


def test_whatever_connects_the_server_stays_as_it_is(server: LiveServer, keys: dict[str, str], tmp_path: Path) -> None:
    contexts = [None, client_tls()]
    contexts[1].load_verify_locations(next(tmp_path.rglob("ca.pem")))  # type: ignore[union-attr]
    staying: list[socket.socket] = []
    drawn_connections = count(IN_SUITE)
    done = answered = ended_by_server = 0

    @settings(examples(IN_SUITE), max_examples=drawn_connections)
    @example(SOUND)
    @example(FLOOD)
    @given(connections)
    def connect(drawn: Drawn) -> None:
        nonlocal done, answered, ended_by_server
        sock = connected(server, contexts[drawn.tls])
        try:
            reader, written, ended = talk(sock, drawn, keys["a"])
            check(drawn, reader, written, ended)
        finally:
            if drawn.leaving == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if drawn.leaving == "stay":
                staying.append(sock)
                if len(staying) > STAYING:
                    staying.pop(0).close()
            else:
                sock.close()
        done += 1
        answered += len(reader.statuses)
        ended_by_server += ended
        watch.note(done, drawn_connections)

    with unharmed(server, keys) as watch:
        try:
            connect()
        finally:
            for sock in staying:
                sock.close()
        assert done >= drawn_connections
        print(f"{done} connections: {answered} answers, {ended_by_server} ended by the server")
