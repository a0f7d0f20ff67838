"""The HTTP client of one call: its connection options, its request body, and reading a complete response body.

Closing a response does not reset its HTTP/2 stream (httpcore 1.0 sends no RST_STREAM), so a run is abandoned by closing
the whole client: its connections carry only this call, and a server notices a closed connection in every version of
HTTP. Which requests are sent, and how answers are interpreted, is not here.
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

# Seconds for DNS, TCP and TLS: three lost SYNs (1 + 2 + 4 s) still fit.
CONNECT_SECONDS = 10.0

# Size limit of a response that is not a stream. A JSON answer is a result (1 MiB at most from our server) and its
# progress.
_MAX_ANSWER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The tool to call and its complete params. Seconds that are None are the server's to choose."""

    tool: str
    params: Mapping[str, Any]
    cap_seconds: float | None = None
    heartbeat_seconds: float | None = None

    def body(self) -> bytes:
        """The request body in the plain dialect."""
        content: dict[str, Any] = {"tool": self.tool, "params": self.params}
        if self.cap_seconds is not None:
            content["cap_seconds"] = self.cap_seconds
        if self.heartbeat_seconds is not None:
            content["heartbeat_seconds"] = self.heartbeat_seconds
        return json.dumps(content, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class ConnectionOptions:
    """How to connect: the user's header fields, the trusted certificates, and whether HTTP/2 may be used."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    trust: ssl.SSLContext | None = None
    http2: bool = True


def open_client(address: Address, options: ConnectionOptions) -> httpx.AsyncClient:
    """Create the client for one call. Closing it closes every connection of the call."""
    return httpx.AsyncClient(
        headers=[*options.headers, ("Accept-Encoding", "identity")],  # a decompressor would buffer events
        verify=options.trust if options.trust is not None else True,
        http2=options.http2,
        # Proxy variables of the environment do not apply to loopback.
        trust_env=not address.is_loopback,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
    )


def content_type(response: httpx.Response) -> str:
    """The media type in lower case, without parameters; empty if there is none."""
    field: str = response.headers.get("content-type", "")
    return field.partition(";")[0].strip().lower()


async def read_body(response: httpx.Response) -> bytes:
    """Read the complete body. Raises CallFailed if it exceeds the size limit."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_ANSWER_BYTES:
            raise CallFailed(Status.UNREACHABLE, f"{response.url} answered with more than {_MAX_ANSWER_BYTES} bytes")
    return bytes(body)
