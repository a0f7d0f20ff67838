"""The HTTP client of one call: its connection options, and reading a complete response body.

Closing a response does not reset its HTTP/2 stream (httpcore 1.0 sends no RST_STREAM), so a run is abandoned by closing
the whole client: its connections carry only this call, and a server notices a closed connection in every version of
HTTP. Which requests are sent, and how answers are interpreted, is not here.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

import httpx

from mcp_app.client.address import Address
from mcp_app.client.outcome import CallFailed, Status
from mcp_app.client.wire.incoming import AnswerTooLarge, Incoming

# Seconds for DNS, TCP and TLS: three lost SYNs (1 + 2 + 4 s) still fit.
CONNECT_SECONDS = 10.0


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


def incoming(response: httpx.Response) -> Incoming:
    """What the body of this response is to be fed to."""
    return Incoming(response.status_code, response.headers.get("content-type", ""))


async def read_body(response: httpx.Response) -> bytes:
    """Read the complete body. Raises CallFailed if it exceeds the size limit."""
    body = Incoming(response.status_code, "")
    try:
        async for chunk in response.aiter_bytes():
            body.feed(chunk)
    except AnswerTooLarge as error:
        raise CallFailed(Status.UNREACHABLE, f"{response.url} answered with {error}") from error
    return body.body
