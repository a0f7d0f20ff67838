"""The tickets route, and what a request with a ticket may ask for. Which tickets there are is known in tickets.py.

A ticket stands in the query, as an EventSource can send nothing else, and goes no further than this: what follows sees
the request without it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from ..protocol import plain
from ..protocol.access import Access
from ..protocol.errors import InvalidCredentials, InvalidRequest, Unauthorized
from ..protocol.event import encode
from ..protocol.http import challenge, strict_json
from ..protocol.problems import problems
from ..web.guard import Guard
from ..web.messages import Answer, Request, check_content_type, json_answer
from .tickets import TICKET_SECONDS

PARAMETER = b"access_ticket"
"""Its name in the query: that of RFC 6750, 2.3, for a ticket. A tool may have a parameter `ticket`."""

_HINT = 'POST {"run": KEY} with the key that the EventSource will have as run=KEY.'
_FIELD = re.compile(rb"(?:^|&)access_ticket=([^&]*)")

Ended = Callable[[Access], Awaitable[bool]]
"""Whether what a caller was given this access for holds no more."""


class TicketStore(Protocol):
    """The tickets that were given out: `Tickets` of this process, or `SharedTickets` of all that share a log."""

    async def issue(self, access: Access, run_key: str, now: float) -> str:
        """A new ticket of this access for this run key."""

    async def access(self, text: str, now: float) -> Access:
        """What the ticket gives. Raises Unauthorized for one that is not good, or not any more."""

    async def started(self, access: Access) -> None:
        """A request with a ticket's access has been answered: if there is a run now, the ticket is for that one."""

    async def end(self, access: Access) -> None:
        """The credentials that a ticket was made with hold no more: neither does it."""


class TicketBody(BaseModel):
    """What a ticket is asked for: `run` is a run key, or the id of a detached run."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    run: str


class Ticketing:
    """Gives tickets out, and takes them. `clock` returns seconds since the epoch."""

    def __init__(
        self,
        tickets: TicketStore,
        guard: Guard,
        ended: Ended,
        events_path: str,
        runs_path: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tickets = tickets
        self._guard = guard
        self._ended = ended
        self._events_path = events_path
        self._runs_path = runs_path
        self._clock = clock

    async def create(self, request: Request) -> Answer:
        """A ticket for the caller's run key: 201, as it is made and has no address of its own."""
        self._guard.check_start(request)
        check_content_type(request)
        run_key = _run_key(request.body)
        ticket = await self._tickets.issue(request.access, run_key, self._clock())
        return json_answer(201, encode({"ticket": ticket, "run": run_key, "expires_in": int(TICKET_SECONDS)}))

    async def admit(self, request: Request) -> Access:
        """The access of the ticket's caller. The request goes on without the ticket.

        Raises InvalidCredentials for two credentials, Unauthorized for a ticket that is not good for this request.
        """
        found = _FIELD.findall(request.query)
        if len(found) > 1 or "authorization" in request.headers:
            raise InvalidCredentials(
                "The request has a ticket, and other credentials beside it.",
                hint="Send one: access_ticket=TICKET in the query, once, or the Authorization field.",
            )
        text = found[0].decode("latin-1")
        access = await self._tickets.access(text, self._clock())
        if await self._ended(access):
            await self._tickets.end(access)
            access = await self._tickets.access(text, self._clock())
        rest = _FIELD.sub(b"", request.query).removeprefix(b"&")
        if not self._is_open(request, rest, access.run_key):
            raise Unauthorized(
                "A ticket opens the events of its own run, and nothing else.",
                headers={challenge.FIELD: challenge.bearer("invalid_token")},
            )
        request.query = rest
        return access

    async def answered(self, request: Request, answer: Awaitable[Answer]) -> Answer:
        """The answer to a request with a ticket, which may have started its run, whatever has become of it."""
        try:
            return await answer
        finally:
            await self._tickets.started(request.access)

    def _is_open(self, request: Request, query: bytes, key: str | None) -> bool:
        if request.method not in {"GET", "HEAD"}:
            return False
        if request.path == self._events_path:
            return plain.parse_query(query).key == key
        return request.path == f"{self._runs_path}/{key}/events"


def has_ticket(request: Request) -> bool:
    """Whether the query has a ticket, which a preflight only names."""
    return request.method != "OPTIONS" and PARAMETER in request.query and _FIELD.search(request.query) is not None


def _run_key(body: bytes) -> str:
    try:
        asked = TicketBody.model_validate(strict_json.loads(body))
    except ValidationError as error:
        details = problems(error)
        where = details[0]["field"] or "body"
        raise InvalidRequest(f"{where}: {details[0]['problem']}.", hint=_HINT, details=details) from None
    if not plain.KEY.fullmatch(asked.run):
        raise InvalidRequest("run is not a key: 16 to 128 characters of A-Z, a-z, 0-9, _ and -.", hint=_HINT)
    return asked.run
