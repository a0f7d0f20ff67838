"""Asking a client with a session: a request of ours goes out on the call's stream, and the call waits for the response.

MCP 2025-11-25 and older, client/elicitation, client/sampling, client/roots. How a request reaches the client and where
its response comes in is not known here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, TypeVar

from ..protocol.asking import Declined, NoAnswer
from ..protocol.event import Event, EventType, encode
from ..protocol.jsonrpc import Response
from .ask import Ask, Emit, End, problem

T = TypeVar("T")

TRIES = 3
"""Times that a question is asked whose answer does not fit: a form is mistyped once or twice by a person, and always by
a client that does not look at the schema."""

USER_REJECTED = -1
"""The code with which a client says that its user wants no sampling (2025-11-25, Sampling, Error Handling)."""


class Inbox:
    """Where the responses of one client come in: one for each session."""

    def __init__(self) -> None:
        self._waiting: dict[str | int, asyncio.Future[Response]] = {}
        self._closed = False

    def expect(self, id: str) -> asyncio.Future[Response]:  # noqa: A002 - the wire's name
        """What the response with that id will settle. Raises NoAnswer when the session has ended."""
        if self._closed:
            raise NoAnswer("The session has ended: there is nobody to ask.")
        waiting: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting[id] = waiting
        waiting.add_done_callback(lambda _: self._waiting.pop(id, None))
        return waiting

    def resolve(self, response: Response) -> bool:
        """Hand a response over. False when it answers nothing that was asked, or is the second to do so."""
        waiting = None if response.id is None else self._waiting.pop(response.id, None)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(response)
        return True

    def close(self) -> None:
        """The session has ended: who waits gets NoAnswer."""
        self._closed = True
        for waiting in list(self._waiting.values()):
            if not waiting.done():
                waiting.set_exception(NoAnswer("The session ended before the question was answered."))


class Live:
    """The asker for one run of a session whose client declared `capabilities`."""

    def __init__(self, inbox: Inbox, capabilities: Mapping[str, Any]) -> None:
        self.capabilities = capabilities
        self.known: dict[str, Any] = {}
        self._inbox = inbox
        self._emit: Emit | None = None

    def attach(self, emit: Emit, end: End) -> None:
        self._emit = emit

    async def ask(self, ask: Ask[T], key: str) -> T:
        """Ask, and wait. Raises NoAnswer for an error, and when TRIES answers did not fit."""
        wrong = ""
        for _ in range(TRIES):
            result = await self._result(ask)
            try:
                return ask.read(result)
            except Declined:
                raise
            except ValueError as error:
                wrong = problem(error)
        raise NoAnswer(f"The client's answer is not what was asked for: {wrong}")

    async def _result(self, ask: Ask[Any]) -> Mapping[str, Any]:
        if self._emit is None:
            raise AssertionError("the run has not begun")
        id_ = f"ask-{secrets.token_hex(8)}"  # never a client's own id, nor that of another run of the session
        params = dict(ask.params)
        if params.get("mode") == "url":
            params["elicitationId"] = id_  # 2025-11-25, Elicitation, URL Mode: required there
        waiting = self._inbox.expect(id_)
        try:
            said = {"id": id_, "method": ask.method, "params": params}
            await self._emit((Event(EventType.ASK, encode(said)),))
            response = await waiting
        finally:
            waiting.cancel()
        if response.error is not None:
            message = str(response.error.get("message", ""))[:200]
            if response.error.get("code") == USER_REJECTED:
                raise Declined("decline", f"The user declined: {message}")
            raise NoAnswer(f"The client answered {ask.method} with an error: {message}")
        return response.result or {}
