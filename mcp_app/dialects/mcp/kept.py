"""`resources/read` of a kept result: what a run's links lead to. How requests are answered is not known here."""

from __future__ import annotations

from typing import Any

from ...protocol.errors import Purged, UnknownRun
from ...protocol.linked import URI
from ...runs import Runs


async def read_kept(runs: Runs, uri: str, principal: str) -> dict[str, Any] | None:
    """The result of the request; None if `uri` is of no kept result of the principal's, and so may be a resource.
    Raises LogUnavailable."""
    match = URI.fullmatch(uri)
    if match is None:
        return None
    try:
        kept = await (await runs.find(match[1], principal)).result(int(match[2]))
        return {"contents": [kept.contents(uri)]}
    except (UnknownRun, Purged):
        return None
