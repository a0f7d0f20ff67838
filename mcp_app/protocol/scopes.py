"""Scopes: how they are spelt (RFC 6749, 3.3), and which of them imply others.

Pure. Who has which scopes is not known here, nor what needs them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

MAX_SCOPE_CHARACTERS = 256
"""Characters of one scope. Longer ones exist nowhere, and each stands in challenges and lists."""

MAX_SCOPES = 1000
"""Scopes that one caller can have: a token of 64 KiB could name thirty thousand, and each request looks at them."""

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}", re.ASCII)
"""A scope-token: no space, no quotation mark, no backslash, nothing but ASCII; MAX_SCOPE_CHARACTERS at most."""


def check_scopes(scopes: Iterable[str]) -> frozenset[str]:
    """The scopes as a set. Raises ValueError for a text that cannot be one, or too many; TypeError for what is no
    text, or a text in the place of a list."""
    if isinstance(scopes, str):
        raise TypeError(f"scopes are a list of texts, not the text {scopes[:MAX_SCOPE_CHARACTERS]!r}")
    found = frozenset(_checked(each) for each in scopes)
    if len(found) > MAX_SCOPES:
        raise ValueError(f"{len(found)} scopes are more than {MAX_SCOPES}")
    return found


def read_scopes(text: str) -> frozenset[str]:
    """The scopes of a text in which spaces separate them, as tokens have it. Raises ValueError."""
    return check_scopes(each for each in text.split(" ") if each)


def write_scopes(scopes: Iterable[str]) -> str:
    """The text of these scopes, in one order."""
    return " ".join(sorted(scopes))


class Hierarchy:
    """Which scopes imply others: `admin>write>read, audit>read`. Immutable."""

    def __init__(self, below: Mapping[str, frozenset[str]]) -> None:
        """`below`: what each scope implies directly, without circles."""
        self._below = dict(below)
        self._with_all: dict[str, frozenset[str]] = {}
        for scope in TopologicalSorter(self._below).static_order():
            implied = (self._with_all.get(each, frozenset()) for each in self._below.get(scope, ()))
            self._with_all[scope] = frozenset({scope}).union(*implied)
        self._implied = lru_cache(maxsize=256)(self._all) if below else None

    @classmethod
    def read(cls, text: str) -> Hierarchy:
        """Chains, separated by commas: each scope implies those behind its `>`. Raises ValueError for what is no chain
        of scopes, and for a circle."""
        below: dict[str, set[str]] = {}
        for chain in filter(None, (each.strip() for each in text.split(","))):
            names = [each.strip() for each in chain.split(">")]
            if len(names) < 2 or not all(_SCOPE.fullmatch(each) for each in names):
                raise ValueError(f"{chain[:100]!r} is no chain of scopes, such as admin>write>read")
            for above, under in itertools.pairwise(names):
                below.setdefault(above, set()).add(under)
        try:
            return cls({name: frozenset(under) for name, under in below.items()})
        except CycleError as error:
            circle = ">".join(reversed(error.args[1]))
            raise ValueError(f"{circle} is a circle: a scope would imply itself") from None

    def implied(self, granted: frozenset[str]) -> frozenset[str]:
        """The granted scopes and all that they imply; the same object where that is no more."""
        return granted if self._implied is None else self._implied(granted)

    @property
    def scopes(self) -> frozenset[str]:
        """All that it names."""
        return frozenset(self._with_all)

    def _all(self, granted: frozenset[str]) -> frozenset[str]:
        found = granted.union(*(self._with_all.get(each, frozenset()) for each in granted))
        return granted if found == granted else found


def _checked(scope: str) -> str:
    if not isinstance(scope, str):
        raise TypeError(f"a scope is a text, not {type(scope).__name__}")
    if not _SCOPE.fullmatch(scope):
        raise ValueError(
            f"{scope[:MAX_SCOPE_CHARACTERS]!r} is no scope: 1 to {MAX_SCOPE_CHARACTERS} visible ASCII characters but "
            '" and \\ (RFC 6749, 3.3)'
        )
    return scope
