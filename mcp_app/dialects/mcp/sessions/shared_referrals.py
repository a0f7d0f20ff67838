"""The referrals of a session that several processes share: documents, so that a call may be retried at any of them.

What a referral is, and its counterpart in the memory of one process, is in asking/by_url.py.
"""

from __future__ import annotations

from ....asking import REFERRAL_SECONDS, CallState
from ....nodes import Node
from ....protocol.event import decode, encode

REFERRAL_FORMAT = 1
"""The format that this release writes. Another one is none: the retry is referred to its pages again."""


class SharedReferrals:
    """The referrals of one session. All raise LogUnavailable."""

    def __init__(self, node: Node, session: str) -> None:
        self._node = node
        self._session = session

    async def take(self, call: str) -> CallState | None:
        """As `Referrals.take`. Exactly one of concurrent retries gets it."""
        name = self._name(call)
        found = await self._node.log.get(name)
        if found is None or not found.value:
            return None
        taken = await self._node.log.put(name, b"", self._node.now() + REFERRAL_SECONDS, found.version) is None
        known = decode(found.value)
        return CallState.from_payload(known["state"]) if taken and known["format"] == REFERRAL_FORMAT else None

    async def keep(self, call: str, state: CallState) -> None:
        """As `Referrals.keep`."""
        written = encode({"format": REFERRAL_FORMAT, "state": state.payload(state.asked, state.misfits)})
        await self._node.log.put(self._name(call), written, self._node.now() + REFERRAL_SECONDS)

    def _name(self, call: str) -> str:
        return f"session/{self._session}/referral/{call}"
