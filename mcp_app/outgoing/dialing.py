"""The only module of the package's tools that opens TCP connections, and only to addresses that the rules allow.

It is httpcore's network backend, so no HTTP request can bypass the rules: neither that of a redirect, nor one to a name
whose second resolution differs (DNS rebinding), because the address that was checked is the one that is dialled. The
environment's proxies are not known here: a proxy would resolve the name again, where nobody checks. No HTTP here.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Any

import httpcore

from .addresses import Address
from .resolution import Lookup
from .unreachable import Unreachable

MAX_ADDRESSES = 4
"""Addresses tried of one name; without it a name with hundreds of dead addresses takes all of a call's time."""

CONNECT_SECONDS = 2.5
"""Timeout for one address. An address that takes longer would not serve people well either."""

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the checked addresses of a name, one after the other, until one answers."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._plain = httpcore.AnyIOBackend()
        self._opened: set[OpenedStream] = set()

    async def aclose(self) -> None:
        """Close all connections that are still open."""
        while self._opened:
            with contextlib.suppress(httpcore.NetworkError, OSError):
                await self._opened.pop().aclose()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> OpenedStream:
        """Raises Unreachable: refused by the rules, or none of the addresses answered."""
        if port not in self._lookup.rules.ports:
            raise Unreachable("refused_port", f"port {port} is not one that may be connected to")
        seconds = min(timeout or CONNECT_SECONDS, CONNECT_SECONDS)
        allowed = await self._lookup.allowed(host)
        for address in _alternating(allowed)[:MAX_ADDRESSES]:
            try:
                return await self._connect(address, port, seconds)
            except httpcore.ConnectTimeout:
                problem = f"{address} port {port} did not answer"
            except httpcore.ConnectError:
                problem = f"{address} port {port} refused the connection or cannot be reached"
        raise Unreachable("no_connection", problem)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's interface
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Always raises Unreachable: a socket of this machine is no server of the internet."""
        raise Unreachable("refused_address", "a socket of this machine may not be connected to")

    async def _connect(self, address: Address, port: int, seconds: float) -> OpenedStream:
        # Checked again immediately before connecting, so that a change of the code above cannot bypass the rules.
        if (reason := self._lookup.rules.refusal(address)) is not None:
            raise Unreachable("refused_address", f"{address} is {reason}")
        stream = OpenedStream(await self._plain.connect_tcp(str(address), port, timeout=seconds), self._opened)
        if peer_of(stream) != str(address):
            await stream.aclose()
            raise Unreachable("refused_address", f"the connection to {address} did not arrive there")
        return stream


class OpenedStream(httpcore.AsyncNetworkStream):
    """A connection that is closed with its backend at the latest, and at once when its TLS handshake does not succeed:
    httpcore loses one that is cancelled there."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, opened: set[OpenedStream]) -> None:
        self._stream = stream
        self._opened = opened
        opened.add(self)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        self._opened.discard(self)
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> OpenedStream:
        try:
            secured = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with contextlib.suppress(httpcore.NetworkError, OSError):
                await self.aclose()
            raise
        self._opened.discard(self)
        return OpenedStream(secured, self._opened)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def peer_of(stream: httpcore.AsyncNetworkStream) -> str:
    """The address at the other end of a connection."""
    return str(ip_address(stream.get_extra_info("server_addr")[0]))


def _alternating(addresses: tuple[Address, ...]) -> list[Address]:
    """The two families alternately, IPv6 first (RFC 8305, 4): an unreachable family does not use up all attempts."""
    six = [address for address in addresses if address.version == 6]
    four = [address for address in addresses if address.version == 4]
    return [address for address in chain.from_iterable(zip_longest(six, four)) if address is not None]
