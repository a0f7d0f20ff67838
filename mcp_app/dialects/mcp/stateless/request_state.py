"""The `requestState` of this server: sealed with the operator's secrets, opened once it proves to be of this very call.

How a seal is made is protocol/http/seal.py's, what is in it asking/by_retry.py's, and which states were used the event
log's. Here are the keys, the clock and chance.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ....asking import CallState, RetryAsker
from ....config.settings import Settings, secrets_of
from ....eventlog import EventLog
from ....protocol.http import seal
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.params import CLIENT_CAPABILITIES_KEY

logger = logging.getLogger("mcp_app.mcp")

STATE_SECONDS = 3600.0
"""For how long a state can be brought back: a person fills in a form within minutes, and looks something up for it
within the hour."""


class States:
    """Seals and opens the states of one server. `clock` counts seconds since the epoch."""

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.clock = clock
        self.random = random
        self._log = log
        self._keys = tuple(seal.derive_key(each) for each in secrets_of(settings.secret))

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys of the setting: the first seals, all open. Without one a random key, which no other process has,
        and said so once."""
        if not self._keys:
            self._keys = (seal.derive_key(self.random(32)),)
            logger.warning(
                "MCP_APP_SECRET is not set: a call that asks its caller something cannot be continued after a restart "
                "or on another node. Set it to a random secret, the same on every node."
            )
        return self._keys

    async def use(self, text: str) -> None:
        """Count a state that is good for one use as used, for as long as it could be brought back.

        It holds for as many processes as share the event log. Raises StateRefused when it was used before, Overloaded
        when the log takes no more.
        """
        now = self.clock()
        name = f"state {seal.fingerprint(text)}"
        if not await self._log.claim(name, now=now, until=now + STATE_SECONDS):
            raise seal.StateRefused(seal.Reason.USED)


@dataclass(slots=True)
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

    async def open(self, *, once: bool) -> CallState | None:
        """What the request's own state carries; None when it has none. With `once` it opens a single time.

        Raises StateRefused and, with `once`, Overloaded.
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
            await self.states.use(text)
        return CallState.from_payload(payload)

    def rounds(self, state: CallState | None) -> RetryAsker:
        """How the call asks its caller, going on from that state."""
        capabilities = self.params["_meta"][CLIENT_CAPABILITIES_KEY]
        return RetryAsker(capabilities, state, self.params.get("inputResponses") or {})


class FirstRound:
    """The states of a request that brings none, and that may make one if its tool asks, which few do.

    Its bytes are kept, and read a second time then: 0.5 KiB of a small call that waits, where what they were read as
    takes 2.6.
    """

    __slots__ = ("_body", "_bound", "_principal", "_states")

    def __init__(self, states: States, principal: str, body: bytes) -> None:
        self._states = states
        self._principal = principal
        self._body = body
        self._bound: Bound | None = None

    def seal(self, payload: Any) -> str:
        """As `Bound.seal`."""
        return self._opened().seal(payload)

    def rounds(self) -> RetryAsker:
        """As `Bound.rounds`, from the start."""
        return self._opened().rounds(None)

    def _opened(self) -> Bound:
        if self._bound is None:
            message = jsonrpc.parse(self._body)
            assert isinstance(message, jsonrpc.RpcRequest)  # noqa: S101 - it was one before
            self._bound = Bound(self._states, self._principal, message.method, message.params)
        return self._bound
