"""Tickets: what a page that is not ours puts into an EventSource's query in place of its credentials, for one run.

An EventSource sends no Authorization. A ticket is made with one, and is good for one run key of one principal: for
TICKET_SECONDS it may start that run; from then on it opens that run until it is forgotten, or until the credentials
that it was made with end. Only a digest of it is kept. The clock is an argument; no request is known here.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..protocol.access import Access
from ..protocol.errors import Unauthorized
from ..protocol.http import challenge

TICKET_SECONDS = 60.0
"""Seconds in which a ticket may start its run: a page asks for one when it needs it, and what stands in a query may be
copied from there."""

PREFIX = "mcpt_"
"""By which a secret scanner knows it, and a person."""

MAX_PER_PRINCIPAL = 1000
"""Tickets of one principal; a further one takes the place of its oldest: a page needs one for each open stream."""

MAX_TICKETS = 10_000
"""Tickets of all; a further one takes the place of the oldest of whom has most: each takes half a KiB."""

SWEEP_SECONDS = 30.0
"""Seconds between two looks for tickets that are good for nothing more."""

_HINT = "Ask for a new one: POST to the tickets route, next to this one, with your credentials."

RunOf = Callable[[str, str], str | None]
"""(principal, run key) -> the id of the run that the key finds, None for none."""


@dataclass(slots=True)
class _Issued:
    access: Access
    start_by: float
    run: str | None


class Tickets:
    """The tickets of one process. All times are in seconds since the epoch."""

    def __init__(self, run_of: RunOf) -> None:
        self._run_of = run_of
        self._issued: dict[bytes, _Issued] = {}
        self._of_principal: dict[str, dict[bytes, None]] = {}
        self._next_sweep = 0.0

    def __len__(self) -> int:
        return len(self._issued)

    async def issue(self, access: Access, run_key: str, now: float) -> str:
        """A new ticket of this access for this run key: of a run that is there, or that it may start."""
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._sweep(now)
        text = PREFIX + secrets.token_urlsafe(32)
        name = digest(text)
        principal = access.principal
        own = self._of_principal.setdefault(principal, {})
        if len(own) >= MAX_PER_PRINCIPAL:
            self._drop(next(iter(own)))
        elif len(self._issued) >= MAX_TICKETS:
            most = max(self._of_principal.values(), key=len)
            self._drop(next(iter(most)))
        run = self._run_of(principal, run_key)
        self._issued[name] = _Issued(replace(access, run_key=run_key), now + TICKET_SECONDS, run)
        self._of_principal.setdefault(principal, {})[name] = None
        return text

    async def access(self, text: str, now: float) -> Access:
        """What the ticket gives. Raises Unauthorized for one that is not known, came too late, or whose run or
        credentials are no more: one answer, as each is known to whom the ticket was given."""
        name = digest(text)
        issued = self._issued.get(name)
        if issued is None or self._is_over(issued, now):
            if issued is not None:
                self._drop(name)
            raise not_known()
        return issued.access

    async def started(self, access: Access) -> None:
        """Called once a request with a ticket's access has been answered: if there is a run now, each ticket for its
        key is for that run, and for no later one of the same key."""
        assert access.run_key is not None  # noqa: S101 - only a ticket's access has started by it
        run = self._run_of(access.principal, access.run_key)
        if run is None:
            return
        for name in self._of_principal.get(access.principal, ()):
            issued = self._issued[name]
            if issued.run is None and issued.access.run_key == access.run_key:
                issued.run = run

    async def end(self, access: Access) -> None:
        """Forget all that its caller has made with the credentials of this access: they hold no more."""
        own = self._of_principal.get(access.principal, ())
        for name in [each for each in own if self._issued[each].access.credential == access.credential]:
            self._drop(name)

    def _is_over(self, issued: _Issued, now: float) -> bool:
        access = issued.access
        if access.expires is not None and now >= access.expires:
            return True
        if issued.run is None:
            return now >= issued.start_by
        assert access.run_key is not None  # noqa: S101 - set where it was issued
        return self._run_of(access.principal, access.run_key) != issued.run

    def _sweep(self, now: float) -> None:
        for name in [each for each, issued in self._issued.items() if self._is_over(issued, now)]:
            self._drop(name)

    def _drop(self, name: bytes) -> None:
        principal = self._issued.pop(name).access.principal
        own = self._of_principal[principal]
        del own[name]
        if not own:
            del self._of_principal[principal]


def not_known() -> Unauthorized:
    """The one answer for every ticket that is not good."""
    return Unauthorized(
        f"This ticket is not known, its run is no longer kept, or it was not used within {TICKET_SECONDS:g} s.",
        hint=_HINT,
        headers={challenge.FIELD: challenge.bearer("invalid_token")},
    )


def digest(text: str) -> bytes:
    """What is looked up: how long that takes says nothing of the ticket."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
