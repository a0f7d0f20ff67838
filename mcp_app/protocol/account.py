"""`Account`: what is said of one call when it begins, and again when it ends: who, what, from where.

Pure. Who is told (an audit log) is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from .access import Access


class Account(NamedTuple):
    """One call. `noun` is what was called, a "tool", "prompt" or "resource", and `name` which. `run` is the id of its
    run, cut short, as whoever has the whole may read and cancel it. `step` is where a tool called another: the names
    that lead there. `peer` is the client's address, `http_version` is empty for what did not come over HTTP."""

    access: Access
    noun: str
    name: str
    run: str
    dialect: str
    peer: str
    http_version: str
    step: str | None = None


class Trail(Protocol):
    """Is told of each call, before it does anything and when it has ended."""

    def began(self, account: Account, arguments: Mapping[str, Any]) -> None:
        """Raises NotReady if it cannot be told: the call is not made then."""

    def ended(self, account: Account, code: str, seconds: float, error_id: str | None) -> None:
        """`code` is "complete" or the error's. Never raises."""
