"""Asking a client with a session: a request of ours goes out on the call's stream, and the call waits for the response.

MCP 2025-11-25 and older, client/elicitation, client/sampling, client/roots. How a request reaches the client and where
its response comes in is not known here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..protocol.asking import Declined, NoAnswer
from ..protocol.event import Event, EventType, encode
from ..protocol.mcp.jsonrpc import Id, RpcResponse
from .asker import Ask, Emit, End, problem
from .form import first_form
from .once import Once
from .visits import Visit

T = TypeVar("T")

TRIES = 3
"""Times that a question is asked whose answer does not fit: a form is mistyped once or twice by a person, and always by
a client that does not look at the schema."""

USER_REJECTED = -1
"""The code with which a client says that its user wants no sampling (2025-11-25, Sampling, Error Handling)."""


COMPLETED = "notifications/elicitation/complete"

Expect = Callable[[], tuple[Id, asyncio.Future[RpcResponse]]]
"""An id for a request of ours, and what its response will be: cancelled when the session ends."""


class Live:
    """The asker for one run of a session whose client declared `capabilities`.

    `expect` is the session's, and `tell` tells its client of a visit that was completed after the call. `first_forms`:
    whether the client's forms are those of 2025-06-18. `meta` stands in the `_meta` of every request.
    """

    def __init__(
        self,
        expect: Expect,
        capabilities: Mapping[str, Any],
        *,
        tell: Callable[[str], None] = lambda _: None,
        polled: bool = False,
        first_forms: bool = False,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.capabilities = capabilities
        self.polled = polled
        self.once = Once({})
        self._expect = expect
        self._tell = tell
        self._first_forms = first_forms
        self._meta = meta
        self._emit: Emit | None = None

    def attach(self, emit: Emit, end: End) -> None:
        self._emit = emit

    async def ask(self, ask: Ask[T], key: str) -> T:
        """Ask, and wait. Raises NoAnswer for an error, and when TRIES answers did not fit or the session ends."""
        wrong = ""
        for _ in range(TRIES):
            result = await self._result(ask)
            try:
                answer = ask.read(result)
            except Declined:
                raise
            except ValueError as error:
                wrong = problem(error)
            else:
                if ask.visit is not None:
                    await self._completed(ask.visit)
                return answer
        raise NoAnswer(f"The client's answer is not what was asked for: {wrong}")

    async def _completed(self, visit: Visit) -> None:
        """Wait for the page, and say so: the client shows it as open (Completion Notifications)."""
        if await visit.done() and self._emit is not None:
            said = {"method": COMPLETED, "params": {"elicitationId": visit.id}}
            await self._emit((Event(EventType.ASK, encode(said)),))

    async def _result(self, ask: Ask[Any]) -> Mapping[str, Any]:
        if self._emit is None:
            raise AssertionError("the run has not begun")
        params = dict(ask.params)
        if self._first_forms and "requestedSchema" in params:
            params["requestedSchema"] = first_form(params["requestedSchema"])
        id_, waiting = self._expect()
        if params.get("mode") == "url":
            # 2025-11-25, Elicitation, URL Mode: required there
            params["elicitationId"] = secrets.token_hex(16) if ask.visit is None else ask.visit.id
        if self._meta:
            params["_meta"] = {**params.get("_meta", {}), **self._meta}
        if ask.visit is not None:
            ask.visit.tell(self._tell)
        try:
            said = {"id": id_, "method": ask.method, "params": params}
            await self._emit((Event(EventType.ASK, encode(said)),))
            await asyncio.wait({waiting})
        finally:
            waiting.cancel()  # nobody waits for it any more
        if waiting.cancelled():
            raise NoAnswer("The session ended before the question was answered.")
        response = waiting.result()
        if response.error is not None:
            message = str(response.error.get("message", ""))[:200]
            if response.error.get("code") == USER_REJECTED:
                raise Declined("decline", f"The user declined: {message}")
            raise NoAnswer(f"The client answered {ask.method} with an error: {message}")
        return response.result or {}
