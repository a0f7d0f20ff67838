"""Fills in where a request comes from, by what trusted proxies say of it: address, scheme, and host.

Whom to trust, and how their fields are read, is in protocol/http/forwarded.py. Nothing is refused here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..protocol.http.forwarded import TrustedProxies
from ..protocol.payer import network_of
from .messages import Request

logger = logging.getLogger("mcp_app.forwarding")

_UNNAMED = (
    "requests come through a proxy on this machine (they have %s) that MCP_APP_TRUSTED_PROXIES does not name: all its "
    "callers have one address, %s, in the log, and no default limit holds for them. Name it, or have it remove that "
    "field"
)
_TORN = (
    "a request through the proxy %s has Forwarded and X-Forwarded-For that name two clients, and neither is believed: "
    "the proxy must remove the one that it does not write"
)


class Forwarding:
    """`exposed`: whether other machines reach the server, so that a proxy which is not named is worth a line."""

    def __init__(self, proxies: TrustedProxies, *, exposed: bool, log: Callable[..., object] = logger.warning) -> None:
        self._proxies = proxies
        self._exposed = exposed
        self._log = log
        self._logged: set[str] = set()

    def apply(self, request: Request) -> None:
        """Fill in the client's address, and scheme and host as it has used them. Of a stranger nothing is believed."""
        headers = request.headers
        forwarded, x_for = headers.get("forwarded"), headers.get("x-forwarded-for")
        if forwarded is None and x_for is None and "x-forwarded-proto" not in headers:
            return
        peer = request.peer
        if not self._proxies.trusts(peer):
            if self._exposed and network_of(peer)[1]:
                self._say(_UNNAMED, "X-Forwarded-For" if forwarded is None else "Forwarded", peer)
            return
        origin = self._proxies.origin(
            peer, forwarded, x_for, headers.get("x-forwarded-proto"), headers.get("x-forwarded-host")
        )
        if origin.torn:
            self._say(_TORN, peer)
        request.peer = origin.client
        if origin.scheme is not None:
            request.scheme = origin.scheme
        if origin.host is not None:
            request.headers = {**headers, "host": origin.host}

    def _say(self, line: str, *words: str) -> None:
        """Once: it is about the configuration, and anybody may send such a request."""
        if line not in self._logged:
            self._logged.add(line)
            self._log(line, *words)
