"""Those that wait, in turns: each caller's in order, and one of each caller before anybody's next.

Pure. What is waited for is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

Caller = TypeVar("Caller", bound=Hashable)
Waiting = TypeVar("Waiting", bound=Hashable)


class Rotation(Generic[Caller, Waiting]):
    """A queue that is round-robin by caller. With one caller it is first come, first served."""

    __slots__ = ("_callers", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[Caller, dict[Waiting, None]] = {}  # whose turn is next stands first; nobody's is empty
        self._callers: dict[Waiting, Caller] = {}

    def __len__(self) -> int:
        return len(self._callers)

    def __contains__(self, item: object) -> bool:
        return item in self._callers

    def __iter__(self) -> Iterator[Waiting]:
        """In the order in which they came."""
        return iter(self._callers)

    def add(self, item: Waiting, caller: Caller) -> None:
        """It waits behind the caller's others; a caller who has none waits behind all callers' turns."""
        self._callers[item] = caller
        self._waiting.setdefault(caller, {})[item] = None

    def discard(self, item: Waiting) -> None:
        """It waits no more; nothing if it does not."""
        if item not in self._callers:
            return
        caller = self._callers.pop(item)
        own = self._waiting[caller]
        del own[item]
        if not own:
            del self._waiting[caller]

    def pop(self) -> Waiting | None:
        """Take the next one; None if nobody waits."""
        found = self.pop_if(lambda _: True)
        return None if found is None else found[1]

    def pop_if(self, allowed: Callable[[Caller], bool]) -> tuple[Caller, Waiting] | None:
        """Take the next one of a caller who is allowed to have one; None if nobody is. The others keep their turns."""
        caller = next(filter(allowed, self._waiting), None)
        if caller is None:
            return None
        own = self._waiting.pop(caller)
        item = next(iter(own))
        del own[item], self._callers[item]
        if own:
            self._waiting[caller] = own  # behind the others
        return caller, item

    def before(self, item: Waiting) -> int:
        """How many go first, unless others come or leave."""
        caller = self._callers[item]
        place = next(number for number, each in enumerate(self._waiting[caller]) if each is item)
        total, rounds = place, place + 1  # those whose turn is before the caller's have one round more
        for each, items in self._waiting.items():
            if each == caller:
                rounds = place
            else:
                total += min(len(items), rounds)
        return total

    def oldest(self, caller: Caller) -> Waiting | None:
        """The one of the caller's that has waited longest, else the one of all; None if nobody waits."""
        return next(iter(self._waiting.get(caller, self._callers)), None)

    def of(self, caller: Caller) -> int:
        """How many are the caller's."""
        return len(self._waiting.get(caller, ()))

    def last_of_most(self) -> tuple[Waiting, int]:
        """The last one of the caller who has most of them, and how many those are. Raises ValueError if nobody waits.
        Of two with as many it is the caller whose turn is later."""
        most = max(reversed(self._waiting.values()), key=len)
        return next(reversed(most)), len(most)
