"""A server's tools, resources or prompts: an ordered registry by key that notifies watchers of changes.

Items may be added and removed while the server runs. No item is read, run or rendered here, and clients are not
notified here: a watcher does that.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, ParamSpec, Protocol, TypeVar

from ..protocol.access import Access
from ..protocol.errors import ToolDefinitionError
from .permitted import Scoped, is_shown, permitted

_COMPARED_CHARS = 128
"""Characters of an unknown key that are compared with the existing keys: comparing takes quadratic time."""


class CatalogueItem(Scoped, Protocol):
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
        self._item_watchers: Watchers[[T | None]] = Watchers()
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
        self.changed(new)

    def remove(self, item: T) -> None:
        """Remove an item. Raises KeyError unless this very object is in the catalogue."""
        with self._lock:
            if self._items.get(item.key) is not item:
                raise KeyError(f"The {self._noun} {item.key} is not offered.")
            del self._items[item.key]
        self.changed(item)

    def find(self, key: str) -> T | None:
        """The item with that key, or None. Whoever acts for a caller uses `usable`."""
        return self._items.get(key)

    def usable(self, key: str, access: Access) -> T | None:
        """The item with that key, for this caller: None if there is none that it may use. Raises InsufficientScope for
        one that it is shown and needs more scopes for."""
        return permitted(self._items.get(key), access)

    def shown(self, access: Access) -> list[T]:
        """The items that this caller is shown."""
        return [item for item in tuple(self._items.values()) if is_shown(item, access)]

    def suggestion(self, key: str, access: Access) -> str:
        """A sentence naming similar keys of what the caller is shown; empty if there are none."""
        known = [item.key for item in self.shown(access)]
        matches = difflib.get_close_matches(key[:_COMPARED_CHARS], known, n=3)
        return f"Did you mean {' or '.join(matches)}?" if matches else ""

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each change, in the thread that made it, until the returned function is called."""
        return self._watchers.add(changed)

    def watch_items(self, changed: Callable[[T | None], None]) -> Callable[[], None]:
        """As `watch`, and `changed` is told which item it is; None if that is not known."""
        return self._item_watchers.add(changed)

    def changed(self, item: T | None = None) -> None:
        """Notify the watchers of a change other than by `add` and `remove`, such as another title or description.
        Without the `item` all clients are notified, also those that are not shown it."""
        self.version += 1
        self._watchers.notify()
        self._item_watchers.notify(item)

    def __iter__(self) -> Iterator[T]:
        return iter(tuple(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)
