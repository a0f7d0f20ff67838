"""Tells an operator that the log does not work, once when it begins, and when it works again; a caller gets the error
id. What is tried meanwhile is not known here.
"""

from __future__ import annotations

import logging
import math
import secrets
import time

from ...protocol.errors import LogUnavailable

logger = logging.getLogger("mcp_app.eventlog")

LOG_SECONDS = 60.0
"""Between two lines about the same outage: each call fails while it lasts, and its disk may be the one that is full."""


class Outage:
    """Of one file, for one thread. `of` makes the error of what failed; `over` ends the outage."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._error_id = ""
        self._told_at = -math.inf

    def of(self, error: Exception) -> LogUnavailable:
        if not self._error_id:
            self._error_id = secrets.token_hex(8)
        if (now := time.monotonic()) - self._told_at >= LOG_SECONDS:
            self._told_at = now
            logger.error("%s: %s (error_id %s). It is tried again.", self._what, error, self._error_id)
        return LogUnavailable(
            "The event log of this server does not work at the moment.",
            error_id=self._error_id,
            headers={"Retry-After": "1"},
        )

    def over(self) -> None:
        if self._error_id:
            logger.warning("%s: it works again (error_id %s)", self._what, self._error_id)
            self._error_id, self._told_at = "", -math.inf
