"""The only module of a scan that opens TCP connections, and only to addresses that the policy has checked.

It is httpcore's network backend, and the TLS step calls it too, so no connection can bypass the policy: neither that of
a redirect, nor one to a name whose second resolution differs (DNS rebinding), because a name is resolved only once.
No HTTP and no certificates here.
"""

import contextlib
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import chain, zip_longest

import httpcore

from mcp_app.builtin.scan_domain.address_policy import Address
from mcp_app.builtin.scan_domain.resolution import Lookup
from mcp_app.builtin.scan_domain.unreachable import Unreachable

MAX_ADDRESSES = 4
"""Addresses tried of one name; without it a name with hundreds of dead addresses takes all of a step's time."""

CONNECT_SECONDS = 2.5
"""Timeout for one address. An address that takes longer would not serve people well either."""

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the checked addresses of a name, one after the other, until one answers."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._plain = httpcore.AnyIOBackend()
        self._opened: list[httpcore.AsyncNetworkStream] = []

    async def aclose(self) -> None:
        """Close all open connections: httpcore does not close one that is cancelled during its TLS handshake."""
        for stream in self._opened:
            with contextlib.suppress(httpcore.NetworkError, OSError):
                await stream.aclose()
        self._opened.clear()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises Unreachable: refused by the policy, or none of the addresses answered."""
        if port not in self._lookup.settings.ports:
            raise Unreachable("refused_port", f"port {port} is not one that a scan connects to")
        seconds = min(timeout or CONNECT_SECONDS, CONNECT_SECONDS)
        problem = ""
        for address in _alternating(await self._lookup.allowed(host))[:MAX_ADDRESSES]:
            try:
                return await self._connect(address, port, seconds)
            except httpcore.ConnectTimeout:
                problem = f"{address} port {port} did not answer"
            except httpcore.ConnectError:
                problem = f"{address} port {port} refused the connection or cannot be reached"
        raise Unreachable("no_connection", problem)

    async def _connect(self, address: Address, port: int, seconds: float) -> httpcore.AsyncNetworkStream:
        # Checked again immediately before connecting, so that a change of the code above cannot bypass the policy.
        if (reason := self._lookup.refusal(address)) is not None:
            raise Unreachable("refused_address", f"{address} is {reason}")
        stream = await self._plain.connect_tcp(str(address), port, timeout=seconds)
        self._opened.append(stream)
        if peer_of(stream) != str(address):
            raise Unreachable("refused_address", f"the connection to {address} did not arrive there")
        return stream


def peer_of(stream: httpcore.AsyncNetworkStream) -> str:
    """The address at the other end of a connection."""
    return str(ip_address(stream.get_extra_info("server_addr")[0]))


def _alternating(addresses: tuple[Address, ...]) -> list[Address]:
    """The two families alternately, IPv6 first (RFC 8305, 4): an unreachable family does not use up all attempts."""
    six = [address for address in addresses if address.version == 6]
    four = [address for address in addresses if address.version == 4]
    return [address for address in chain.from_iterable(zip_longest(six, four)) if address is not None]
