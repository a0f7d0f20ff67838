"""What a server offers of one sort, by key, in the order in which it was given, and who wants to know of changes.

Things come and go while the server runs. No thing is read, run or rendered here, and nobody is notified over a wire:
whoever does that is one of the watchers.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, ParamSpec, Protocol, TypeVar

from ..protocol.errors import ToolDefinitionError

_LOOKED_AT = 128
"""Characters of a wrong key that are compared with those that exist: comparing takes the square of them."""


class Offered(Protocol):
    """What can be offered: it has a key that is its own, and says where it was written."""

    @property
    def key(self) -> str: ...

    @property
    def where(self) -> str: ...


T = TypeVar("T", bound=Offered)
P = ParamSpec("P")


class Watchers(Generic[P]):
    """Who wants to be told of one thing."""

    def __init__(self) -> None:
        self._told: list[Callable[P, None]] = []

    def add(self, told: Callable[P, None]) -> Callable[[], None]:
        """Tell this one too, until the returned function is called."""
        self._told.append(told)

        def remove() -> None:
            if told in self._told:
                self._told.remove(told)

        return remove

    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call them all, in this thread."""
        for told in tuple(self._told):
            told(*args, **kwargs)


class Catalogue(Generic[T]):
    """Things of the class `sort`, each under its own key.

    `noun`, `decorator`, `key` (what the key is to its author) and `remedy` (where it is said) are for messages.
    """

    def __init__(
        self, sort: type[T], things: Iterable[T] = (), *, noun: str, decorator: str, key: str, remedy: str
    ) -> None:
        self._sort = sort
        self._noun = noun
        self._decorator = decorator
        self._key = key
        self._remedy = remedy
        self._things: dict[str, T] = {}
        self._watchers: Watchers[[]] = Watchers()
        for thing in things:
            self.add(thing)

    def add(self, new: T) -> None:
        """Offer one more. Raises ToolDefinitionError when it is of another sort, or its key is taken."""
        if not isinstance(new, self._sort):
            raise ToolDefinitionError(f"{new!r} is not a {self._noun}: decorate the function with {self._decorator}.")
        if (known := self._things.get(new.key)) is not None:
            raise ToolDefinitionError(
                f"Two {self._noun}s have the {self._key} {new.key}: {known.where} and {new.where}. "
                f"Give one of them another, with {self._remedy}."
            )
        self._things[new.key] = new
        self.changed()

    def remove(self, thing: T) -> None:
        """Offer it no more. Raises KeyError when this very one is not offered."""
        if self._things.get(thing.key) is not thing:
            raise KeyError(f"The {self._noun} {thing.key} is not offered.")
        del self._things[thing.key]
        self.changed()

    def find(self, key: str) -> T | None:
        """The thing under that key."""
        return self._things.get(key)

    def near(self, key: str) -> str:
        """A sentence naming what is offered under similar keys, with a space after it; empty without any."""
        near = difflib.get_close_matches(key[:_LOOKED_AT], list(self._things), n=3)
        return f"Did you mean {' or '.join(near)}? " if near else ""

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each change, in the thread that made it, until the returned function is called."""
        return self._watchers.add(changed)

    def changed(self) -> None:
        """Say that something changed which `add` and `remove` do not see, as the words that a list shows."""
        self._watchers.tell()

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._things.values()))

    def __len__(self) -> int:
        return len(self._things)
