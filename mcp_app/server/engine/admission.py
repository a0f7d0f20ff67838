"""How many connections there may be, in all and of one address, and which one makes room for another.

One that has no request can be closed at any time: its client opens another (RFC 9112, 9.3; RFC 9113, 9.1). So thousands
of them keep nobody out. Nothing is accepted or closed here, and no clock is read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from resource import RLIM_INFINITY

from ...protocol.payer import network_of

MAX_CONNECTIONS = "max_connections"
MAX_PER_ADDRESS = "max_connections_per_address"
"""Keys of hypercorn.toml that Hypercorn does not have; 0 is no bound."""

DEFAULTS = {MAX_CONNECTIONS: 10_000, MAX_PER_ADDRESS: 1000}
"""An idle TLS connection is 91 KiB. An office has one address, with one connection of each browser, or six over
HTTP/1.1."""

RESERVED = 64
"""Descriptors, or an eighth of them if that is more, that are not for connections: files, databases, what a tool opens,
and connections that are just being closed."""

LOCAL = "local"
"""The group of all connections from this machine: a proxy's, which speaks for many, so that it has no bound of its
own."""


def possible(configured: int, descriptors: int) -> int:
    """How many connections there may be in a process that may open so many descriptors; at least one."""
    if descriptors == RLIM_INFINITY:  # -1 on Linux
        descriptors = sys.maxsize
    most = max(1, descriptors - max(RESERVED, descriptors // 8))
    return min(configured or most, most)


def group(host: str) -> str:
    """Who is counted together: an IPv4 address, or the 64 bits of IPv6 that one site, or one household, has."""
    network, local = network_of(host)
    return LOCAL if local else network


class ConnectionPlace:
    """One connection's place. Set `idle_since` and `close` to what they are of the connection that takes it."""

    __slots__ = ("close", "group", "idle_since")

    def __init__(self, group: str, since: float, close: Callable[[], object]) -> None:
        self.group = group
        self.idle_since: Callable[[], float | None] = lambda: since
        """Since when it has no request; None while it has one."""
        self.close = close
        """Ends the connection now; called at most once."""


class Admission:
    """The places that are taken. `closed` and `refused` count since the start."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self.most = most
        self._most_per_address = most_per_address
        self._groups: dict[str, set[ConnectionPlace]] = {}
        self._taken = 0
        self.closed = 0
        """Idle connections that made room."""
        self.refused = 0

    def __len__(self) -> int:
        return self._taken

    def enter(self, place: ConnectionPlace) -> bool:
        """Take this place. Where there is none left, the connection that has been idle for longest is closed: of the
        same address, if that has as many as it may have, else of the one that has most. False if none is idle.
        """
        if self._is_full(place.group):
            given = self._give_up(place.group)
        elif self._taken >= self.most:
            by_size = sorted(self._groups, key=lambda name: len(self._groups[name]), reverse=True)
            given = any(self._give_up(name) for name in by_size)
        else:
            given = True
        if not given:
            self.refused += 1
            return False
        self._groups.setdefault(place.group, set()).add(place)
        self._taken += 1
        return True

    def rivals(self, group: str) -> int:
        """Among how many connections room is looked for, for another of this group."""
        return len(self._groups[group]) if self._is_full(group) else self._taken

    def leave(self, place: ConnectionPlace) -> None:
        """The connection has ended; nothing is done if it has made room already."""
        places = self._groups.get(place.group, set())
        if place in places:
            self._taken -= 1
            places.remove(place)
            if not places:
                del self._groups[place.group]

    def _is_full(self, group: str) -> bool:
        """Whether it has as many as one address may have."""
        own = len(self._groups.get(group, ()))
        return own >= self._most_per_address > 0 and group != LOCAL

    def _give_up(self, name: str) -> bool:
        idle = [(since, place) for place in self._groups[name] if (since := place.idle_since()) is not None]
        if not idle:
            return False
        _, longest = min(idle, key=lambda each: each[0])
        self.leave(longest)
        self.closed += 1
        longest.close()
        return True
