"""Which of several processes accepts a connection that comes to a socket of theirs: who has the fewest open.

The kernel wakes all of them, and the first to look would have most: 7 of 8 connections were seen. Each writes down how
many it has open, where the others read it; whoever has more than another leaves the next to it, for a few milliseconds.
One socket for each (SO_REUSEPORT) shares by chance, 41 to 59 of 100, and whoever holds its loop, or has died, keeps
those in its queue waiting.

Nothing is accepted here.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, Self

_BYTES = 8
"""Of one number, written at once."""

_ABSENT = -1
"""In the place of the number of one that does not accept."""

LOOK_SECONDS = 0.001
LOOKS = 10
"""How often, and after which time each, whoever has more looks whether another has accepted. Then it does: the others
are busy for longer than that, or hold their loops."""


class ConnectionCounts:
    """How many connections each of the processes has open, in memory that they share."""

    def __init__(self, descriptor: int, count: int) -> None:
        """Of the `count` processes to which this file was handed on."""
        self.descriptor = descriptor
        self.numbers = memoryview(mmap.mmap(descriptor, count * _BYTES)).cast("q")

    @classmethod
    def create(cls, count: int) -> Self:
        """In an unnamed file. No process accepts yet."""
        made = cls(unnamed_file("mcp-app-connections", count * _BYTES), count)
        for number in range(1, count + 1):
            made.clear(number)
        return made

    def clear(self, number: int) -> None:
        """Process `number`, from 1 on, accepts nothing, or nothing yet."""
        self.numbers[number - 1] = _ABSENT


class OpenConnections:
    """Those of one process, as it writes them down, and whether another has fewer."""

    def __init__(self, counts: ConnectionCounts, number: int) -> None:
        self._counts = counts
        self._number = number
        self._has_left = False

    def write(self, count: int) -> None:
        """So many are open, unless it has left."""
        if not self._has_left:
            self._counts.numbers[self._number - 1] = count

    def leave(self) -> None:
        """It accepts no more. Another process may have its number from now on."""
        if not self._has_left:
            self._counts.clear(self._number)
            self._has_left = True

    def is_ahead(self) -> bool:
        """Whether another one that accepts has fewer."""
        numbers = self._counts.numbers
        own = numbers[self._number - 1]
        return any(_ABSENT < count < own for count in numbers)


class PageOfOne(Protocol):
    """`pages.OwnPage`."""

    def leave(self) -> None:
        """Say no more."""


class Siblings(NamedTuple):
    """The other processes that accept at the same addresses, as one of them knows them."""

    connections: OpenConnections
    page: PageOfOne
    """Where this one says of itself what the others are to know: for the application."""

    replaced: Callable[[], Awaitable[float]]
    """Returns when another accepts in the place of this one, which has so many seconds to finish what it has begun."""


def unnamed_file(name: str, size: int) -> int:
    """The descriptor of a file of zeros that is gone when nobody has it. `name` is for who looks at descriptors."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(name)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, size)
    return descriptor
