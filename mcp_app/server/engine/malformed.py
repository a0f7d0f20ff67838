"""Malformed requests of one server: counted, and logged at a bounded rate. What is malformed is decided elsewhere.

An application does not see them, so that nobody else could count them. Under STATE_KEY in ASGI's lifespan state it
finds a function that returns their number.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from ..logs.access import NO_PEER, address

STATE_KEY = "mcp_app.malformed"

LOG_SECONDS = 10.0
"""At most one line in this time: a client can send thousands a second."""

log = logging.getLogger("mcp_app.server")


class MalformedRequests:
    """`total` of them since the start."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.total = 0
        self._clock = clock
        self._logged = 0
        self._next_line_at = 0.0

    def add(self, client: tuple[str, int] | None, http_version: str, outcome: str) -> None:
        """Count one; `outcome` says how it was refused."""
        self.total += 1
        now = self._clock()
        if now < self._next_line_at:
            return
        more = self.total - self._logged - 1
        self._logged, self._next_line_at = self.total, now + LOG_SECONDS
        log.warning(
            "a malformed HTTP/%s request from %s: %s%s",
            http_version,
            address(*client) if client else NO_PEER,
            outcome,
            f" ({more} more since the last such line)" if more else "",
        )
