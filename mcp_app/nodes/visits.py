"""Visits to authors' pages, known to all processes that share a log: which began, for whom, and which are completed.

What a visit is, and who waits for one, is in asking/visits.py.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable

from ..asking import VISIT_SECONDS, SharedVisit, Visit
from ..eventlog.records import StoredDocument
from ..eventlog.shared import RETRY_SECONDS, SharedLog
from ..protocol.errors import LogUnavailable
from ..protocol.event import decode, encode
from .letters import Letter
from .post import Post

logger = logging.getLogger("mcp_app.nodes")

VISIT_FORMAT = 1
"""The format of documents that this release writes; it reads this one and the one before."""


class SharedVisits:
    """A `VisitStore`. `now` is the log's clock."""

    def __init__(self, log: SharedLog, post: Post, now: Callable[[], float]) -> None:
        self._log = log
        self._post = post
        self._now = now
        self._begun: weakref.WeakValueDictionary[str, Visit] = weakref.WeakValueDictionary()
        post.on("visit.completed", self._completed_there)

    async def begin(self, visit: Visit) -> SharedVisit:
        """As `VisitStore.begin`."""
        self._begun[visit.id] = visit
        found = await self._log.put(_name(visit.id), _write(visit), self._now() + VISIT_SECONDS, version=0)
        return SharedVisit(visit.principal, visit.completed) if found is None or not found.value else _read(found)

    async def find(self, id: str) -> SharedVisit | None:  # noqa: A002 - the wire's name
        """As `VisitStore.find`."""
        found = await self._log.get(_name(id))
        return None if found is None else _read(found)

    def complete(self, visit: Visit) -> None:
        """As `VisitStore.complete`."""
        self._post.in_background(self._complete(visit), f"visit {visit.id[:8]} is completed")

    async def _complete(self, visit: Visit) -> None:
        until = self._now() + VISIT_SECONDS
        while self._now() < until:
            try:
                await self._log.put(_name(visit.id), _write(visit), until)
                await self._post.tell_all({"do": "visit.completed", "id": visit.id})
            except LogUnavailable:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            return
        logger.error("that a visit was completed could not be said to the other processes within its time")

    def _completed_there(self, letter: Letter) -> None:
        if (visit := self._begun.get(letter["id"])) is not None:
            visit.complete_here()


def _name(visit: str) -> str:
    return f"visit/{visit}"


def _write(visit: Visit) -> bytes:
    return encode({"format": VISIT_FORMAT, "principal": visit.principal, "completed": visit.completed})


def _read(found: StoredDocument) -> SharedVisit:
    known = decode(found.value)
    if known["format"] > VISIT_FORMAT:
        raise LogUnavailable("The visit was written by a newer release, which can answer.")
    return SharedVisit(known["principal"], known["completed"])
