"""Where the primary of a key is: always here, where the Sentinels say, or where the Cluster's map of slots says.

Answers go out of date without notice: who finds that a server is not what it was thought to be says `doubt` or `moved`,
and asks again. The connections that carry the log are not made here.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from redis.asyncio.connection import Connection, SSLConnection

from .address import RedisAddress, RedisKind
from .faults import LOSSES, Lost, reason
from .link import Argument

Place = tuple[str, int]

CONNECT_SECONDS = 3.0
"""For TCP, TLS and the handshake with one server, and for one question to a Sentinel or a node of a Cluster."""


def connection(address: RedisAddress, place: Place, *, sentinel: bool = False) -> Connection:
    """Of redis-py, not connected. It repeats nothing and waits for nothing by itself: who uses it does."""
    kind = SSLConnection if address.tls else Connection
    options: dict[str, Any] = dict(address.sentinel_options if sentinel else address.options)
    return kind(
        host=place[0],
        port=place[1],
        protocol=2,  # pushes are then of subscriptions only, and Sentinels of 6 know it
        socket_timeout=None,
        socket_connect_timeout=CONNECT_SECONDS,
        **options,
    )


async def ask(address: RedisAddress, place: Place, *command: Argument, sentinel: bool = False) -> Any:
    """One question on a connection of its own. Raises one of LOSSES."""
    asking = connection(address, place, sentinel=sentinel)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asking.connect()  # type: ignore[no-untyped-call]
            await asking.send_command(*command)
            return await asking.read_response()
    finally:
        await asking.disconnect(nowait=True)


class FixedTopology:
    """One server, which may be a name or a proxy behind which others take turns."""

    def __init__(self, address: RedisAddress) -> None:
        self._place = address.hosts[0]

    async def primary(self, slot: int) -> Place:
        return self._place

    def doubt(self) -> None:
        """There is nobody else to ask."""

    def moved(self, slot: int, place: Place) -> None:
        raise Lost("it is a node of a Cluster: the URL begins with redis+cluster://")

    def knows(self, place: Place) -> bool:
        return True


class SentinelTopology:
    """Asks at each new connection, as the Sentinels' guide for clients demands: so a failover is followed."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address

    async def primary(self, slot: int) -> Place:
        """The first answer of a Sentinel. Raises Lost with what each of them said."""
        service, wrong = self._address.service, []
        for host, port in self._address.hosts:
            try:
                found = await ask(
                    self._address, (host, port), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", service, sentinel=True
                )
            except LOSSES as error:
                wrong.append(f"{host}:{port}: {reason(error)}")
                continue
            if found:
                return found[0].decode(), int(found[1])
            wrong.append(f"{host}:{port} knows no service {service!r}")
        raise Lost(f"no Sentinel names a primary ({'; '.join(wrong)})")

    def doubt(self) -> None:
        """It is asked each time."""

    def moved(self, slot: int, place: Place) -> None:
        raise Lost("it is a node of a Cluster: the URL begins with redis+cluster://")

    def knows(self, place: Place) -> bool:
        return True


class ClusterTopology:
    """The map of slots, read from any node that answers, again once it was doubted."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._map: list[tuple[int, int, Place]] = []
        self._moved: dict[int, Place] = {}
        self._doubted = True
        self._reading: asyncio.Task[None] | None = None

    async def primary(self, slot: int) -> Place:
        """Raises Lost when no node tells."""
        if self._doubted:
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
            await asyncio.shield(self._reading)
        if slot in self._moved:
            return self._moved[slot]
        for first, last, place in self._map:
            if first <= slot <= last:
                return place
        self._doubted = True
        raise Lost(f"no node of the Cluster has slot {slot}")

    def doubt(self) -> None:
        self._doubted = True

    def moved(self, slot: int, place: Place) -> None:
        """The server says itself where the slot is now."""
        self._moved[slot] = place
        self._doubted = True

    def knows(self, place: Place) -> bool:
        """Whether it is a primary, as far as was told."""
        return place in self._moved.values() or any(place == each for _, _, each in self._map)

    async def _read(self) -> None:
        try:
            known = [place for _, _, place in self._map] + list(self._address.hosts)
            random.shuffle(known)  # so that not all ask the same one
            wrong = []
            for place in dict.fromkeys(known):
                try:
                    answer = await ask(self._address, place, "CLUSTER SLOTS")
                except LOSSES as error:
                    wrong.append(f"{place[0]}:{place[1]}: {reason(error)}")
                    continue
                self._map = [
                    (int(first), int(last), (primary[0].decode() if primary[0] else place[0], int(primary[1])))
                    for first, last, primary, *_ in answer
                ]
                self._moved.clear()
                self._doubted = False
                return
            raise Lost(f"no node of the Cluster answers ({'; '.join(wrong)})")
        finally:
            self._reading = None


AnyTopology = FixedTopology | SentinelTopology | ClusterTopology


def topology(address: RedisAddress) -> AnyTopology:
    match address.kind:
        case RedisKind.SERVER:
            return FixedTopology(address)
        case RedisKind.SENTINEL:
            return SentinelTopology(address)
        case RedisKind.CLUSTER:
            return ClusterTopology(address)
