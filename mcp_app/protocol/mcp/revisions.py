"""The revisions, one row each: what they have on the wire, and for those with sessions what else differs.

Data, like policy.py's rows: nothing here acts, and nothing is read from a message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, NamedTuple

from ..policy import MCP_2025_06_18, MCP_2025_11_25, Policy
from .content import AUDIO, RESOURCE_LINK
from .rpc_error import Code


class Structure(Enum):
    """How a tool's results stand in `structuredContent`, and their schema in `outputSchema`."""

    ABSENT = auto()
    """Nothing is declared, or content is."""
    WHOLE = auto()
    """As they are: by their schema each of them is an object."""
    WRAPPED = auto()
    """As the member `result` of an object."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How results look in one revision.

    `result_type`: whether results carry `resultType` (2026-07-28). `any_structure`: whether structured content may be
    any JSON value, or must be an object (up to 2025-11-25). `structured`: whether it exists at all (2025-06-18).
    `capability_error`: whether a capability that the client lacks is an error of its own (2026-07-28), or one for the
    model to read. `nothing_there`: the code of a resource that is not there. `lacking`: kinds of content that do not
    exist in it.
    """

    result_type: bool
    structured: bool
    any_structure: bool
    capability_error: bool = False
    nothing_there: Code = Code.RESOURCE_NOT_FOUND
    lacking: frozenset[str] = frozenset()

    def structure(self, declared: Structure) -> Structure:
        """That of a tool where it must be an object, as it is here."""
        if not self.structured:
            return Structure.ABSENT
        return Structure.WHOLE if self.any_structure and declared is Structure.WRAPPED else declared


STATELESS = "2026-07-28"
"""The revision without sessions."""

STATELESS_WIRE = Wire(
    result_type=True,
    structured=True,
    any_structure=True,
    capability_error=True,
    nothing_there=Code.INVALID_PARAMS,
)


class SessionRevision(NamedTuple):
    """One row.

    `policy`: of its requests over Streamable HTTP. `batches`: whether a body may be a list of messages. `polled`:
    whether streams may end early, and begin with an event of empty data. `version_header`: whether requests say their
    revision. `asks`: what clients can be asked for, in the shape of ClientCapabilities. `first_forms`: whether forms
    are those of the first revision that had any.
    """

    version: str
    wire: Wire
    policy: Policy
    batches: bool
    polled: bool
    version_header: bool
    asks: Mapping[str, Any]
    first_forms: bool = False

    def capabilities(self, declared: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the declared ones that exist in this revision: "Only use capabilities that were successfully
        negotiated" (Lifecycle, Operation). No more of them is kept, however much a client says."""
        return _both(self.asks, declared)


def _both(asks: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _both(asks[name], declared[name]) for name in asks if isinstance(declared.get(name), Mapping)}


_STRUCTURED = Wire(result_type=False, structured=True, any_structure=False)
_TEXT = Wire(result_type=False, structured=False, any_structure=False, lacking=frozenset({RESOURCE_LINK}))
_SILENT = Wire(result_type=False, structured=False, any_structure=False, lacking=frozenset({RESOURCE_LINK, AUDIO}))

_OLDEST_ASKS: Mapping[str, Any] = {"sampling": {}, "roots": {}}
_FORMS: Mapping[str, Any] = {**_OLDEST_ASKS, "elicitation": {}}  # without modes: a form is all there is
_MODES: Mapping[str, Any] = {
    "elicitation": {"form": {}, "url": {}},
    "sampling": {"tools": {}, "context": {}},
    "roots": {},
}

SESSION_REVISIONS: Mapping[str, SessionRevision] = MappingProxyType(
    {
        row.version: row
        for row in (
            SessionRevision(
                "2025-11-25",
                _STRUCTURED,
                MCP_2025_11_25,
                batches=False,
                polled=True,
                version_header=True,
                asks=_MODES,
            ),
            SessionRevision(
                "2025-06-18",
                _STRUCTURED,
                MCP_2025_06_18,
                batches=False,
                polled=False,
                version_header=True,
                asks=_FORMS,
                first_forms=True,
            ),
            SessionRevision(
                "2025-03-26",
                _TEXT,
                MCP_2025_06_18,
                batches=True,
                polled=False,
                version_header=False,
                asks=_OLDEST_ASKS,
            ),
            SessionRevision(
                "2024-11-05",
                _SILENT,
                MCP_2025_06_18,
                batches=False,
                polled=False,
                version_header=False,
                asks=_OLDEST_ASKS,
            ),
        )
    }
)
"""By version, newest first."""

REVISIONS = (STATELESS, *SESSION_REVISIONS)
"""Those this server speaks, newest first: what discovery lists and an unknown one is answered with."""


def negotiated(asked: object) -> SessionRevision:
    """What `initialize` is answered with: the revision asked for, or the newest that we speak (Version Negotiation)."""
    found = SESSION_REVISIONS.get(asked) if isinstance(asked, str) else None
    return found or next(iter(SESSION_REVISIONS.values()))
