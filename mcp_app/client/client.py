"""The HTTP client of one call: how it connects, what it sends, how an answer's body is read whole.

Closing a response does not reset its HTTP/2 stream (httpcore 1.0 sends no RST_STREAM), so a run is given up by closing
the whole client: its connections carry nothing but this call, and a server sees the end of a connection on every
version of HTTP. What is asked, and what an answer means, is not here.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from mcp_app.client.address import Address
from mcp_app.client.outcome import CallFailed, Status

# Seconds for name, TCP and TLS: three lost SYNs (1 + 2 + 4 s) still fit.
CONNECT_SECONDS = 10.0

# Bytes of an answer that is no stream. A JSON answer is a result (1 MiB at most from our server) and its progress.
_MAX_ANSWER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What to call. `params` are complete; the seconds are None for what the server has set."""

    tool: str
    params: Mapping[str, Any]
    cap_seconds: float | None = None
    heartbeat_seconds: float | None = None

    def body(self) -> bytes:
        """The plain dialect's body."""
        content: dict[str, Any] = {"tool": self.tool, "params": self.params}
        if self.cap_seconds is not None:
            content["cap_seconds"] = self.cap_seconds
        if self.heartbeat_seconds is not None:
            content["heartbeat_seconds"] = self.heartbeat_seconds
        return json.dumps(content, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Connection:
    """How to connect: the user's header fields, which certificates to believe, whether HTTP/2 may be used."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    trust: ssl.SSLContext | None = None
    http2: bool = True


def open_client(address: Address, connection: Connection) -> httpx.AsyncClient:
    """A client for one call. Closing it closes every connection of the call."""
    return httpx.AsyncClient(
        headers=[*connection.headers, ("Accept-Encoding", "identity")],  # an event must not wait in a decompressor
        verify=connection.trust if connection.trust is not None else True,
        http2=connection.http2,
        # Proxies of the environment are for other hosts than this machine.
        trust_env=not address.is_loopback,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
    )


def content_type(response: httpx.Response) -> str:
    """The media type in lower case, without parameters; empty when there is none."""
    field: str = response.headers.get("content-type", "")
    return field.partition(";")[0].strip().lower()


async def whole_body(response: httpx.Response) -> bytes:
    """Raises CallFailed when it is larger than any answer of this kind of server."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_ANSWER_BYTES:
            raise CallFailed(Status.UNREACHABLE, f"{response.url} answered with more than {_MAX_ANSWER_BYTES} bytes")
    return bytes(body)
