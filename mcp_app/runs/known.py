"""The runs of this process by id and by key, and the way to those of others. Which are kept, and for how long, is not
decided here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..protocol.errors import UnknownRun
from .callee import Callee
from .elsewhere import Elsewhere
from .found import FoundRun
from .keys import RunKeys, call_digest
from .run import Run


class KnownRuns:
    """Each principal finds its own only: of others' runs it is not told that they are there."""

    def __init__(self, elsewhere: Elsewhere | None) -> None:
        self._elsewhere = elsewhere
        self.runs: dict[str, Run] = {}
        self.keys = RunKeys()

    async def name(self, run: Run, key: str, digest: bytes) -> None:
        """From now on the key finds the run; `digest` is that of its call. Raises KeyTaken, LogUnavailable."""
        run.key, run.digest = key, digest
        self.keys.remember(run.principal, key, digest, run.id)
        if self._elsewhere is not None:
            await self._elsewhere.claim_key(run)

    def drop(self, run: Run) -> None:
        """Idempotent."""
        if self.runs.get(run.id) is run:  # it may have begun again, as another one
            del self.runs[run.id]
            self.keys.forget(run.id)

    def here(self, run_id: str) -> Run | None:
        """The run of that id, if it is one of this process."""
        return self.runs.get(run_id)

    def own(self, run_id: str, principal: str) -> Run | None:
        """The same, if it is the principal's."""
        run = self.runs.get(run_id)
        return None if run is None or run.principal != principal else run

    def own_by_key(self, key: str, principal: str, digest: bytes | None = None) -> Run | None:
        """The run of this process that was started with that key; with a digest, for a call of this one. Raises
        RunConflict."""
        run_id = self.keys.find(principal, key, digest)
        return self.runs.get(run_id or "")

    async def find(self, run_id: str, principal: str) -> FoundRun:
        """The run of that id, wherever it is worked on. Raises UnknownRun, LogUnavailable."""
        run = self.own(run_id, principal)
        if run is not None:
            return run
        if self._elsewhere is None:
            raise UnknownRun("This run is not known.")
        return await self._elsewhere.find(run_id, principal)

    async def find_by_key(
        self, key: str, principal: str, callee: Callee | None, identity: Mapping[str, Any]
    ) -> FoundRun | None:
        """The run that was started with that key; None if there is none. Raises RunConflict, LogUnavailable."""
        digest = None if callee is None else call_digest(callee, identity)
        run = self.own_by_key(key, principal, digest)
        if run is not None or self._elsewhere is None:
            return run
        return await self._elsewhere.find_by_key(key, principal, digest)
