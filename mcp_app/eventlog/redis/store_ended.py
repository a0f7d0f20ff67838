"""Runs that have ended, in the order of their ends, with their sizes and whose they are: for the quotas. Each run
itself Redis lets expire; it is crossed out here later.

Keys, all in one slot, behind `{ended}:`: sorted sets `order` (when each run ended, in microseconds), `until` and `read`
(when it expires, and until when somebody reads it, in milliseconds), `counts` and `bytes` (of each principal); a hash
`runs`; a number `total`, the bytes of all.
"""

from __future__ import annotations

import math
import os
from typing import NamedTuple

from ..quota import KeptRun, Quota
from . import scripts_ended as scripts
from .store import Store

_KEYS = tuple(b"{ended}:" + each for each in (b"order", b"runs", b"until", b"read", b"counts", b"bytes", b"total"))

LISTED_AT_ONCE = 1000
"""Runs of one answer: milliseconds of this process' event loop."""

SWEEPING_MS = 30_000
"""How long one node has the list to itself, unless it is done before: it takes a second for 100,000 runs."""


class Totals(NamedTuple):
    """`expired`: how many were crossed out just now. `most_runs` and `most_bytes` are those of the principal that has
    most of them."""

    expired: int
    runs: int
    bytes: int
    most_runs: int
    most_bytes: int

    def within(self, quota: Quota) -> bool:
        """Whether nothing is to be forgotten."""
        return (
            self.runs <= quota.runs
            and self.bytes <= quota.bytes
            and self.most_runs <= quota.principal_runs
            and self.most_bytes <= quota.principal_bytes
        )


class EndedStore(Store):
    """The list of runs that have ended."""

    async def _list_ended(self, run: str, principal: str, size: int, until: float) -> None:
        about = size, self._cipher.mark(principal), math.ceil(until * 1000)
        await self._client.run(scripts.LIST_ENDED, self._ended_keys, run, *about)

    async def _list_read(self, run: str, until: float) -> None:
        """Does nothing for one that has not ended."""
        await self._client.run(scripts.LIST_READ, self._ended_keys, run, math.ceil(until * 1000))

    async def _unlist(self, run: str, *, though_read: bool) -> bool:
        """Whether it was there, and not read unless that does not matter."""
        return bool(await self._client.run(scripts.UNLIST, self._ended_keys, run, int(though_read)))

    async def _totals(self) -> Totals:
        expired = 0
        while True:
            totals = Totals(*(int(float(each)) for each in await self._client.run(scripts.TOTALS, self._ended_keys)))
            expired += totals.expired
            if totals.expired < scripts.EXPIRED_AT_ONCE:
                return totals._replace(expired=expired)

    async def _listed(self) -> list[KeptRun]:
        """All of them, in the order of their ends. Some may be missed, as others go meanwhile: until the next time."""
        kept: dict[str, KeptRun] = {}
        while True:
            answer = await self._client.run(
                scripts.LISTED, self._ended_keys, len(kept), len(kept) + LISTED_AT_ONCE - 1, writes=False
            )
            for run, about, read in zip(*answer, strict=True):
                size, _, principal = about.decode().partition(" ")
                kept[run.decode()] = KeptRun(run.decode(), principal, int(size), read is not None)
            if len(answer[0]) < LISTED_AT_ONCE:
                return list(kept.values())

    async def _alone(self) -> bytes | None:
        """A token for the list; None while another node has it: one is enough to look at all of it."""
        key, token = self._prefix + b"{ended}:sweeping", os.urandom(8).hex().encode()
        taken = await self._client.write(key, "SET", key, token, "NX", "PX", SWEEPING_MS)
        return token if taken else None

    async def _done(self, token: bytes) -> None:
        await self._client.run(scripts.RELEASE, (self._prefix + b"{ended}:sweeping",), token)

    @property
    def _ended_keys(self) -> tuple[bytes, ...]:
        return tuple(self._prefix + key for key in _KEYS)
