"""Peers that misbehave on purpose: raw sockets and raw HTTP/2, so that nothing acknowledges what the test does not.

Blocking, for a process of their own or a thread; every wait has a bound. Only loopback is ever dialled.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings

PATH = "/api/v1/mcp/sse"
HOST = "127.0.0.1"
WAIT = 20.0
"""Seconds any single answer may take before the run is called lost."""


def call(tool: str, **params: Any) -> dict[str, Any]:
    """The body of a call."""
    return {"tool": tool, "params": params}


def dial(port: int, ca: Path | None, *alpn: str, receive_buffer: int | None = None) -> socket.socket:
    """A connected socket; with `ca`, over TLS with these protocols."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    raw.settimeout(WAIT)
    raw.connect((HOST, port))
    if ca is None:
        return raw
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(raw, server_hostname=HOST)


def http1_request(port: int, body: dict[str, Any], accept: str = "text/event-stream") -> bytes:
    """The bytes of a POST over HTTP/1.1."""
    data = json.dumps(body).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {HOST}:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: {accept}\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


@dataclass
class Stream:
    """What arrived on one HTTP/2 stream."""

    status: int | None = None
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: int | None = None


class H2Peer:
    """One HTTP/2 connection. With `reading` off it takes no byte more than the initial windows allow."""

    def __init__(self, port: int, ca: Path, *, reading: bool = True) -> None:
        self.port = port
        self.reading = reading
        self.streams: dict[int, Stream] = defaultdict(Stream)
        self.goaway: int | None = None
        self.closed = False
        self._socket = dial(port, ca, "h2")
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._flush()

    def post(self, body: dict[str, Any], accept: str = "text/event-stream", *, declare: int | None = None) -> int:
        """Send a call. With `declare` the body is said to be that long and is not sent: `send_body` does."""
        data = json.dumps(body).encode()
        stream = self._h2.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":path", PATH),
            (":scheme", "https"),
            (":authority", f"{HOST}:{self.port}"),
            ("content-type", "application/json"),
            ("accept", accept),
            ("content-length", str(len(data) if declare is None else declare)),
        ]
        self._h2.send_headers(stream, headers)
        if declare is None:
            self._h2.send_data(stream, data, end_stream=True)
        self._flush()
        return stream

    def send_body(self, stream: int, data: bytes, *, end: bool) -> None:
        """DATA, in frames the peer takes; whatever the server has answered meanwhile."""
        for start in range(0, len(data), 16384):
            self._h2.send_data(stream, data[start : start + 16384], end_stream=end and start + 16384 >= len(data))
            self._flush()

    @property
    def window(self) -> int:
        """Bytes of DATA that the server takes now on the connection."""
        return int(self._h2.outbound_flow_control_window)

    def reset(self, stream: int) -> None:
        self._h2.reset_stream(stream, error_code=8)  # CANCEL
        self._flush()

    def pump(self, seconds: float, until: Any = lambda: False) -> bool:
        """Take what comes for at most `seconds`, or until `until()`; returns whether that was reached."""
        deadline = time.monotonic() + seconds
        while not until():
            left = deadline - time.monotonic()
            if left <= 0 or self.closed:
                return bool(until())
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                return bool(until())
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return bool(until())
            for event in self._h2.receive_data(data):
                self._take(event)
            self._flush()
        return True

    def finish(self, stream: int, seconds: float = WAIT) -> Stream:
        """Wait for the end of one stream. Raises AssertionError when it does not come."""
        found = self.streams[stream]
        assert self.pump(seconds, lambda: found.ended or found.reset is not None), f"stream {stream} has no end"
        return found

    def close(self) -> None:
        """As a process that is killed: the socket goes, without GOAWAY or close_notify."""
        self._socket.close()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                self.streams[event.stream_id].status = int(dict(event.headers)[":status"])
            case h2.events.DataReceived():
                self.streams[event.stream_id].data += event.data
                if self.reading:
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.streams[event.stream_id].ended = True
            case h2.events.StreamReset():
                self.streams[event.stream_id].reset = int(event.error_code)
            case h2.events.ConnectionTerminated():
                self.goaway = int(event.error_code)
            case _:
                pass

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data:
            self._socket.settimeout(WAIT)
            self._socket.sendall(data)
