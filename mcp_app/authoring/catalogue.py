"""A server's tools, resources or prompts: an ordered registry by key that notifies watchers of changes.

Items may be added and removed while the server runs. No item is read, run or rendered here, and clients are not
notified here: a watcher does that.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, ParamSpec, Protocol, TypeVar

from ..protocol.errors import ToolDefinitionError

_COMPARED_CHARS = 128
"""Characters of an unknown key that are compared with the existing keys: comparing takes quadratic time."""


class CatalogueItem(Protocol):
    """An item of a catalogue: has a unique key, and the location of its definition."""

    @property
    def key(self) -> str: ...

    @property
    def where(self) -> str: ...


T = TypeVar("T", bound=CatalogueItem)
P = ParamSpec("P")


class Watchers(Generic[P]):
    """Callbacks for one kind of change."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[P, None]] = []

    def add(self, callback: Callable[P, None]) -> Callable[[], None]:
        """Add a callback. Returns a function that removes it."""
        self._callbacks.append(callback)

        def remove() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return remove

    def notify(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call all callbacks, in the current thread."""
        for callback in tuple(self._callbacks):
            callback(*args, **kwargs)


class Catalogue(Generic[T]):
    """Items of the class `item_type` by their keys, in the order of their addition.

    `noun`, `decorator`, `key` (the author's name for the key) and `remedy` (where the key is set) are for messages.
    """

    def __init__(
        self, item_type: type[T], items: Iterable[T] = (), *, noun: str, decorator: str, key: str, remedy: str
    ) -> None:
        self._item_type = item_type
        self._noun = noun
        self._decorator = decorator
        self._key = key
        self._remedy = remedy
        self._items: dict[str, T] = {}
        self._lock = threading.Lock()
        self._watchers: Watchers[[]] = Watchers()
        self.version = 0
        """Grows with each change: whoever keeps what was made of the items compares it."""
        for item in items:
            self.add(item)

    def add(self, new: T) -> None:
        """Add an item, in any thread. Raises ToolDefinitionError if it is of another class, or its key is in use."""
        if not isinstance(new, self._item_type):
            raise ToolDefinitionError(f"{new!r} is not a {self._noun}: decorate the function with {self._decorator}.")
        with self._lock:  # of two threads that look at the same time both would find none
            if (known := self._items.get(new.key)) is not None:
                raise ToolDefinitionError(
                    f"Two {self._noun}s have the {self._key} {new.key}: {known.where} and {new.where}. "
                    f"Give one of them another, with {self._remedy}."
                )
            self._items[new.key] = new
        self.changed()

    def remove(self, item: T) -> None:
        """Remove an item. Raises KeyError unless this very object is in the catalogue."""
        with self._lock:
            if self._items.get(item.key) is not item:
                raise KeyError(f"The {self._noun} {item.key} is not offered.")
            del self._items[item.key]
        self.changed()

    def find(self, key: str) -> T | None:
        """The item with that key, or None."""
        return self._items.get(key)

    def suggestion(self, key: str) -> str:
        """A sentence naming similar keys; empty if there are none."""
        matches = difflib.get_close_matches(key[:_COMPARED_CHARS], list(self._items), n=3)
        return f"Did you mean {' or '.join(matches)}?" if matches else ""

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each change, in the thread that made it, until the returned function is called."""
        return self._watchers.add(changed)

    def changed(self) -> None:
        """Notify the watchers of a change other than by `add` and `remove`, such as another title or description."""
        self.version += 1
        self._watchers.notify()

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)
