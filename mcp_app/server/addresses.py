"""Bind addresses: whether they are loopback, and the URLs of the sockets bound to them.

Pure, except for reading the name of a bound socket. No socket is created here.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from hypercorn.config import Sockets

from ..protocol.this_machine import is_this_machine

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
    return is_this_machine(split(bind)[0])


def split(bind: str) -> tuple[str, int]:
    """Host and port of a TCP bind, parsed as Hypercorn parses it: the default port is 8000."""
    plain = bind.replace("[", "").replace("]", "")
    host, separator, port = plain.rpartition(":")
    if separator and port.isdecimal():
        return host, int(port)
    return plain, 8000


def bind_of(sock: socket.socket) -> str:
    """The address of a bound socket, in the same notation."""
    name = sock.getsockname()
    if isinstance(name, tuple):
        return f"[{name[0]}]:{name[1]}" if sock.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"
    return f"unix:{name if isinstance(name, str) else name.decode('utf-8', 'surrogateescape')}"


def urls(sockets: Sockets) -> list[str]:
    """The URLs at which the bound sockets can be called, TLS first, each with its actual port."""
    of_scheme = (("https", sockets.secure_sockets), ("http", sockets.insecure_sockets))
    return [url for scheme, bound in of_scheme for url in _urls(scheme, bound)]


def admin_urls(bound: Sequence[socket.socket]) -> list[str]:
    """Likewise of the operators' address."""
    return _urls("http", bound)


def exposed_binds(binds: Iterable[str]) -> Sequence[str]:
    """Those of `binds` that other machines can reach."""
    return [bind for bind in binds if not is_loopback(bind)]


def are_inherited(binds: Iterable[str]) -> bool:
    """Whether whoever started this process has bound all of `binds`, and keeps them when it ends."""
    return all(bind.startswith("fd://") for bind in binds)


def _urls(scheme: str, bound: Sequence[socket.socket]) -> list[str]:
    """`localhost` where both of its addresses are served at the port, as a client may know either only."""
    names = [name for sock in bound for name in _names(sock)]
    both = {port for host, port in names if host == "127.0.0.1"} & {port for host, port in names if host == "[::1]"}
    found = (("localhost" if port in both and host in ("127.0.0.1", "[::1]") else host, port) for host, port in names)
    return list(dict.fromkeys(f"{scheme}://{host}:{port}" for host, port in found))


def _names(sock: socket.socket) -> list[tuple[str, int]]:
    """The address of a bound socket, and its port; loopback's for one that is bound to all."""
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return []
    host, port = sock.getsockname()[:2]
    if host == "::" and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        return [("127.0.0.1", port), ("[::1]", port)]
    if host in WILDCARDS:
        return [("[::1]" if sock.family == socket.AF_INET6 else "127.0.0.1", port)]
    return [(f"[{host}]" if sock.family == socket.AF_INET6 else host, port)]


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
