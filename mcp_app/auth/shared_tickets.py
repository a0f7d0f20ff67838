"""The tickets of all processes that share a log: one that was given out by any of them is good at all.

A ticket is a document, found by its digest. A `TicketStore`, as `Tickets` of one process is: what tickets are good for
is said there.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from ..eventlog.shared import SharedLog
from ..protocol.access import Access
from ..protocol.event import decode, encode
from .tickets import PREFIX, TICKET_SECONDS, digest, not_known

FindRun = Callable[[str, str], Awaitable[str | None]]
"""(principal, run key) -> the id of the run that the key finds, wherever it is worked on; None for none."""


class SharedTickets:
    """`now` is the log's clock: seconds since the epoch. `run_seconds`: how long a run may be there, from its start
    until it is forgotten. How many tickets one principal has is bounded by its requests, as each that is not used is
    there for TICKET_SECONDS. All methods raise LogUnavailable."""

    def __init__(self, log: SharedLog, now: Callable[[], float], find_run: FindRun, run_seconds: float) -> None:
        self._log = log
        self._now = now
        self._find_run = find_run
        self._run_seconds = run_seconds

    async def issue(self, access: Access, run_key: str, now: float) -> str:
        """As `Tickets.issue`."""
        text = PREFIX + secrets.token_urlsafe(32)
        run = await self._find_run(access.principal, run_key)
        start_by = self._now() + TICKET_SECONDS
        issued = {"access": _fields(replace(access, run_key=run_key)), "start_by": start_by, "run": run}
        await self._put(digest(text).hex(), issued)
        return text

    async def access(self, text: str, now: float) -> Access:
        """As `Tickets.access`. Raises Unauthorized."""
        name = digest(text).hex()
        issued = await self._get(name)
        if issued is None:
            raise not_known()
        access = replace(_access(issued["access"]), ticket=name)
        run = None if issued["run"] is None else await self._find_run(access.principal, access.run_key or "")
        in_time = self._now() < issued["start_by"] if issued["run"] is None else run == issued["run"]
        if not in_time or now >= (math.inf if access.expires is None else access.expires):
            await self.end(access)
            raise not_known()
        return access

    async def started(self, access: Access) -> None:
        """As `Tickets.started`, for the ticket that was used; another one for the same key is for that run from its own
        first use on."""
        issued = await self._get(access.ticket)
        if issued is not None and issued["run"] is None:
            run = await self._find_run(access.principal, access.run_key or "")
            if run is not None:
                await self._put(access.ticket, {**issued, "run": run})

    async def end(self, access: Access) -> None:
        """Forget the ticket that this access is of."""
        await self._log.delete(_name(access.ticket))

    async def _get(self, ticket: str) -> dict[str, Any] | None:
        document = await self._log.get(_name(ticket))
        return None if document is None else decode(document.value)

    async def _put(self, ticket: str, issued: Mapping[str, Any]) -> None:
        until = issued["start_by"] if issued["run"] is None else self._now() + self._run_seconds
        await self._log.put(_name(ticket), encode(issued), until)


def _name(ticket: str) -> str:
    return f"ticket/{ticket}"


def _fields(access: Access) -> dict[str, Any]:
    return {
        "principal": access.principal,
        "scopes": None if access.scopes is None else sorted(access.scopes),
        "steps_up": access.steps_up,
        "expires": access.expires,
        "claims": dict(access.claims),
        "credential": access.credential,
        "run_key": access.run_key,
    }


def _access(fields: Mapping[str, Any]) -> Access:
    scopes = fields["scopes"]
    return Access(**{**fields, "scopes": None if scopes is None else frozenset(scopes)})
