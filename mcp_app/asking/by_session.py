"""Asking a client with a session: the server sends a request on the call's stream, and the call awaits the response.

MCP 2025-11-25 and older, client/elicitation, client/sampling, client/roots. How requests are transported and where
responses arrive is not known here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..protocol.asking import Declined, NoAnswer
from ..protocol.event import Event, EventType, Shape, encode
from ..protocol.mcp.jsonrpc import Id, RpcResponse
from .asker import TRIES, Ask, Emit, End, misfit, problem
from .form import first_form
from .once import Once
from .visits import Visit

T = TypeVar("T")

USER_REJECTED = -1
"""The error code for a user who rejected the sampling request (2025-11-25, Sampling, Error Handling)."""


COMPLETED = "notifications/elicitation/complete"

Expect = Callable[[], tuple[Id, asyncio.Future[RpcResponse]]]
"""Allocates an id for a request to the client; the future gets its response, and is cancelled when the session ends."""


class SessionAsker:
    """The asker of one run in a session whose client declared `capabilities`.

    `expect` registers a request with the session. `notify` is called with the id of a visit that was completed after
    the call, and notifies the client. `first_forms`: the client's forms are those of 2025-06-18. `meta` is sent in the
    `_meta` of every request.
    """

    def __init__(
        self,
        expect: Expect,
        capabilities: Mapping[str, Any],
        *,
        notify: Callable[[str], None] = lambda _: None,
        polled: bool = False,
        first_forms: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.capabilities = capabilities
        self.polled = polled
        self.once = Once({})
        self._expect = expect
        self._notify = notify
        self._first_forms = first_forms
        self._meta = meta
        self._emit: Emit | None = None

    def attach(self, emit: Emit, end: End) -> None:
        self._emit = emit

    async def ask(self, ask: Ask[T], key: str) -> T:
        """Send the request and await the answer.

        Raises NoAnswer for an error response, after TRIES invalid answers, and when the session ends.
        """
        wrong = ""
        for _ in range(TRIES):
            result = await self._result(ask)
            try:
                answer = await ask.read(result)
            except Declined:
                raise
            except ValueError as error:
                wrong = problem(error)
            else:
                if ask.visit is not None:
                    await self._completed(ask.visit)
                return answer
        raise misfit(wrong)

    async def _completed(self, visit: Visit) -> None:
        """Wait for the page and notify the client, which shows it as open (Completion Notifications)."""
        if await visit.wait() and self._emit is not None:
            notification = {"method": COMPLETED, "params": {"elicitationId": visit.id}}
            await self._emit((Event(EventType.ASK, encode(notification), shape=Shape.PRIVATE),))

    async def _result(self, ask: Ask[Any]) -> Mapping[str, Any]:
        if self._emit is None:
            raise AssertionError("the run has not begun")
        params = dict(ask.params)
        if self._first_forms and "requestedSchema" in params:
            params["requestedSchema"] = first_form(params["requestedSchema"])
        id_, waiting = self._expect()
        if params.get("mode") == "url":
            # 2025-11-25, Elicitation, URL Mode: a required member
            params["elicitationId"] = secrets.token_hex(16) if ask.visit is None else ask.visit.id
        if self._meta:
            params["_meta"] = {**params.get("_meta", {}), **self._meta}
        if ask.visit is not None:
            ask.visit.on_completed(self._notify)
        try:
            request = {"id": id_, "method": ask.method, "params": params}
            await self._emit((Event(EventType.ASK, encode(request), shape=Shape.PRIVATE),))
            await asyncio.wait({waiting})
        finally:
            waiting.cancel()  # a late response is dropped
        if waiting.cancelled():
            raise NoAnswer(
                "The session ended before the question was answered.",
                hint="Open a new session, and call again to be asked again.",
            )
        response = waiting.result()
        if response.error is not None:
            message = str(response.error.get("message", ""))[:200]
            if response.error.get("code") == USER_REJECTED:
                raise Declined("decline", f"The user declined: {message}")
            raise NoAnswer(f"The client answered {ask.method} with an error: {message}")
        return response.result or {}
