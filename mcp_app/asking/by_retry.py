"""Asking a client without a session: the call ends with the questions, and the client retries it with the answers.

MCP 2026-07-28, basic/patterns/mrtr. The state that the client carries in between is a plain value here; sealing and
opening it is not known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..protocol.asking import Declined
from ..protocol.errors import EventTooLarge, McpAppError
from ..protocol.event import encode
from ..protocol.http.seal import MAX_PAYLOAD_BYTES
from .asker import TRIES, Ask, Emit, End, InputRequired, misfit, problem
from .once import Once

T = TypeVar("T")

QUIET_TURNS = 8
"""Iterations of the event loop without a further question after which a round ends. Concurrent questions (gather, a
task group) arrive within one or two; eight also cover those asked in a task of a task, and take microseconds."""

MAX_REQUESTS_BYTES = 512 * 1024
"""Size of all requests of one round, as JSON. Together with the state it stays below the size limit of an event."""


@dataclass(slots=True)
class CallState:
    """The state that a call carries from round to round.

    `answers`: the client's results by key, each with the digest of the request it answers. `asked`: the digests of the
    last round's requests, by key. `known`: the values of `ctx.once`. `misfits`: how many invalid answers there
    have been to each request of the last round, by key.
    """

    answers: dict[str, tuple[str, Any]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)
    misfits: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_payload(cls, payload: Any) -> CallState:
        """The state of a value made by `payload`, after its seal was verified."""
        answers = {key: (digest, result) for key, (digest, result) in payload["answers"].items()}
        misfits = payload.get("misfits", {})  # absent in most, and in a state of a node that is a version behind
        return cls(answers, dict(payload["asked"]), dict(payload["known"]), dict(misfits))

    def payload(self, asked: Mapping[str, str], misfits: Mapping[str, int]) -> dict[str, Any]:
        """As a JSON value, with this round's `asked` and `misfits`."""
        state = {"answers": self.answers, "asked": asked, "known": self.known}
        return {**state, "misfits": misfits} if misfits else state


class RoundAbandoned(Exception):
    """Raised from a pending `RetryAsker.ask` after `abandon`. Internal to the askers: no tool sees it."""


class RetryAsker:
    """The asker of one round of one call.

    `state` is None in the first round; `responses` are the client's, by key, not validated yet. `end` is called once,
    with the unanswered questions: it must cancel the tool, which is waiting in `ask`.
    """

    def __init__(self, capabilities: Mapping[str, Any], state: CallState | None, responses: Mapping[str, Any]) -> None:
        self.capabilities = capabilities
        self.polled = False
        self._first = state is None
        self._state = state or CallState()
        self.once = Once(self._state.known)
        self._responses = responses
        self._pending: dict[str, tuple[Ask[Any], asyncio.Future[Any]]] = {}
        self.end: End | None = None
        self._ending: asyncio.Task[None] | None = None
        self._abandoned = False

    def attach(self, emit: Emit, end: End) -> None:
        self.end = end

    async def ask(self, ask: Ask[T], key: str) -> T:
        """Return the answer from this round or an earlier one. Without one the round ends, and this never returns.

        Raises NoAnswer after TRIES invalid answers.
        """
        wrong = "it is no object"
        for result in self.candidates(ask, key):
            self._state.answers[key] = (ask.digest, result)  # already: another question may end the round meanwhile
            try:
                return await ask.read(result)
            except Declined:
                raise
            except Exception as error:  # "validate … the data provided by the client": the question is asked again
                del self._state.answers[key]
                if not isinstance(error, ValueError):
                    raise
                wrong = problem(error)
        if self.misfits(ask, key) >= TRIES:
            raise misfit(wrong)
        if self._abandoned:  # while an answer of an earlier round was read
            raise RoundAbandoned
        unanswered: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending[key] = ask, unanswered
        if self._ending is None:
            self._ending = asyncio.create_task(self._end_when_quiet(), name="end of a round")
        try:
            return await unanswered
        finally:
            self._pending.pop(key, None)  # the tool's own timeout withdraws the question

    def abandon(self) -> None:
        """Do not end the round with questions: each pending `ask` raises RoundAbandoned, for another asker to go on."""
        self._abandoned = True
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        for _, waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(RoundAbandoned())

    @property
    def asking(self) -> bool:
        """Whether the round is about to end with questions."""
        return bool(self._pending)

    def candidates(self, ask: Ask[Any], key: str) -> list[Mapping[str, Any]]:
        """The candidate answers, from an earlier round and then from this one, if they answer this exact request.

        Without a state no request was sent, and the client may answer in advance what it expects to be asked.
        """
        digest, earlier = self._state.answers.get(key, (None, None))
        found = [earlier] if digest == ask.digest else []
        if self._first or self._was_asked(ask, key):
            found.append(self._responses.get(key))
        return [result for result in found if isinstance(result, Mapping)]

    def misfits(self, ask: Ask[Any], key: str) -> int:
        """How many invalid answers to this exact request there have been, for a request that has no valid one."""
        if not self._was_asked(ask, key):
            return 0
        return self._state.misfits.get(key, 0) + (self._responses.get(key) is not None)

    def _was_asked(self, ask: Ask[Any], key: str) -> bool:
        return self._state.asked.get(key) == ask.digest

    async def _end_when_quiet(self) -> None:
        count, quiet = len(self._pending), 0
        while quiet < QUIET_TURNS:
            await self.once.idle()
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._pending) == count else 0
            count = len(self._pending)
        required: InputRequired | McpAppError | None = None
        try:
            required = await self._required() if self._pending else None
        except McpAppError as error:  # what is to be kept of the call cannot be
            required = error
        self._ending = None
        if required is not None and self.end is not None:
            self.end(required)

    async def _required(self) -> InputRequired | McpAppError:
        requests = {key: {"method": ask.method, "params": ask.params} for key, (ask, _) in self._pending.items()}
        misfits = {key: count for key, (ask, _) in self._pending.items() if (count := self.misfits(ask, key))}
        state = self._state.payload({key: ask.digest for key, (ask, _) in self._pending.items()}, misfits)
        for what, value, most in (("is asked", requests, MAX_REQUESTS_BYTES), ("is known", state, MAX_PAYLOAD_BYTES)):
            if (size := len(encode(value))) > most:
                return EventTooLarge(f"What {what} in this round of the call has {size} bytes; it may have {most}.")
        return InputRequired(requests, state)
