"""Nodes with their leases, and the messages to them. A lease is a key that Redis lets expire: only its clock counts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

from ...protocol.errors import Fenced, LogUnavailable
from ..shared import LEASE_SECONDS, MAX_MESSAGES, RECEIVE_MESSAGES
from . import scripts
from .faults import unavailable
from .store import Store

LEASE_MS = int(LEASE_SECONDS * 1000)


class NodeStore(Store):
    """Everything about nodes but their runs. `renew` is in leases.py: it has no event loop."""

    async def now(self) -> float:
        seconds, micros = await self._client.read(self._nodes_key, "TIME")
        return float(int(seconds) + int(micros) / 1e6)

    async def join(self) -> str:
        node = os.urandom(16).hex()
        # In this order: who is among the nodes without a lease is dead, and tidied up.
        await self._client.write(self._node_key(node, "lease"), "SET", self._node_key(node, "lease"), 1, "PX", LEASE_MS)
        await self._client.write(self._nodes_key, "SADD", self._nodes_key, node)
        self._forget_dead(await self.nodes())
        return node

    async def leave(self, node: str) -> None:
        keys = self._node_key(node, "lease"), self._node_key(node, "messages")
        await self._client.run(scripts.LEAVE, keys)
        self._received.pop(node, None)
        self._compared.pop(node, None)

    async def nodes(self) -> frozenset[str]:
        return (await self._living_and_dead())[0]

    async def send(self, node: str, message: bytes) -> bool:
        keys = self._node_key(node, "lease"), self._node_key(node, "messages")
        answer = await self._client.run(scripts.SEND, keys, self._cipher.seal(f"node/{node}", message), MAX_MESSAGES)
        if answer == b"full":
            raise unavailable()
        return bool(answer == b"sent")

    async def publish(self, sender: str, message: bytes) -> None:
        others = await self.nodes() - {sender}
        done = await asyncio.gather(*(self.send(node, message) for node in others), return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                raise each

    async def receive(self, node: str, until: float) -> list[bytes]:
        """Raises LogUnavailable also once after each failover or restart that this process sees: its owner compares
        what it has written with what there is."""
        keys = self._node_key(node, "lease"), self._node_key(node, "messages")
        bell = self._wakeups.enter(keys[0])
        self._compared.setdefault(node, self._histories)
        try:
            while True:
                if self._compared[node] != self._histories:
                    self._compared[node] = self._histories
                    raise unavailable()
                if until > asyncio.get_running_loop().time():
                    await self._wakeups.listen(bell)
                rung, acknowledged = bell.rung, self._received.get(node, b"")
                found = await self._client.run(scripts.RECEIVE, keys, acknowledged, RECEIVE_MESSAGES, writes=False)
                if found:
                    self._received[node] = _next_id(found[-1][0])
                    if messages := list(self._readable(node, found)):
                        return messages
                    continue
                self._received.pop(node, None)
                if not await self._wakeups.wait(bell, rung, until):
                    return []
        finally:
            self._wakeups.leave(bell)

    def _readable(self, node: str, found: list[Any]) -> Iterator[bytes]:
        """Without those of nodes that have another secret: the operator's log says so."""
        for _, fields in found:
            try:
                yield self._opened(f"node/{node}", fields[1])
            except LogUnavailable:
                continue

    async def _living_and_dead(self) -> tuple[frozenset[str], frozenset[str]]:
        known = [each.decode() for each in await self._client.read(self._nodes_key, "SMEMBERS", self._nodes_key)]
        keys = [self._node_key(node, "lease") for node in known]
        alive = await asyncio.gather(*(self._client.read(key, "EXISTS", key) for key in keys))
        living = frozenset(node for node, lives in zip(known, alive, strict=True) if lives)
        return living, frozenset(known) - living

    async def _working(self) -> int:
        """How many runs are worked on, by all nodes."""
        living, dead = await self._living_and_dead()
        keys = [self._node_key(node, "runs") for node in living | dead]
        return sum(await asyncio.gather(*(self._client.read(key, "SCARD", key) for key in keys)))

    def _forget_dead(self, living: frozenset[str]) -> None:
        """What is known here for nodes that this process was before."""
        self._owned = {run: owned for run, owned in self._owned.items() if owned.node in living}
        self._received = {node: first for node, first in self._received.items() if node in living}
        self._compared = {node: count for node, count in self._compared.items() if node in living}

    async def _hold(self, node: str, run: str) -> None:
        """Whoever takes over from the node will find the run. Raises Fenced when it has no lease."""
        keys = self._node_key(node, "lease"), self._node_key(node, "runs")
        if not await self._client.run(scripts.HOLD, keys, run):
            raise Fenced(f"node {node} has lost its lease")

    async def _release(self, node: str, run: str) -> None:
        """Where it fails, the run stays there until the node is tidied up."""
        await self._client.tell(self._node_key(node, "runs"), "SREM", self._node_key(node, "runs"), run)

    async def _tidy(self, node: str) -> None:
        """Forget a dead node that has no run."""
        try:
            runs, messages = self._node_key(node, "runs"), self._node_key(node, "messages")
            if not await self._client.read(runs, "EXISTS", runs):
                await self._client.write(messages, "DEL", messages)
                await self._client.write(self._nodes_key, "SREM", self._nodes_key, node)
        except LogUnavailable:
            pass  # the next one does it: each node looks every five seconds


def _next_id(last: bytes) -> bytes:
    """The smallest id of a stream behind this one."""
    at, _, count = last.partition(b"-")
    return b"%s-%d" % (at, int(count) + 1)
