"""The page of metrics: of this process, or of all that serve at the same addresses.

Each of several says what it counts in a page that the others read, every few seconds; whoever is asked has its own
numbers as they are, and theirs as they were then. What is counted is in `metrics`, how pages become one in
`worker_metrics`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from ..runs import Runs
from .metrics import Metrics
from .worker_metrics import labelled

PUBLISH_SECONDS = 5.0
"""A third of the shortest time after which anybody asks again (Prometheus' default is 60 s); a page is made in 0.1
ms."""

_BETWEEN = b"\0"
"""Between the page that names all tools and the one that names none."""

logger = logging.getLogger("mcp_app")


class SharedPage(Protocol):
    """What this process says of itself to the others, and what they say."""

    number: int

    def write(self, page: bytes) -> None:
        """Say this. Raises ValueError for a page that is too large."""

    def others(self) -> dict[int, bytes]:
        """What the others say, by their numbers."""


class MetricsPage:
    """Made on the loop of the server. `shared` is None for the only process."""

    def __init__(self, metrics: Metrics, runs: Runs, shared: SharedPage | None) -> None:
        self._metrics = metrics
        self._runs = runs
        self._shared = shared
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Say it from now on, if anybody reads it."""
        if self._shared is not None:
            self._publish(self._shared)

    def close(self) -> None:
        """Say it no more. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()

    def text(self, names: Callable[[str], bool], *, named: bool) -> bytes:
        """The page. `names`: whether a label may name that tool; `named`: whether it may name all, else no label of
        another process names any."""
        own = self._metrics.text(self._runs, names)
        if self._shared is None:
            return own
        others = self._shared.others().items()
        pages = {number: page.split(_BETWEEN)[0 if named else 1].decode() for number, page in others}
        return labelled({**pages, self._shared.number: own.decode()}).encode()

    def _publish(self, shared: SharedPage) -> None:
        named, unnamed = (self._metrics.text(self._runs, names) for names in (_all, _none))
        try:
            shared.write(named + _BETWEEN + unnamed)
        except (ValueError, OSError) as error:
            logger.warning("the metrics of worker %d cannot be told to the others: %s", shared.number, error)
            return
        self._timer = asyncio.get_running_loop().call_later(PUBLISH_SECONDS, self._publish, shared)


def _all(_: str) -> bool:
    return True


def _none(_: str) -> bool:
    return False
