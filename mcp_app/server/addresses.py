"""Bind addresses: whether they are loopback, and the URLs of the sockets bound to them.

Pure, except for reading the name of a bound socket. No socket is created here.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from hypercorn.config import Sockets

WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound


def is_loopback(bind: str) -> bool:
    """Whether only this machine can reach `bind`, in Hypercorn's notation (host:port, [host]:port, unix:, fd://).

    A name other than localhost counts as reachable from outside: what it resolves to may change. An inherited socket
    (`fd://`) is judged by its own address.
    """
    if bind.startswith("unix:"):
        return True
    if bind.startswith("fd://"):
        return _is_loopback_descriptor(bind.removeprefix("fd://"))
    host = split(bind)[0]
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def split(bind: str) -> tuple[str, int]:
    """Host and port of a TCP bind, parsed as Hypercorn parses it: the default port is 8000."""
    plain = bind.replace("[", "").replace("]", "")
    host, separator, port = plain.rpartition(":")
    if separator and port.isdecimal():
        return host, int(port)
    return plain, 8000


def urls(sockets: Sockets) -> list[str]:
    """The URLs of the bound sockets, TLS first, each with its actual port."""
    secure = (_url("https", sock) for sock in sockets.secure_sockets)
    plain = (_url("http", sock) for sock in sockets.insecure_sockets)
    return [url for url in (*secure, *plain) if url is not None]


def exposed_binds(binds: Iterable[str]) -> Sequence[str]:
    """Those of `binds` that other machines can reach."""
    return [bind for bind in binds if not is_loopback(bind)]


def _url(scheme: str, sock: socket.socket) -> str | None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    host, port = sock.getsockname()[:2]
    if host in WILDCARDS or host == "127.0.0.1":
        # The name used by the tutorial, the certificate and the Host check.
        return f"{scheme}://localhost:{port}"
    return f"{scheme}://[{host}]:{port}" if sock.family == socket.AF_INET6 else f"{scheme}://{host}:{port}"


def _is_loopback_descriptor(number: str) -> bool:
    try:
        with socket.socket(fileno=int(number)) as sock:
            try:
                name = sock.getsockname()
            finally:
                sock.detach()  # stays open for Hypercorn
    except (ValueError, OSError):
        return False
    return not isinstance(name, tuple) or ip_address(name[0]).is_loopback
