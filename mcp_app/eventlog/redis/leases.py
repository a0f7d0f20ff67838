"""The renewal of a lease, by a thread: a tool may hold the event loop, and its node lives all the same.

It blocks, on a connection of its own, by redis-py's clients for threads; each attempt is bounded, and repeated by the
thread. PEXPIRE of what is there is one command, and one that Redis takes also where its memory is full.
"""

from __future__ import annotations

import threading
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

from ...protocol.errors import Fenced
from .address import RedisAddress, RedisKind
from .faults import LOSSES, unavailable

SOCKET_SECONDS = 2.0
"""For connecting and for an answer: with RENEW_SECONDS between two attempts, two may fail before a lease is over."""


# Their constructors have no types, or none that fit keyword arguments from a URL.
_Redis: Any = Redis
_Sentinel: Any = Sentinel
_RedisCluster: Any = RedisCluster
_ClusterNode: Any = ClusterNode


class Renewal:
    """Connects when it is used, and anew after a failure."""

    def __init__(self, address: RedisAddress) -> None:
        self._address = address
        self._client: Any = None
        self._closed = False
        self._lock = threading.Lock()

    def renew(self, key: bytes, milliseconds: int) -> None:
        """Raises Fenced where the lease is over, LogUnavailable where nobody says."""
        with self._lock:
            if self._closed:
                raise unavailable()
            try:
                if self._client is None:
                    self._client = self._connect()
                there = self._client.pexpire(key, milliseconds)
            except LOSSES as error:
                self._drop()
                raise unavailable() from error
        if not there:
            raise Fenced("the lease is over")

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._drop()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connect(self) -> Any:
        address = self._address
        once: dict[str, Any] = {
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        if address.tls:
            once["ssl"] = True
        (host, port), options = address.hosts[0], dict(address.options)
        if address.kind is RedisKind.SERVER:
            return _Redis(host=host, port=port, **once, **options)
        if address.kind is RedisKind.SENTINEL:
            asking = _Sentinel(address.hosts, sentinel_kwargs={**once, **address.sentinel_options})
            return asking.master_for(address.service, **once, **options)
        return _RedisCluster(
            startup_nodes=[_ClusterNode(*each) for each in address.hosts],
            require_full_coverage=False,
            **once,
            **options,
        )
