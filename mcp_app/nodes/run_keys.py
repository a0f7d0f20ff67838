"""The callers' own names for runs, as documents: two requests with one key start one run, on whichever nodes.

How a key is found in this process is known in runs/keys.py.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import NamedTuple

from ..eventlog.records import RunRecord, StoredDocument
from ..eventlog.shared import LEASE_SECONDS, SharedLog
from ..protocol.errors import LogUnavailable, UnknownRun
from ..protocol.event import decode, encode
from ..runs import KeyTaken
from ..runs.keys import check_digest, frees_its_key

WAIT_SECONDS = 5.0
"""How long a run is waited for whose key is taken, and that is about to be published."""

POLL_SECONDS = 0.1
"""Between two looks for it: it takes as long as two writes to the log."""


class _Claim(NamedTuple):
    """What the document of a key says: the run, its call, the node that starts it, and when (the log's clock)."""

    run: str
    digest: bytes
    owner: str
    at: float
    version: int


class SharedRunKeys:
    """Keys of all nodes. `now` is the log's clock."""

    def __init__(self, log: SharedLog, now: Callable[[], float]) -> None:
        self._log = log
        self._now = now

    async def claim(self, principal: str, key: str, run: str, digest: bytes, owner: str, until: float) -> None:
        """Make the key that of a run which is about to begin. Raises KeyTaken, LogUnavailable."""
        name = _name(principal, key)
        value = encode({"run": run, "digest": digest.hex(), "owner": owner, "at": self._now()})
        there = await self._log.put(name, value, until, version=0)
        if there is None:
            return
        if there.version and await self._is_taken(claim := _read(there)) and claim.run != run:
            raise KeyTaken(f"run {claim.run} was started with this key")
        if await self._log.put(name, value, until, version=there.version) is not None:
            raise KeyTaken("a run was started with this key a moment ago")

    async def find(self, principal: str, key: str, digest: bytes | None) -> RunRecord | None:
        """The record of the run with that key; None if there is none, or none any more. It waits for one that is about
        to begin. Raises RunConflict, LogUnavailable."""
        document = await self._log.get(_name(principal, key))
        if document is None:
            return None
        claim = _read(document)
        check_digest(claim.digest, digest)
        return await self._begun(claim)

    async def _is_taken(self, claim: _Claim) -> bool:
        """Whether its run is there, or will be, and is the call's."""
        try:
            record = await self._log.record(claim.run)
        except UnknownRun:
            return self._is_beginning(claim) and claim.owner in await self._log.nodes()
        return not frees_its_key(record.code)

    async def _begun(self, claim: _Claim) -> RunRecord | None:
        for _ in range(round(WAIT_SECONDS / POLL_SECONDS)):
            try:
                return await self._log.record(claim.run)
            except UnknownRun:
                if not self._is_beginning(claim) or claim.owner not in await self._log.nodes():
                    return None
            await asyncio.sleep(POLL_SECONDS)
        raise LogUnavailable(
            "The run of this key is being started by another process, which does not answer.",
            headers={"Retry-After": "1"},
        )

    def _is_beginning(self, claim: _Claim) -> bool:
        """A node that has not published its run within this time has lost its lease, or has failed to."""
        return self._now() < claim.at + LEASE_SECONDS


def _name(principal: str, key: str) -> str:
    """Both may have any characters; a digest of them has not."""
    return "key/" + hashlib.sha256(encode([principal, key])).hexdigest()


def _read(document: StoredDocument) -> _Claim:
    fields = decode(document.value)
    return _Claim(fields["run"], bytes.fromhex(fields["digest"]), fields["owner"], fields["at"], document.version)
