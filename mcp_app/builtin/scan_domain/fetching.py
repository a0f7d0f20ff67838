"""HTTP requests of a scan: GET, with limits on time, bytes and headers, over connections of `mcp_app.outgoing`.

Redirects are not followed here, and nothing is judged. An untrusted certificate does not end a fetch: the TLS step
reports its problems, and the other steps still examine what the server sends. Nothing secret is sent.
"""

import asyncio
import contextlib
import ssl
import zlib
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import anyio
import httpcore

from mcp_app import outgoing
from mcp_app.builtin.scan_domain.settings import ScanSettings
from mcp_app.builtin.scan_domain.target import Target
from mcp_app.builtin.scan_domain.trust import BOTH, OLD_ONLY, describing, verifying

USER_AGENT = "mcp-app-scan-domain/1"

MAX_HEADERS = 100
"""Headers kept of one answer. httpcore bounds their bytes (100 KiB on HTTP/1.1, 64 KiB on HTTP/2)."""


@dataclass(frozen=True)
class Reply:
    """The answer of a server."""

    target: Target
    status: int
    version: str
    """`HTTP/1.1` or `HTTP/2`, as spoken."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case; at most MAX_HEADERS."""
    more_headers: bool
    body: bytes
    cut: bool
    """The body is longer than the part that was read."""
    address: str
    """The address of the connection."""
    trusted: bool
    """The TLS certificate was verified; True for plain HTTP, where there is none."""

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def value(self, name: str) -> str | None:
        """All values of a list header as one (RFC 9110, 5.3), or None."""
        return ", ".join(self.values(name)) or None


class Session:
    """Requests that share connections. An async context manager: leaving it closes every connection."""

    def __init__(self, settings: ScanSettings, backend: outgoing.CheckedBackend, *, http2: bool = True) -> None:
        self._settings = settings
        self._backend = backend
        self._http2 = http2
        self._open = contextlib.AsyncExitStack()
        self._trusting: httpcore.AsyncConnectionPool | None = None
        self._any: httpcore.AsyncConnectionPool | None = None
        self._distrusted: set[str] = set()
        """Hosts whose certificate is not trusted: later requests to them skip the verification."""

    async def __aenter__(self) -> Self:
        context = verifying(self._settings.ca_file, self._alpn)
        self._trusting = await self._open.enter_async_context(self._connections(context))
        self._any = await self._open.enter_async_context(self._connections(describing(self._alpn)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._trusting = self._any = None
        # Errors while closing can be ignored: the backend closes the sockets in any case.
        with contextlib.suppress(OSError, anyio.BrokenResourceError, httpcore.NetworkError):
            await self._open.aclose()

    @property
    def _alpn(self) -> tuple[str, ...]:
        return BOTH if self._http2 else OLD_ONLY

    def _connections(self, context: ssl.SSLContext) -> httpcore.AsyncConnectionPool:
        return httpcore.AsyncConnectionPool(
            ssl_context=context,
            http2=self._http2,
            max_connections=2,  # a scan must not be a burden to the scanned server
            network_backend=self._backend,
        )

    async def get(self, target: Target) -> Reply:
        """One GET without following redirects. Raises Unreachable, within `fetch_seconds`."""
        try:
            async with asyncio.timeout(self._settings.fetch_seconds):
                return await self._trusted_or_not(target)
        except (TimeoutError, httpcore.TimeoutException) as exc:
            raise outgoing.Unreachable("timed_out", f"{target.url} was not answered in time") from exc
        except httpcore.ConnectError as exc:
            raise outgoing.Unreachable("tls", f"{target.url}: the TLS handshake failed") from exc
        except (httpcore.NetworkError, OSError) as exc:
            raise outgoing.Unreachable("no_connection", f"{target.url}: the connection broke") from exc
        except (httpcore.ProtocolError, zlib.error) as exc:
            raise outgoing.Unreachable("protocol", f"{target.url}: the answer is not valid HTTP") from exc

    async def _trusted_or_not(self, target: Target) -> Reply:
        if target.host not in self._distrusted:
            try:
                return await self._get(target, self._trusting, trusted=True)
            except httpcore.ConnectError:
                # TCP failures raise Unreachable in the backend: this handshake was rejected, by either side.
                self._distrusted.add(target.host)
        return await self._get(target, self._any, trusted=False)

    async def _get(self, target: Target, pool: httpcore.AsyncConnectionPool | None, *, trusted: bool) -> Reply:
        if pool is None:
            raise RuntimeError("a Session is used inside `async with`")
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        headers = [
            ("Host", target.authority),
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", "identity"),
        ]
        seconds = self._settings.fetch_seconds
        extensions = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)}
        async with pool.stream("GET", url, headers=headers, extensions=extensions) as response:
            coding = next((value for name, value in response.headers if name.lower() == b"content-encoding"), b"")
            chunks, limit = response.aiter_stream(), self._settings.max_body
            body, cut = await outgoing.read_at_most(chunks, coding.decode("latin-1"), limit)
            lines = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers]
            return Reply(
                target=target,
                status=response.status,
                version=response.extensions.get("http_version", b"HTTP/1.1").decode("ascii"),
                headers=tuple(lines[:MAX_HEADERS]),
                more_headers=len(lines) > MAX_HEADERS,
                body=body,
                cut=cut,
                address=outgoing.peer_of(response.extensions["network_stream"]),
                trusted=trusted,
            )
