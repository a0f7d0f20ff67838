"""Finds what does its work only when it is read: generators, `map`, `zip`, open files.

Encoding would read it: on the event loop that holds up every other caller. Nothing is read here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

_LOOKED_AT = 1000
"""Containers that are looked into, which takes 0.3 ms at most. What is as large as that was worked out already."""

_LAZY = (Iterator, AsyncIterator)
_ATOMS = frozenset([str, int, float, bool, bytes, type(None)])


def lazy(value: Any) -> type | None:
    """The type of what is lazy in the value: itself, or anywhere within dicts, lists and tuples; None if nothing is."""
    if type(value) in _ATOMS:
        return None
    containers = [[value]]
    for container in islice(_growing(containers), _LOOKED_AT):
        kinds = set(map(type, container)) - _ATOMS  # at C's speed, as most containers have nothing but atoms
        if not kinds:
            continue
        for kind in kinds:
            if issubclass(kind, _LAZY):
                return kind
        containers.extend(list(each.values()) if type(each) is dict else each for each in container if _opens(each))
    return None


def _opens(value: Any) -> bool:
    return type(value) is dict or type(value) is list or type(value) is tuple


def _growing(containers: list[Any]) -> Iterator[Any]:
    """Iterates over the list while it grows."""
    yield from containers
