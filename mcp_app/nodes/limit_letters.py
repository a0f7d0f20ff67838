"""What each node tells the others of its callers, so that limits hold over all. What is limited is not known here."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from ..eventlog.shared import RENEW_SECONDS
from ..limits.shared_charges import SharedCharges
from ..protocol.errors import LogUnavailable
from .letters import Letter
from .node import Node

TELL_SECONDS = 1.0
"""Between two letters: for so long others may let in what is over a limit by what is used here."""


class LimitLetters:
    """Tells what `charges` has taken, and what is open, whenever that has changed, and each RENEW_SECONDS while
    something is open. While the log cannot be reached each node counts for itself."""

    def __init__(self, node: Node, charges: SharedCharges) -> None:
        self._post = node.post
        self._charges = charges
        node.post.on("limits", self._heard)
        node.post.in_background(self._tell(), "limits of all nodes")

    def _heard(self, letter: Letter) -> None:
        self._charges.hear(letter["from"], letter)

    async def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        open_before, told_at = dict[str, dict[str, int]](), 0.0
        while True:
            await asyncio.sleep(TELL_SECONDS)
            told = self._charges.tell()
            due = told["open"] and loop.time() >= told_at + RENEW_SECONDS
            if not told["taken"] and told["open"] == open_before and not due:
                continue
            with suppress(LogUnavailable):
                await self._post.tell_all({"do": "limits", "from": self._post.node, **told})
                open_before, told_at = told["open"], loop.time()
