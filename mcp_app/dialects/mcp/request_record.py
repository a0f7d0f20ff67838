"""A request, as far as its messages depend on it, as the dialect's own part of its run's record: what another process
needs to go on with its stream, or to answer for its task.

What is the same in every process (the server's name, the prefix of our `_meta` keys) is not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...protocol.errors import LogUnavailable
from ...protocol.event import decode, encode
from ...protocol.mcp.request_info import RequestInfo
from ...protocol.mcp.revisions import SESSION_REVISIONS, STATELESS, STATELESS_WIRE, Structure, Wire

REQUEST_FORMAT = 1
"""The format that this release writes; it reads this one and the one before."""

_WIRES: Mapping[str, Wire] = {
    STATELESS: STATELESS_WIRE,
    **{version: each.wire for version, each in SESSION_REVISIONS.items()},
}


def write_request(info: RequestInfo, more: Mapping[str, Any] | None = None) -> bytes:
    """The request, and whatever `more` there is to know of it, by other names."""
    return encode(
        {
            "format": REQUEST_FORMAT,
            "id": info.id,
            "revision": next(version for version, wire in _WIRES.items() if wire == info.wire),
            "progress_token": info.progress_token,
            "level": info.level,
            "counted": info.counted,
            "structure": info.structure.name,
            "raw": info.raw,
            "session": info.session,
            **(more or {}),
        }
    )


def read_request(written: bytes, namespace: str, meta: Mapping[str, Any]) -> tuple[RequestInfo, Mapping[str, Any]]:
    """What `write_request` wrote, and all that is known with it. The request cannot seal a state any more: it was
    written down as its call no longer ends with questions.

    Raises LogUnavailable for what a newer release wrote: that release can answer.
    """
    known = decode(written)
    if known["format"] > REQUEST_FORMAT:
        raise LogUnavailable("The request was written down by a newer release, which can answer.")
    info = RequestInfo(
        known["id"],
        _WIRES[known["revision"]],
        namespace,
        progress_token=known["progress_token"],
        level=known["level"],
        counted=known["counted"],
        structure=Structure[known["structure"]],
        raw=known["raw"],
        meta=meta if known["revision"] == STATELESS else {},
        session=known["session"],
    )
    return info, known
