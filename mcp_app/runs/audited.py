"""`AuditedCall`: tells the trail of one call, a client's or a tool's, that it began, and once that it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..authoring.caller import Caller
from ..protocol.account import Account, Trail
from .callee import Callee
from .end_line import ID_CHARACTERS, ORIGIN


class AuditedCall:
    """One call. `run` is the id of its run, `step` the names of the steps that lead to it, if another tool made it."""

    __slots__ = ("_account", "_trail")

    def __init__(self, trail: Trail, caller: Caller, callee: Callee, run: str, step: str | None = None) -> None:
        self._trail: Trail | None = trail
        peer, http_version = ORIGIN.get()
        short = run[:ID_CHARACTERS]
        self._account = Account(
            caller.access, callee.noun, callee.name, short, caller.dialect, peer, http_version, step
        )

    def began(self, arguments: Mapping[str, Any]) -> None:
        """Raises NotReady: then it does not begin."""
        trail, self._trail = self._trail, None  # what is not told to have begun is not told to have ended
        assert trail is not None  # noqa: S101 - once
        trail.began(self._account, arguments)
        self._trail = trail

    def ended(self, code: str, seconds: float, error_id: str | None) -> None:
        if self._trail is not None:
            self._trail.ended(self._account, code, seconds, error_id)
            self._trail = None
