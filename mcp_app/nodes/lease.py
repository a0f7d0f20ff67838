"""The lease of a node, and the thread that renews it: a tool may hold the event loop for longer than a lease lasts.

What a node does when it has lost its lease is not decided here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ..eventlog.shared import LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS, SharedLog
from ..protocol.errors import Fenced, LogUnavailable
from ..runs.write_through import LogCounts

logger = logging.getLogger("mcp_app.nodes")


class Lease:
    """Renewed each RENEW_SECONDS by `renew`, and lost when the log says so, or cannot be reached for LEASE_SECONDS of
    `clock`, which any thread may ask."""

    def __init__(self, log: SharedLog, node: str, counts: LogCounts, clock: Callable[[], float]) -> None:
        self._log = log
        self._counts = counts
        self._clock = clock
        self._renewed_at = clock()
        self.node = node

    def renew(self) -> float | None:
        """Renew it now. Returns the seconds until the next time; None once the lease is lost."""
        began = self._clock()
        try:
            self._log.renew(self.node)
        except Fenced:
            return None
        except LogUnavailable:
            self._counts.failures += 1
            return None if self._clock() - self._renewed_at >= LEASE_SECONDS else RETRY_SECONDS
        self._renewed_at = began
        return RENEW_SECONDS


Keeping = Callable[[Lease, Callable[[], None]], Callable[[], None]]
"""Renews a lease until it is lost, and then calls the second argument, from any thread. Returns what stops it."""


def keep_by_thread(lease: Lease, on_lost: Callable[[], None]) -> Callable[[], None]:
    """A `Keeping`: in a thread of its own."""
    stopped = threading.Event()

    def body() -> None:
        seconds: float | None = RENEW_SECONDS
        while seconds is not None:
            if stopped.wait(seconds):
                return
            try:
                seconds = lease.renew()
            except Exception:  # a defect of a log: without a lease the node is dead, and comes back as another
                logger.exception("the lease of node %s cannot be renewed", lease.node)
                seconds = None
        on_lost()

    threading.Thread(target=body, name=f"lease-{lease.node[:8]}", daemon=True).start()
    return stopped.set
