"""Tasks on the wire: the MCP extension io.modelcontextprotocol/tasks (SEP-2663), as pure values.

When a call becomes a task, and how tasks run, is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .jsonrpc import Code, RpcError

EXTENSION = "io.modelcontextprotocol/tasks"

EXTENSION_METHODS = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})

POLL_MS = 1000
"""The polling interval that clients are asked to use: a person waiting for the result does not notice a second, and a
request costs less than a millisecond."""


class TaskSnapshot(NamedTuple):
    """The members that every response about a task has. Times are seconds since the epoch; `ttl` counts from
    `created`."""

    id: str
    status: str
    created: float
    updated: float
    ttl: float

    def wire(self) -> dict[str, Any]:
        """As a `Task` object."""
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


def supports_tasks(capabilities: Mapping[str, Any]) -> bool:
    """Whether the client declared the extension; only the capabilities of the current request count."""
    extensions = capabilities.get("extensions")
    return isinstance(extensions, Mapping) and isinstance(extensions.get(EXTENSION), Mapping)


def extension_required() -> RpcError:
    """The error for a request that needs the extension, from a client that did not declare it ("Capability
    Negotiation")."""
    data: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    message = f"Missing required client capability: the extension {EXTENSION}."
    return RpcError(Code.MISSING_CLIENT_CAPABILITY, message, data=data, status=400)
