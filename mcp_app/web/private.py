"""Header fields of answers that depend on who calls: no cache gives them to anybody else (RFC 9111, 3.5, 5.2.2.7).

Who calls is not known here.
"""

from __future__ import annotations

from functools import lru_cache

Fields = tuple[tuple[str, str], ...]

VARY = ("Vary", "Accept, Authorization, Cookie")
"""RFC 9110, 12.5.5: what decides which answer it is, where callers are asked who they are."""

_SPELT = frozenset({"Cache-Control", "cache-control"})
"""How answers of ours spell the field: to look at each in lower case would be most of what this costs."""

_PRIVATE = "private"


def private(fields: Fields) -> Fields:
    """The fields, with `private` among the directives of Cache-Control in the place of `public`."""
    for at, (name, value) in enumerate(fields):
        if name in _SPELT:  # there is one: every answer of ours is made so
            return (*fields[:at], (name, _private(value)), *fields[at + 1 :])
    return (*fields, ("Cache-Control", _PRIVATE))


@lru_cache(maxsize=64)  # the handful that answers have: each request asks
def _private(value: str) -> str:
    directives = [each for each in map(str.strip, value.split(",")) if each not in {"", _PRIVATE, "public"}]
    return ", ".join((_PRIVATE, *directives))
