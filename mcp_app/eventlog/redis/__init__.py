"""The event log on Redis 7 or Valkey, for as many machines as it takes: one server, one behind Sentinels, or a Cluster.

docs/how-to-redis.md says what it survives. Nothing here knows tools, HTTP or the meaning of an event, and no
other log is imported. The package `redis` (extra `redis`) gives connections with their handshake; what goes over them
is here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from redis.exceptions import ResponseError

from ...protocol.errors import LogRefused, LogUnavailable
from .address import RedisKind, read_address
from .cipher import Cipher, NoCipher
from .client import RedisClient
from .faults import Lost, reason
from .leases import Renewal
from .store_documents import DocumentStore
from .store_nodes import LEASE_MS
from .store_runs import RunStore
from .wakeups import Wakeups

TEND_SECONDS = 5.0
"""Between two looks after the connections: so soon a connection that is dead is noticed, and a failover."""

__all__ = ["RedisLog"]


class RedisLog(RunStore, DocumentStore):
    """A `SharedLog` on Redis.

    `url` is that of MCP_APP_EVENT_LOG, `secrets` those of MCP_APP_SECRET, `replicas` MCP_APP_LOG_REPLICAS: how many
    replicas have what was written before anybody sees it. Raises LogRefused for a URL that cannot be one.
    """

    def __init__(self, url: str, secrets: Sequence[str], replicas: int = 0) -> None:
        address = read_address(url)
        if not secrets:
            raise LogRefused(
                "Processes that share a log must share MCP_APP_SECRET, too, and it is not set. Set it to the same long"
                " random text for all of them: it seals what clients hold, and encrypts what is stored (?encrypt=1)."
            )
        client = RedisClient(address, replicas, self._other_history)
        super().__init__(client, Wakeups(client), Cipher(secrets) if address.encrypt else NoCipher(), replicas)
        self._renewal = Renewal(address)
        self._tending: asyncio.Task[None] | None = None
        self._poked = asyncio.Event()
        self._unsure: set[str] = set()

    async def open(self) -> None:
        address = self._client.address
        try:
            line = await self._client.line(self._nodes_key)
            await line.link()
        except Lost as error:
            raise LogRefused(
                f"{address} cannot be reached: {reason(error).rstrip('.')}. Is MCP_APP_EVENT_LOG right?"
            ) from error
        wrong = line.facts and line.facts.never(address.kind is RedisKind.CLUSTER)
        if wrong:
            raise LogRefused(f"{address} cannot hold the event log. {wrong}")
        try:
            await line.call("EXISTS", self._nodes_key)
        except (Lost, ResponseError) as error:
            raise LogRefused(f"{address} refuses: {reason(error)}") from error
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend())

    async def close(self) -> None:
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait([self._tending])
        await self._wakeups.close()
        await self._client.close()
        self._renewal.close()

    def renew(self, node: str) -> None:
        self._renewal.renew(self._node_key(node, "lease"), LEASE_MS)

    def _other_history(self) -> None:
        """A replica has taken over, or the server was restarted: it may lack what was written last."""
        self._histories += 1
        self._unsure.update(self._owned)
        self._wakeups.ring_all()
        self._poked.set()

    async def _tend(self) -> None:
        """Look after the connections, and after what another primary must be told."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TEND_SECONDS):
                    await self._poked.wait()
            self._poked.clear()
            await self._client.keep_alive()
            self._wakeups.keep_alive()
            with contextlib.suppress(LogUnavailable):  # the next time, then
                for run in list(self._unsure):
                    await self._confirm(run)
                    self._unsure.discard(run)
