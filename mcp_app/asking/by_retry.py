"""Asking a client without a session: the call ends with the questions, and comes again with the answers.

MCP 2026-07-28, basic/patterns/mrtr. The state that travels in between is a plain value here: that it is sealed, and by
whom it is opened, is not known.
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
from .asker import Ask, Emit, End, InputRequired
from .once import Once

T = TypeVar("T")

QUIET_TURNS = 8
"""Turns of the loop without a further question after which a round ends. Questions that are asked together (gather,
a task group) are asked within one or two; eight reach those behind a task of a task, and take microseconds."""

MAX_REQUESTS_BYTES = 512 * 1024
"""Of all that one round asks, as JSON: with the state it is less than an event may have."""


@dataclass(slots=True)
class CallState:
    """What earlier rounds of the call have brought.

    `answers` are the client's results, with the digest of what they answer; `asked` the digests of what the last round
    asked; `known` is what `ctx.once` made.
    """

    answers: dict[str, tuple[str, Any]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def opened(cls, payload: Any) -> CallState:
        """Of what `payload` gave, once its seal was found whole."""
        answers = {key: (digest, result) for key, (digest, result) in payload["answers"].items()}
        return cls(answers, dict(payload["asked"]), dict(payload["known"]))

    def payload(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """As a JSON value, with what is asked now."""
        return {"answers": self.answers, "asked": asked, "known": self.known}


class GivenUp(Exception):
    """There are no rounds any more: for whoever asks through them, and nobody else."""


class Rounds:
    """The asker for one round of one call.

    `state` is None in a first round; `responses` are the client's, by key, whatever they hold. `end` is called once,
    with the questions that nobody has answered: it has to cancel the tool, which waits in its `ask`.
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

    def attach(self, emit: Emit, end: End) -> None:
        self.end = end

    async def ask(self, ask: Ask[T], key: str) -> T:
        """The answer that came with this round or an earlier one; without one, the round ends."""
        for result in self.results(ask, key):
            try:
                answer = ask.read(result)
            except Declined:
                self._state.answers[key] = (ask.digest, result)
                raise
            except ValueError:  # "validate … the data provided by the client": it is asked again
                continue
            self._state.answers[key] = (ask.digest, result)
            return answer
        never: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._pending[key] = ask, never
        if self._ending is None:
            self._ending = asyncio.create_task(self._end_when_quiet(), name="end of a round")
        try:
            return await never
        finally:
            self._pending.pop(key, None)  # by a time-out of the tool's own: then it is no question any more

    def give_up(self) -> None:
        """The round does not end with questions: who waits in `ask` gets GivenUp, and asks in another way."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        for _, waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(GivenUp())

    @property
    def asking(self) -> bool:
        """Whether the round is about to end with questions."""
        return bool(self._pending)

    def results(self, ask: Ask[Any], key: str) -> list[Mapping[str, Any]]:
        """What may be the answer: of an earlier round, then of this one, where it is the answer to this very question.

        Without a state there was no question of ours, and the client answers what it expects to be asked.
        """
        digest, earlier = self._state.answers.get(key, (None, None))
        found = [earlier] if digest == ask.digest else []
        if self._first or self._state.asked.get(key) == ask.digest:
            found.append(self._responses.get(key))
        return [result for result in found if isinstance(result, Mapping)]

    async def _end_when_quiet(self) -> None:
        count, quiet = len(self._pending), 0
        while quiet < QUIET_TURNS:
            await self.once.idle()
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._pending) == count else 0
            count = len(self._pending)
        self._ending = None
        if self._pending and self.end is not None:
            self.end(self._required())

    def _required(self) -> InputRequired | McpAppError:
        requests = {key: {"method": ask.method, "params": ask.params} for key, (ask, _) in self._pending.items()}
        state = self._state.payload({key: ask.digest for key, (ask, _) in self._pending.items()})
        for what, value, most in (("is asked", requests, MAX_REQUESTS_BYTES), ("is known", state, MAX_PAYLOAD_BYTES)):
            if (size := len(encode(value))) > most:
                return EventTooLarge(f"What {what} in this round of the call has {size} bytes; it may have {most}.")
        return InputRequired(requests, state)
