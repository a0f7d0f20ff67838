"""HTTP/1.1 by hand: any bytes are sent, and what comes back is read as strictly as a client may. Not a test."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass, field

PATIENCE = 20.0
"""Seconds for an answer that must come: the machine may be busy."""

QUIET = 0.15
"""Seconds of silence after which a client leaves a stream, or a call that waits for somebody."""

MAX_STREAMED = 256 * 1024
"""Bytes of a stream after which a client leaves it."""

_STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9])[ \r]")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")


class Malformed(AssertionError):
    """What the server sent is no answer in HTTP/1.1."""


@dataclass
class Reply:
    """One answer. `whole`: it was read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    whole: bool = False

    @property
    def kind(self) -> str:
        """The media type, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0]


@dataclass
class Connection:
    """A connection to a server, made again when it is gone."""

    port: int
    _socket: socket.socket | None = None
    _unread: bytes = field(default=b"", repr=False)

    def ask(self, sent: bytes, *, head: bool = False, waits: bool = False) -> Reply | None:
        """Send the bytes of one request, and read its answer; None where the server closes without one, or with
        `waits` says nothing for a while. Raises Malformed, and TimeoutError for an answer that does not come."""
        fresh = self._socket is None
        try:
            reply = self._exchange(sent, head, waits)
        except ConnectionError:
            reply = None
        if reply is None and not fresh and self._socket is None and not waits:
            # The server may close a connection that was kept whenever it likes (RFC 9112, 9.3.1).
            return self.ask(sent, head=head, waits=waits)
        return reply

    def _exchange(self, sent: bytes, head: bool, waits: bool) -> Reply | None:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            self._unread = b""
        self._socket.settimeout(QUIET if waits else PATIENCE)
        try:
            self._socket.sendall(sent)
            return self._reply(self._socket, head, waits)
        except ConnectionError:
            self.close()
            raise
        except TimeoutError:
            self.close()
            if waits:
                return None
            raise TimeoutError(f"no answer within {PATIENCE:g} s to {sent[:2000]!r}") from None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    # --- reading -----------------------------------------------------------------------------------------------------

    def _reply(self, connection: socket.socket, head: bool, waits: bool) -> Reply | None:
        while True:
            text = self._until(connection, b"\r\n\r\n")
            if text is None:
                self.close()
                return None
            reply = _parsed(text)
            if reply.status >= 200:
                break
        if head or reply.status in {204, 304}:
            reply.whole = True
        elif "content-length" in reply.headers:
            reply.body = self._exactly(connection, int(reply.headers["content-length"]))
            reply.whole = True
        elif reply.headers.get("transfer-encoding") == "chunked":
            self._chunks(connection, reply, streamed=waits or reply.kind == "text/event-stream")
        else:
            raise Malformed(f"an answer without a length: {text!r}")
        if not reply.whole or reply.headers.get("connection", "").lower() == "close":
            self.close()
        return reply

    def _chunks(self, connection: socket.socket, reply: Reply, streamed: bool) -> None:
        """RFC 9112, 7.1. Of a stream as much as comes until it is quiet."""
        if streamed:
            connection.settimeout(QUIET)
        until = time.monotonic() + PATIENCE
        try:
            while len(reply.body) < MAX_STREAMED and time.monotonic() < until:
                line = self._until(connection, b"\r\n")
                if line is None:
                    return
                size = int(line[:-2].partition(b";")[0], 16)
                reply.body += self._exactly(connection, size)
                if self._exactly(connection, 2) != b"\r\n":
                    raise Malformed("a chunk without its end")
                if size == 0:
                    reply.whole = True
                    return
        except TimeoutError:
            if not streamed:
                raise

    def _until(self, connection: socket.socket, end: bytes) -> bytes | None:
        """None at the end of the connection."""
        while (at := self._unread.find(end)) < 0:
            received = connection.recv(65536)
            if not received:
                if self._unread:
                    raise Malformed(f"cut off: {self._unread[-200:]!r}")
                return None
            self._unread += received
        found, self._unread = self._unread[: at + len(end)], self._unread[at + len(end) :]
        return found

    def _exactly(self, connection: socket.socket, size: int) -> bytes:
        while len(self._unread) < size:
            received = connection.recv(65536)
            if not received:
                raise Malformed(f"cut off {size - len(self._unread)} bytes before the end")
            self._unread += received
        found, self._unread = self._unread[:size], self._unread[size:]
        return found


def _parsed(text: bytes) -> Reply:
    first, *lines = text[:-4].split(b"\r\n")
    status = _STATUS.match(first + b"\r")
    if status is None:
        raise Malformed(f"no status line: {first[:200]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        found = _FIELD.fullmatch(line)
        if found is None:
            raise Malformed(f"no header field: {line[:200]!r}")
        name = found[1].decode().lower()
        value = found[2].decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Reply(int(status[1]), headers)
