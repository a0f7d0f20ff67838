"""Which runs of a dead process begin again here, and with what.

How one begins is known in runs/restarting.py; for whom a dialect has to ask, the dialect says.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from ..asking import Asker, NullAsker
from ..authoring.tool import Registry, Tool
from ..eventlog.records import RunRecord
from ..eventlog.shared import SharedLog
from ..protocol.errors import InvalidParams
from ..protocol.event import decode
from ..protocol.policy import ROWS, Policy
from ..runs import Run, Runs
from ..runs.beginning import Beginning, read_beginning
from ..runs.restarting import Restart, restart_run
from ..runs.write_through import WriteThrough
from .known_once import KnownOnce
from .older_entries import OlderEntries
from .publishing import PublishedRuns

logger = logging.getLogger("mcp_app.nodes")

MAX_ATTEMPTS = 3
"""How often a run begins at most: one that ends each process which works on it, as by taking all memory, would end them
all."""

_POLICIES: Mapping[str, Policy] = {policy.name: policy for policy in ROWS}


class Reviver(Protocol):
    """What a dialect does for runs of one row that begin again."""

    def asker(self, record: RunRecord, known: dict[str, Any]) -> Asker | None:
        """The asker of the run, which knows what it was answered; None where the run cannot begin again."""

    def revived(self, run: Run, after: int) -> None:
        """The run works again, behind number `after`."""


class Restarts:
    """Begins runs again here. `revivers` are by the name of a row."""

    def __init__(
        self,
        log: SharedLog,
        runs: Runs,
        tools: Registry,
        published: PublishedRuns,
        known: KnownOnce,
        revivers: Mapping[str, Reviver],
    ) -> None:
        self._log = log
        self._runs = runs
        self._tools = tools
        self._published = published
        self._known = known
        self._revivers = revivers

    async def restart(self, record: RunRecord, now: float) -> bool:
        """Begin it again, as its owner; `now` is the log's clock. False where it cannot begin again.

        Raises LogUnavailable, and Overloaded, QueueFull, Draining, NotReady: then it may be tried again.
        """
        found = self._restartable(record, now)
        if found is None:
            return False
        tool, policy, beginning = found
        try:
            arguments = tool.arguments(beginning.params)
        except InvalidParams:
            logger.warning("run %s does not begin again: %s takes other parameters here", record.id, tool.name)
            return False
        document = await self._known.load(record.id)
        known: dict[str, Any] = {} if document is None else decode(document.value)
        reviver = self._revivers.get(policy.name)
        asker = NullAsker(known) if reviver is None else reviver.asker(record, known)
        if asker is None:
            return False
        local = self._runs.host.log

        def adopt(run: Run) -> WriteThrough:
            self._known.resume(run, document)
            return self._published.adopt(run, record, local, policy)

        restart = Restart(
            *(record, tool, policy, beginning, arguments),
            *(record.deadline - now, asker, OlderEntries(self._log, local, record.last), adopt),
        )
        run = await restart_run(self._runs, restart)
        if reviver is not None:
            reviver.revived(run, record.last)
        logger.warning("run %s (%s) begins again: attempt %d", record.id, record.callee, record.attempt)
        return True

    def _restartable(self, record: RunRecord, now: float) -> tuple[Tool, Policy, Beginning] | None:
        if record.arguments is None or record.attempt > MAX_ATTEMPTS or record.deadline <= now:
            return None
        tool, policy = self._tools.find(record.callee), _POLICIES.get(record.policy)
        if tool is None or not tool.restarts or policy is None or not policy.restartable:
            return None
        beginning = read_beginning(record.arguments)
        return None if beginning is None else (tool, policy, beginning)
