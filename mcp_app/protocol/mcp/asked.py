"""What one request asked for, as far as its messages depend on it. Fixed once its parameters are validated.

What became of the request's run is in transcript.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .jsonrpc import Id
from .revisions import Structure, Wire

_NO_META: Mapping[str, Any] = MappingProxyType({})


class Asked(NamedTuple):
    """One request.

    `progress_token` and `level` are None where the client wants no progress or no log; `namespace` is the prefix of our
    own `_meta` keys, with its slash.
    """

    id: Id
    wire: Wire
    namespace: str
    progress_token: str | int | None = None
    level: str | None = None
    structure: Structure = Structure.ABSENT
    raw: Mapping[str, Any] | None = None
    """Set for what is no tool: the run's data is the result itself, with these members added."""
    meta: Mapping[str, Any] = _NO_META
    """For the `_meta` of every result."""
    seal: Callable[[Any], str] | None = None
    """Makes the `requestState` of what an unfinished call has to know; None where no call comes again (sessions)."""

    def typed(self, result: dict[str, Any]) -> dict[str, Any]:
        """The result, with its type where the revision has types, and what stands in the `_meta` of all."""
        if self.meta:
            result = {**result, "_meta": {**self.meta, **result.get("_meta", {})}}
        return {"resultType": "complete", **result} if self.wire.result_type else result
