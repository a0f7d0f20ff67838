"""What runs know once, as documents: the values of `ctx.once`, and answers, for whoever begins such a run again.

What is in them is known in mcp_app/asking.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable

from ..eventlog.records import StoredDocument
from ..eventlog.shared import RETRY_SECONDS, SharedLog
from ..protocol.errors import LogUnavailable
from ..runs import Run


class KnownOnce:
    """`until` says when what a run knows is forgotten, by the log's clock."""

    def __init__(self, log: SharedLog, until: Callable[[Run], float]) -> None:
        self._log = log
        self._until = until
        self._versions: weakref.WeakKeyDictionary[Run, int] = weakref.WeakKeyDictionary()

    async def load(self, run_id: str) -> StoredDocument | None:
        """What the run knew at last; None for nothing. Raises LogUnavailable."""
        return await self._log.get(_name(run_id))

    def resume(self, run: Run, document: StoredDocument | None) -> None:
        """The run begins again here, and knows that."""
        self._versions[run] = 0 if document is None else document.version

    async def keep(self, run: Run, known: bytes) -> None:
        """Store what the run knows. It waits while the log cannot be reached. Raises CancelledError when another
        process has stored something since: the run is that one's."""
        while True:
            version = self._versions.get(run, 0)
            try:
                there = await self._log.put(_name(run.id), known, self._until(run), version)
            except LogUnavailable:  # it may be stored all the same
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if there is not None and there.value != known:
                raise asyncio.CancelledError("the run was lost to another node")
            self._versions[run] = version + 1 if there is None else there.version
            return


def _name(run_id: str) -> str:
    return f"once/{run_id}"
