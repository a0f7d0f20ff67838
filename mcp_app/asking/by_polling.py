"""Asking a client that polls: questions wait until their answers are brought, and so does the call.

MCP extension io.modelcontextprotocol/tasks, "Task Update Requests". Until `defer` the call may still be answered at
once, and asks in rounds as every call without a session does. What a task is on the wire is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..protocol.asking import Declined, NoAnswer
from .asker import Ask, Emit, End, problem
from .by_retry import GivenUp, Rounds
from .by_session import TRIES

T = TypeVar("T")


class Deferred:
    """The asker for one call that becomes a task, or is one; `changed` is called when what is outstanding changes."""

    def __init__(self, rounds: Rounds, changed: Callable[[], None]) -> None:
        self.capabilities = rounds.capabilities
        self.once = rounds.once
        self.polled = False  # there is no stream to let go of
        self.deferred = False
        self._rounds = rounds
        self._changed = changed
        self._open: dict[str, tuple[Ask[Any], asyncio.Future[Mapping[str, Any]]]] = {}
        self._used: set[str] = set()

    def attach(self, emit: Emit, end: End) -> None:
        self._rounds.attach(emit, end)

    def defer(self) -> None:
        """From now on the call waits for its answers instead of ending with its questions, those it has just asked
        among them."""
        self.deferred = True
        self._rounds.give_up()

    @property
    def asking(self) -> bool:
        """Whether a round is about to end with questions: then it is too late to defer."""
        return not self.deferred and self._rounds.asking

    @property
    def outstanding(self) -> dict[str, Any]:
        """`inputRequests`: what nobody has answered yet, by keys that are never used again."""
        return {key: {"method": ask.method, "params": ask.params} for key, (ask, _) in self._open.items()}

    def answer(self, responses: Mapping[str, Any]) -> None:
        """Take the answers to what is outstanding; all else is passed over."""
        for key in self._open.keys() & responses.keys():
            if isinstance(responses[key], Mapping):
                _, waiting = self._open.pop(key)
                if not waiting.done():
                    waiting.set_result(responses[key])
                self._changed()

    async def ask(self, ask: Ask[T], key: str) -> T:
        """The answer. Raises NoAnswer when TRIES of them did not fit."""
        if not self.deferred:
            try:
                return await self._rounds.ask(ask, key)
            except GivenUp:
                pass  # it has been deferred meanwhile
        for result in self._rounds.results(ask, key):  # what the rounds before have brought
            try:
                return ask.read(result)
            except Declined:
                raise
            except ValueError:
                continue
        wrong = ""
        for _ in range(TRIES):
            try:
                return ask.read(await self._answer(ask, self._unused(key)))
            except Declined:
                raise
            except ValueError as error:
                wrong = problem(error)
        raise NoAnswer(f"The client's answer is not what was asked for: {wrong}")

    async def _answer(self, ask: Ask[Any], key: str) -> Mapping[str, Any]:
        waiting: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._open[key] = ask, waiting
        self._changed()
        try:
            return await waiting
        finally:
            self._open.pop(key, None)

    def _unused(self, key: str) -> str:
        """A question that is asked again is another one ("MUST be unique over the lifetime of a single task")."""
        name, again = key, 1
        while name in self._used:
            again += 1
            name = f"{key}-{again}"
        self._used.add(name)
        return name
