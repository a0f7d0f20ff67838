"""Seals and opens the `requestState` of a call: authenticated with the operator's secrets, and bound to the request.

The seal itself is in protocol/http/seal.py, the payload in asking/by_retry.py, and the record of used states in the
event log. This module provides the keys, the clock and the random numbers.
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
from ....nodes import Node
from ....protocol.http import seal
from ....protocol.mcp import jsonrpc
from ....protocol.mcp.params import CLIENT_CAPABILITIES_KEY

logger = logging.getLogger("mcp_app.mcp")

STATE_SECONDS = 3600.0
"""How long a state is valid: a person fills in a form within minutes, and looks something up for it within an hour."""


class States:
    """The keys and the used states of one server; `node` is that among those that share a log. `clock` returns seconds
    since the epoch."""

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        node: Node | None = None,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.clock = clock
        self.random = random
        self._log = log
        self._node = node
        self._keys = tuple(seal.derive_key(each) for each in secrets_of(settings.secret))

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys of the setting: the first one seals, each of them opens. Without the setting, a random key that no
        other process has; that is logged once."""
        if not self._keys:
            self._keys = (seal.derive_key(self.random(32)),)
            logger.warning(
                "MCP_APP_SECRET is not set: a call that asks its caller something cannot be continued after a restart "
                "or on another node. Set it to a random secret, the same on every node."
            )
        return self._keys

    async def consume(self, text: str) -> None:
        """Record a single-use state as used, until it expires, for all processes that share the event log.

        Raises StateRefused if it has been used before, Overloaded if the log is full, LogUnavailable.
        """
        name = f"state {seal.fingerprint(text)}"
        if self._node is None:
            now = self.clock()
            claimed = await self._log.claim(name, now=now, until=now + STATE_SECONDS)
        else:
            mine = self.random(_CLAIM_BYTES)
            until = self._node.now() + STATE_SECONDS
            other = await self._node.log.put(f"claim/{name}", mine, until, version=0)
            claimed = other is None or other.value == mine  # it is this very claim, whose answer was lost
        if not claimed:
            raise seal.StateRefused(seal.Reason.USED)


_CLAIM_BYTES = 16
"""Of what a claim in a shared log is known by."""


@dataclass(slots=True)
class BoundStates:
    """Seals and opens states that are bound to one principal's request: no other request opens them."""

    states: States
    principal: str
    method: str
    params: Mapping[str, Any]

    def seal(self, payload: Any) -> str:
        """The `requestState` that contains the payload for the retry."""
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
        """The payload of the request's own state; None if it has none. With `once` a state can be opened only once.

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
            await self.states.consume(text)
        return CallState.from_payload(payload)

    def asker(self, state: CallState | None) -> RetryAsker:
        """The asker of the call, which continues from that state."""
        capabilities = self.params["_meta"][CLIENT_CAPABILITIES_KEY]
        return RetryAsker(capabilities, state, self.params.get("inputResponses") or {})


class LazyBoundStates:
    """Lazy: creates the `BoundStates` of a request without a state if its tool asks a question, which few do.

    It keeps the body, and parses it again in that case: 0.5 KiB for a small call that waits; the parsed message would
    take 2.6 KiB.
    """

    __slots__ = ("_body", "_bound", "_principal", "_states")

    def __init__(self, states: States, principal: str, body: bytes) -> None:
        self._states = states
        self._principal = principal
        self._body = body
        self._bound: BoundStates | None = None

    def seal(self, payload: Any) -> str:
        """As `BoundStates.seal`."""
        return self._bound_states().seal(payload)

    def asker(self) -> RetryAsker:
        """As `BoundStates.asker`, without a state."""
        return self._bound_states().asker(None)

    def _bound_states(self) -> BoundStates:
        if self._bound is None:
            message = jsonrpc.parse(self._body)
            assert isinstance(message, jsonrpc.RpcRequest)  # noqa: S101 - the same body was one before
            self._bound = BoundStates(self._states, self._principal, message.method, message.params)
        return self._bound
