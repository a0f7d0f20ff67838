"""The `requestState` of this server: sealed with the operator's secret, opened once it proves to be of this very call.

How a seal is made is protocol/seal.py's, what is in it asks/rounds.py's. Here are the key, the clock and chance, and
the memory of the states that are good for one use.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...asks import State
from ...protocol import seal
from ...settings import Settings

logger = logging.getLogger("mcp_app.mcp")

STATE_SECONDS = 3600.0
"""For how long a state can be brought back: a person fills in a form within minutes, and looks something up for it
within the hour."""


class States:
    """Seals and opens the states of one server. `clock` counts seconds since the epoch."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.clock = clock
        self.random = random
        self._key = None if settings.secret is None else seal.derive_key(settings.secret.get_secret_value())
        self._used: dict[str, float] = {}

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The key of the setting; without one a random one, which no other process has, and said so once."""
        if self._key is None:
            self._key = seal.derive_key(self.random(32))
            logger.warning(
                "MCP_APP_SECRET is not set: a call that asks its caller something cannot be continued after a restart "
                "or on another node. Set it to a random secret, the same on every node."
            )
        return (self._key,)

    def use(self, text: str) -> None:
        """Count a state that is good for one use as used, for as long as it could be brought back.

        Raises StateRefused when it was. It is this process's memory: another node, or a restart, does not know of it.
        """
        now = self.clock()
        while self._used and (oldest := next(iter(self._used.items())))[1] <= now:
            del self._used[oldest[0]]
        fingerprint = seal.fingerprint(text)
        if fingerprint in self._used:
            raise seal.StateRefused(seal.Reason.USED)
        self._used[fingerprint] = now + STATE_SECONDS


@dataclass(frozen=True, slots=True)
class Bound:
    """States of one principal's request: what is sealed here opens only here."""

    states: States
    principal: str
    method: str
    params: Mapping[str, Any]

    def seal(self, payload: Any) -> str:
        """The `requestState` that carries the payload to the next round."""
        return seal.seal(
            payload,
            keys=self.states.keys,
            principal=self.principal,
            method=self.method,
            digest=seal.digest(self.params),
            expires=self.states.clock() + STATE_SECONDS,
            nonce=self.states.random(seal.NONCE_BYTES),
        )

    def open(self, *, once: bool) -> State | None:
        """What the request's own state carries; None when it has none. With `once` it opens a single time.

        Raises StateRefused.
        """
        text = self.params.get("requestState")
        if text is None:
            return None
        payload = seal.unseal(
            text,
            keys=self.states.keys,
            principal=self.principal,
            method=self.method,
            digest=seal.digest(self.params),
            now=self.states.clock(),
        )
        if once:
            self.states.use(text)
        return State.opened(payload)
