"""The revisions with sessions, one row each: what they have on the wire, and which policy their requests follow.

Data, like revision.py's rows: nothing here acts, and nothing is read from a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .mcp import Wire
from .revision import MCP_2025_06_18, MCP_2025_11_25, Policy


@dataclass(frozen=True, slots=True)
class SessionRevision:
    """One row.

    `policy`: of its requests over Streamable HTTP. `batches`: whether a body may be a list of messages. `polled`:
    whether streams may end early, and begin with an event of empty data. `version_header`: whether requests say their
    revision.
    """

    version: str
    wire: Wire
    policy: Policy
    batches: bool
    polled: bool
    version_header: bool


_STRUCTURED = Wire(result_type=False, structured=True, any_structure=False)
_TEXT = Wire(result_type=False, structured=False, any_structure=False)

SESSION_REVISIONS: Mapping[str, SessionRevision] = MappingProxyType(
    {
        row.version: row
        for row in (
            SessionRevision("2025-11-25", _STRUCTURED, MCP_2025_11_25, batches=False, polled=True, version_header=True),
            SessionRevision(
                "2025-06-18", _STRUCTURED, MCP_2025_06_18, batches=False, polled=False, version_header=True
            ),
            SessionRevision("2025-03-26", _TEXT, MCP_2025_06_18, batches=True, polled=False, version_header=False),
            SessionRevision("2024-11-05", _TEXT, MCP_2025_06_18, batches=False, polled=False, version_header=False),
        )
    }
)
"""By version, newest first."""


def negotiated(asked: object) -> SessionRevision:
    """What `initialize` is answered with: the revision asked for, or the newest that we speak (Version Negotiation)."""
    found = SESSION_REVISIONS.get(asked) if isinstance(asked, str) else None
    return found or next(iter(SESSION_REVISIONS.values()))
