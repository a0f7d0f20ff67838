"""Tasks on the wire: the MCP extension io.modelcontextprotocol/tasks (SEP-2663), as pure values.

What makes a call a task, and what one is while it is worked on, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .jsonrpc import Code, RpcError

EXTENSION = "io.modelcontextprotocol/tasks"

EXTENSION_METHODS = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})

POLL_MS = 1000
"""How often a client is asked to poll: a person who waits for the end does not notice a second, and a request costs
less than a millisecond."""


class Handle(NamedTuple):
    """What stands in every answer about a task. Times are seconds since the epoch; `ttl` counts from `created`."""

    id: str
    status: str
    created: float
    updated: float
    ttl: float

    def wire(self) -> dict[str, Any]:
        """`Task`, flat."""
        return {
            "taskId": self.id,
            "status": self.status,
            "createdAt": _iso(self.created),
            "lastUpdatedAt": _iso(self.updated),
            "ttlMs": max(1, round(self.ttl * 1000)),
            "pollIntervalMs": POLL_MS,
        }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def declared(capabilities: Mapping[str, Any]) -> bool:
    """Whether the client can follow a task: what this very request says is all that counts."""
    extensions = capabilities.get("extensions")
    return isinstance(extensions, Mapping) and isinstance(extensions.get(EXTENSION), Mapping)


def not_declared() -> RpcError:
    """The error for a request that cannot be done for a client that cannot ("Capability Negotiation")."""
    data: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    message = f"Missing required client capability: the extension {EXTENSION}."
    return RpcError(Code.MISSING_CLIENT_CAPABILITY, message, data=data, status=400)
