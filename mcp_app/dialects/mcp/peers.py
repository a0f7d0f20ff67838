"""What the dialect asks of the nodes that share a log with this one: letters to one of them, or to all.

How they go, and which nodes there are, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from ...eventlog.shared import SharedLog

Letter = Mapping[str, Any]
"""JSON; `do` names its kind."""


class Peers(Protocol):
    """The nodes that share a log."""

    log: SharedLog
    node: str

    def on(self, kind: str, reaction: Callable[[Letter], Any]) -> None:
        """`reaction` is called with each letter of this kind, in the order in which one node has sent them. What it
        returns is the reply to who asked, or an awaitable of it."""

    def tell(self, node: str, letter: Letter) -> None:
        """Send it behind those before it. It is lost with the node."""

    async def ask(self, node: str, letter: Letter, seconds: float) -> Any:
        """The reply to the letter. Raises the error of the reply, and TimeoutError."""

    async def tell_all(self, letter: Letter) -> None:
        """Send it to every other node. Raises LogUnavailable."""
