"""The questions of one run: gives each a unique key, and checks the caller's capabilities before it is asked.

`Context` has the methods that authors call; how a question reaches the caller is known only to the asker.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel

from ..protocol.asking import MissingCapability
from . import asker as asks
from .asker import Ask, Asker, Root, Sample
from .visits import Visits, address

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

MAX_KEY_CHARS = 128
"""Length of an author's key, which is a name. It is repeated in the requests, answers and state of every round."""

_CAPABILITIES: Mapping[str, Mapping[str, Any]] = {
    "elicitation": {"elicitation": {"form": {}}},
    "elicitation.url": {"elicitation": {"url": {}}},
    "sampling": {"sampling": {}},
    "sampling.tools": {"sampling": {"tools": {}}},
    "roots": {"roots": {}},
}


class UsedKeys(NamedTuple):
    """Of one run: the keys of its questions, and those of `once`, each with the steps that lead to who uses it."""

    asked: set[str]
    made: dict[str, str]


class Questions:
    """Asks the questions of one function through its run's `asker`.

    `under` are the steps that lead from the run to a function that another one called; the keys of its questions begin
    with them. `used` are the keys of all functions of the run.
    """

    __slots__ = ("_asker", "_under", "_unnamed", "_used")

    def __init__(self, asker: Asker, under: str = "", used: UsedKeys | None = None) -> None:
        self._asker = asker
        self._under = under
        self._unnamed = 0
        self._used = UsedKeys(set(), {}) if used is None else used

    @property
    def under(self) -> str:
        """What stands before the function's own keys: the steps that lead to it."""
        return self._under

    def of_step(self, step: str) -> Questions:
        """Those of the function that this one calls as its step of that name, which no other of its steps has."""
        return Questions(self._asker, f"{self._under}{step}/", self._used)

    def can(self, capability: str) -> bool:
        """Whether the caller declared the capability. Raises ValueError for an unknown name."""
        if capability not in _CAPABILITIES:
            raise ValueError(f"{capability!r} is no capability to ask for: {', '.join(_CAPABILITIES)}")
        return asks.declared(_CAPABILITIES[capability], self._asker.capabilities)

    def form(self, model: type[M], message: str, key: str | None) -> Coroutine[Any, Any, M]:
        return self._answer(asks.form(model, message), self._key(key))

    def url(
        self, page: str, message: str, key: str | None, until: Visits | None, principal: str
    ) -> Coroutine[Any, Any, None]:
        request = asks.url(page, message)
        name = self._key(key)
        if until is None:
            return self._answer(request, name)
        return self._visit(page, message, name, until, principal)

    def sample(self, messages: Any, options: Mapping[str, Any], key: str | None) -> Coroutine[Any, Any, Sample]:
        return self._answer(asks.sampling(messages, options), self._key(key))

    def roots(self, key: str | None) -> Coroutine[Any, Any, list[Root]]:
        return self._answer(asks.roots(), self._key(key))

    async def once(self, key: str, make: Callable[[], Any]) -> Any:
        whole = f"{self._under}{key}"
        if self._used.made.setdefault(whole, self._under) != self._under:
            raise ValueError(f"the key {whole!r} of ctx.once was used by another tool of this call: choose another")
        return await self._asker.once.value(whole, make)

    async def _visit(self, page: str, message: str, key: str, visits: Visits, principal: str) -> None:
        self._check(asks.url(page, message))
        # The same id in all rounds of the call: another URL would be another question.
        id_ = await self._asker.once.value(f"elicitationId of {key}", lambda: secrets.token_hex(16))
        visit = await visits.start(id_, principal)
        await self._answer(asks.url(address(page, visit.id), message, visit), key)
        await visit.wait()

    def _key(self, key: str | None) -> str:
        """Assigned when the method is called, not when the coroutine is awaited: in the order of the tool's lines."""
        if key is None:
            self._unnamed += 1
            key = f"ask-{self._unnamed}"
        if not 0 < len(key) <= MAX_KEY_CHARS:
            raise ValueError(f"a key has 1 to {MAX_KEY_CHARS} characters, not {len(key)}")
        whole = f"{self._under}{key}"
        if whole in self._used.asked:
            raise ValueError(f"the key {whole!r} was used before: each question has its own")
        self._used.asked.add(whole)
        return whole

    async def _answer(self, ask: Ask[T], key: str) -> T:
        self._check(ask)
        return await self._asker.ask(ask, key)

    def _check(self, ask: Ask[Any]) -> None:
        if not asks.declared(ask.needs, self._asker.capabilities):
            name = ".".join(_path(ask.needs))
            raise MissingCapability(
                ask.needs,
                f"This needs a caller that can be asked by {ask.method}: "
                f"the capability {name} was not declared with the call, or its answer can carry no question.",
            )


def _path(needs: Mapping[str, Any]) -> list[str]:
    for name, inner in needs.items():
        return [name, *_path(inner)]
    return []
