"""The revisions, one row each: their wire format, and for those with sessions the other differences.

Data, like the rows of policy.py: there is no behaviour here, and no message is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from types import MappingProxyType
from typing import Any, NamedTuple

from ..policy import MCP_2025_06_18, MCP_2025_11_25, Policy
from .content import AUDIO, RESOURCE_LINK
from .rpc_error import Code


class Structure(Enum):
    """The form of a tool's results in `structuredContent`, and of their schema in `outputSchema`."""

    ABSENT = auto()
    """The tool declares no type, or content."""
    BARE = auto()
    """The value itself: by the schema, each value is an object."""
    WRAPPED = auto()
    """The value as the member `result` of an object."""


@dataclass(frozen=True, slots=True)
class Wire:
    """The format of results in one revision.

    `result_type`: whether results have a `resultType` (since 2026-07-28). `structured`: whether structured content
    exists (since 2025-06-18). `any_structure`: whether it may be any JSON value, or must be an object (up to
    2025-11-25). `capability_error`: whether a missing client capability is a JSON-RPC error (since 2026-07-28), or an
    error for the model. `resource_not_found`: the code for a resource that does not exist. `unsupported_content`: the
    kinds of content block that the revision lacks. `described_by`: what clients can be told of the server and of what
    it offers, beside names and descriptions.
    """

    result_type: bool
    structured: bool
    any_structure: bool
    described_by: frozenset[str]
    capability_error: bool = False
    resource_not_found: Code = Code.RESOURCE_NOT_FOUND
    unsupported_content: frozenset[str] = frozenset()

    def structure(self, declared: Structure) -> Structure:
        """The structure in this revision, for a tool whose structure is `declared` where objects are required."""
        if not self.structured:
            return Structure.ABSENT
        return Structure.BARE if self.any_structure and declared is Structure.WRAPPED else declared


_NAMES_ONLY: frozenset[str] = frozenset()
_TITLES = frozenset({"title", "_meta"})  # since 2025-06-18
_ICONS = _TITLES | {"description", "icons", "websiteUrl"}  # since 2025-11-25

STATELESS = "2026-07-28"
"""The revision without sessions."""

STATELESS_WIRE = Wire(
    result_type=True,
    structured=True,
    any_structure=True,
    described_by=_ICONS,
    capability_error=True,
    resource_not_found=Code.INVALID_PARAMS,
)


class SessionRevision(NamedTuple):
    """One row.

    `policy`: the policy of requests over Streamable HTTP. `batches`: whether a body may be a list of messages.
    `polled`: whether streams may end early, and begin with an event with empty data. `version_header`: whether requests
    have the MCP-Protocol-Version header field. `client_capabilities`: the capabilities that a client can declare, in
    the shape of ClientCapabilities. `first_forms`: whether forms are those of 2025-06-18, the first revision that had
    them.
    """

    version: str
    wire: Wire
    policy: Policy
    batches: bool
    polled: bool
    version_header: bool
    client_capabilities: Mapping[str, Any]
    first_forms: bool = False

    def capabilities(self, declared: Mapping[str, Any]) -> dict[str, Any]:
        """The declared capabilities that exist in this revision: "Only use capabilities that were successfully
        negotiated" (Lifecycle, Operation). All else that a client sends is dropped, so what is kept is bounded."""
        return _intersection(self.client_capabilities, declared)

    def relevant(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of `initialize` without what this revision does not have, or this server never reads: its
        shape must not refuse a session."""
        known: dict[str, Any] = {**params}
        if isinstance(params.get("capabilities"), Mapping):
            known["capabilities"] = _known(self.client_capabilities, params["capabilities"])
        if isinstance(params.get("clientInfo"), Mapping):
            known["clientInfo"] = _known({"name": {}, "version": {}}, params["clientInfo"])
        return known


def _known(known: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _known(known[name], value) if isinstance(value, Mapping) else value
        for name, value in declared.items()
        if name in known
    }


def _intersection(known: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _intersection(known[name], declared[name]) for name in known if isinstance(declared.get(name), Mapping)
    }


_WITH_ICONS = Wire(result_type=False, structured=True, any_structure=False, described_by=_ICONS)
_STRUCTURED = replace(_WITH_ICONS, described_by=_TITLES)
_UNSTRUCTURED = replace(
    _STRUCTURED, structured=False, described_by=_NAMES_ONLY, unsupported_content=frozenset({RESOURCE_LINK})
)
_WITHOUT_AUDIO = replace(_UNSTRUCTURED, unsupported_content=frozenset({RESOURCE_LINK, AUDIO}))

_WITHOUT_ELICITATION: Mapping[str, Any] = {"sampling": {}, "roots": {}}
_FORMS: Mapping[str, Any] = {**_WITHOUT_ELICITATION, "elicitation": {}}  # elicitation has no modes: forms only
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
                _WITH_ICONS,
                MCP_2025_11_25,
                batches=False,
                polled=True,
                version_header=True,
                client_capabilities=_MODES,
            ),
            SessionRevision(
                "2025-06-18",
                _STRUCTURED,
                MCP_2025_06_18,
                batches=False,
                polled=False,
                version_header=True,
                client_capabilities=_FORMS,
                first_forms=True,
            ),
            SessionRevision(
                "2025-03-26",
                _UNSTRUCTURED,
                MCP_2025_06_18,
                batches=True,
                polled=False,
                version_header=False,
                client_capabilities=_WITHOUT_ELICITATION,
            ),
            SessionRevision(
                "2024-11-05",
                _WITHOUT_AUDIO,
                MCP_2025_06_18,
                batches=False,
                polled=False,
                version_header=False,
                client_capabilities=_WITHOUT_ELICITATION,
            ),
        )
    }
)
"""By version, newest first."""

REVISIONS = (STATELESS, *SESSION_REVISIONS)
"""The supported revisions, newest first: listed in discovery, and in the error for an unsupported one."""


def negotiated(requested: object) -> SessionRevision:
    """The revision in the result of `initialize`: the requested one, or the newest supported (Version Negotiation)."""
    found = SESSION_REVISIONS.get(requested) if isinstance(requested, str) else None
    return found or next(iter(SESSION_REVISIONS.values()))
