"""What the dialect asks of the nodes that share a log with this one: messages to one of them, or to all.

How messages go, and which nodes there are, is not known here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ...eventlog.shared import SharedLog

Handle = Callable[[Any], Awaitable[Any]]
"""Handles a message of another node; what it returns is the reply to who asked. Messages of one node come in order."""


class Peers(Protocol):
    """The nodes that share a log. Values are JSON."""

    log: SharedLog

    @property
    def node(self) -> str:
        """The id of this node."""

    def on(self, name: str, handle: Handle) -> None:
        """Handle the messages of that name from now on."""

    async def ask(self, node: str, name: str, value: Any) -> Any:
        """The reply of that node. Raises LogUnavailable when it has no lease, or does not reply within a bound."""

    def post(self, node: str, name: str, value: Any) -> None:
        """Send a message behind those that were posted before. Nothing comes of it when the node has no lease."""

    def publish(self, name: str, value: Any) -> None:
        """Post a message to every other node."""
