"""The event log on Redis 7 or Valkey, for as many machines as it takes: one server, one behind Sentinels, or a Cluster.

docs/how-to-share-a-log.md says what it survives. Nothing here knows tools, HTTP or the meaning of an event, and no
other log is imported. The package `redis` (extra `redis`) gives connections with their handshake; what goes over them
is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from redis.exceptions import ResponseError

from ...protocol.errors import LogRefused
from .address import RedisKind, read_address
from .cipher import Cipher, NoCipher
from .client import RedisClient
from .faults import Lost, reason
from .leases import Renewal
from .store_documents import DocumentStore
from .store_nodes import LEASE_MS
from .store_runs import RunStore
from .wakeups import Wakeups

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
        self._holding: asyncio.Task[None] | None = None

    async def open(self) -> None:
        address = self._client.address
        try:
            line = await self._client.line(self._nodes_key)
            await line.link()
        except Lost as error:
            raise LogRefused(f"{address} cannot be reached: {reason(error)}. Is MCP_APP_EVENT_LOG right?") from error
        wrong = line.facts and line.facts.never(address.kind is RedisKind.CLUSTER)
        if wrong:
            raise LogRefused(f"{address} cannot hold the event log. {wrong}")
        try:
            await line.call("EXISTS", self._nodes_key)
        except (Lost, ResponseError) as error:
            raise LogRefused(f"{address} refuses: {reason(error)}") from error

    async def close(self) -> None:
        if self._holding is not None:
            self._holding.cancel()
            await asyncio.wait([self._holding])
        await self._wakeups.close()
        await self._client.close()
        self._renewal.close()

    def renew(self, node: str) -> None:
        self._renewal.renew(self._node_key(node, "lease"), LEASE_MS)

    def _other_history(self) -> None:
        if self._holding is None or self._holding.done():
            self._holding = asyncio.create_task(self._hold_again())
        if self.recovered is not None:
            self.recovered()
