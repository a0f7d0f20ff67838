"""Asking a client that polls a task: the call waits, and its questions are listed until the client posts answers.

MCP extension io.modelcontextprotocol/tasks, "Task Update Requests". Until `defer` is called the call may still be
answered immediately, and asks by retry like every call without a session. The wire format of tasks is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..protocol.asking import Declined
from .asker import TRIES, Ask, Emit, End, misfit, problem
from .by_retry import CallState, RetryAsker, RoundAbandoned

T = TypeVar("T")

_ANSWER = "answer to "
"""What an answer is known by, besides the values of `ctx.once`, for whoever begins the call again."""


def earlier_state(known: dict[str, Any]) -> CallState:
    """What is known of the attempts before: the answers, and the values of `ctx.once`."""
    answers = {name.removeprefix(_ANSWER): value for name, value in known.items() if name.startswith(_ANSWER)}
    return CallState(answers={key: (digest, result) for key, (digest, result) in answers.items()}, known=known)


class PollingAsker:
    """The asker of a call that is a task or may become one. `changed` is called when `outstanding` changes."""

    def __init__(self, retry_asker: RetryAsker, changed: Callable[[], None]) -> None:
        self.capabilities = retry_asker.capabilities
        self.once = retry_asker.once
        self.polled = False  # a task has no stream that could be closed early
        self.deferred = False
        self._retry_asker = retry_asker
        self._changed = changed
        self._open: dict[str, tuple[Ask[Any], asyncio.Future[Mapping[str, Any]]]] = {}
        self._used: set[str] = set()

    def attach(self, emit: Emit, end: End) -> None:
        self._retry_asker.attach(emit, end)

    def defer(self) -> None:
        """From now on the call waits for answers instead of ending with its questions; pending questions included."""
        self.deferred = True
        self._retry_asker.abandon()

    @property
    def asking(self) -> bool:
        """Whether a round is about to end with questions. It is then too late for `defer`."""
        return not self.deferred and self._retry_asker.asking

    @property
    def outstanding(self) -> dict[str, Any]:
        """`inputRequests`: the unanswered requests, by keys that are never reused."""
        return {key: {"method": ask.method, "params": ask.params} for key, (ask, _) in self._open.items()}

    def answer(self, responses: Mapping[str, Any]) -> None:
        """Accept the answers to outstanding requests; others are ignored."""
        for key in self._open.keys() & responses.keys():
            if isinstance(responses[key], Mapping):
                _, waiting = self._open.pop(key)
                if not waiting.done():
                    waiting.set_result(responses[key])
                self._changed()

    async def ask(self, ask: Ask[T], key: str) -> T:
        """Return the answer. Raises NoAnswer after TRIES invalid ones, those of earlier rounds included."""
        if not self.deferred:
            try:
                return await self._retry_asker.ask(ask, key)
            except RoundAbandoned:
                pass  # `defer` was called in the meantime
        wrong = ""
        for result in self._retry_asker.candidates(ask, key):  # answers that arrived in earlier rounds
            try:
                return await ask.read(result)
            except Declined:
                raise
            except ValueError as error:
                wrong = problem(error)
        for _ in range(TRIES - self._retry_asker.misfits(ask, key)):
            result = await self._answer(ask, self._unused(key))
            try:
                answer = await ask.read(result)
            except Declined:
                await self._note(ask, key, result)
                raise
            except ValueError as error:
                wrong = problem(error)
            else:
                await self._note(ask, key, result)
                return answer
        raise misfit(wrong)

    async def _note(self, ask: Ask[Any], key: str, result: Mapping[str, Any]) -> None:
        if self.once.keep is not None:
            await self.once.note(f"{_ANSWER}{key}", [ask.digest, dict(result)])

    async def _answer(self, ask: Ask[Any], key: str) -> Mapping[str, Any]:
        waiting: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._open[key] = ask, waiting
        self._changed()
        try:
            return await waiting
        finally:
            self._open.pop(key, None)

    def _unused(self, key: str) -> str:
        """A new key each time a question is repeated ("MUST be unique over the lifetime of a single task")."""
        name, again = key, 1
        while name in self._used:
            again += 1
            name = f"{key}-{again}"
        self._used.add(name)
        return name
