"""Binds the sockets of a configuration: all or none, with a clear message for an address that cannot be bound.

No application and no event loop here; which binds are allowed is decided in `configuration`.
"""

from __future__ import annotations

import errno
import socket

from hypercorn.config import Config, Sockets

from mcp_app.server.addresses import split
from mcp_app.server.errors import StartError
from mcp_app.server.tls_context import Tls

_REMEDIES = {
    errno.EADDRINUSE: "another process listens there: stop it, or choose another port with {option}",
    errno.EADDRNOTAVAIL: "this machine has no such address: choose another with {option}",
    errno.EACCES: "ports below 1024 need a privilege: choose another with {option}",
}


def bind(config: Config) -> Sockets:
    """Bind every address of `config`, with TLS if it has a certificate.

    Raises `StartError` naming the address that cannot be bound, or the certificate that cannot be used; then no socket
    stays bound.
    """
    if config.ssl_enabled:
        Tls(config)
    bound = Sockets([], [], [])
    try:
        main = bound.secure_sockets if config.ssl_enabled else bound.insecure_sockets
        for address in config.bind:
            main.extend(_bind(config, address, "--bind"))
        # Without a certificate Hypercorn serves `bind` unencrypted and ignores insecure_bind.
        for address in config.insecure_bind if config.ssl_enabled else ():
            bound.insecure_sockets.extend(_bind(config, address, "--insecure-bind"))
    except BaseException:
        close(bound)
        raise
    return bound


def bind_beside(config: Config, address: str) -> list[socket.socket]:
    """Bind an address for operators. Raises `StartError` likewise."""
    return _bind(config, address, "--admin-bind")


def close(sockets: Sockets) -> None:
    """Close all sockets; already closed ones are fine."""
    for sock in (*sockets.secure_sockets, *sockets.insecure_sockets, *sockets.quic_sockets):
        sock.close()


def _bind(config: Config, address: str, option: str) -> list[socket.socket]:
    """One socket; for `localhost` one of each family, as a client connects to whichever of them it finds first."""
    host, port = split(address)
    if host != "localhost":
        return _bind_one(config, address, option)
    for attempt in range(1, _ATTEMPTS + 1):
        sockets = _bind_one(config, f"127.0.0.1:{port}", option)
        chosen = sockets[0].getsockname()[1]
        try:
            return sockets + _bind_one(config, f"[::1]:{chosen}", option)
        except StartError as error:
            number = getattr(error.__cause__, "errno", None)
            if number in _NO_IPV6:
                return sockets
            sockets[0].close()
            if port != 0 or number != errno.EADDRINUSE or attempt == _ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


_ATTEMPTS = 10
"""For a port that the system chose, and that somebody has in the other family."""

_NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""As in many containers: then 127.0.0.1 alone is bound, and `addresses.urls` names it."""


def _bind_one(config: Config, address: str, option: str) -> list[socket.socket]:
    # A Config of one address, so that an error names it; only what Hypercorn reads while binding is copied.
    single = Config.from_mapping(bind=[address], workers=0, umask=config.umask, user=config.user, group=config.group)
    try:
        return single.create_sockets().insecure_sockets
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "choose another with {option}")
        raise StartError(f"cannot listen on {address}: {reason}; {remedy.format(option=option)}") from error
