"""What a run began with, as its record has it where it may begin again in another process. Pure.

Of the caller it has what tools are told of it, and no credentials; of the request no header fields, which may have
some.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..protocol.access import Access
from ..protocol.event import decode, encode
from ..protocol.http.trace import Trace, extract_trace

BEGINNING_FORMAT = 1
"""The format that this release writes; it reads this one and the one before."""


class Beginning(NamedTuple):
    """`params` are the arguments as they were sent."""

    params: Mapping[str, Any]
    access: Access
    trace: Trace


def write_beginning(params: Mapping[str, Any], access: Access, trace: Trace) -> bytes:
    """As JSON."""
    scopes = access.scopes
    return encode(
        {
            "format": BEGINNING_FORMAT,
            "params": params,
            "principal": access.principal,
            "scopes": None if scopes is None else sorted(scopes),
            "steps_up": access.steps_up,
            "claims": access.claims,
            "trace": trace.headers(),
        }
    )


def read_beginning(written: bytes) -> Beginning | None:
    """What `write_beginning` wrote; None for what a newer release did."""
    known = decode(written)
    if known["format"] > BEGINNING_FORMAT:
        return None
    scopes = known["scopes"]
    access = Access(
        known["principal"],
        None if scopes is None else frozenset(scopes),
        known["steps_up"],
        claims=known["claims"],
    )
    return Beginning(known["params"], access, extract_trace(known["trace"]))
