"""JSON Pointer (RFC 6901): a text that leads to one value within another. Nothing else is known here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_WRONG_ESCAPE = re.compile(r"~(?![01])")

_INDEX = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
"""RFC 6901, 4: no leading zeros. `-`, the item behind the last, never exists."""


class Nowhere(LookupError):
    """The pointer leads to nothing in the value."""


def tokens(pointer: str) -> tuple[str, ...]:
    """The names and indices on the way, unescaped; none for the whole value. Raises ValueError for no pointer."""
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError('a JSON Pointer is empty or begins with "/", such as "/rows/0/name"')
    if _WRONG_ESCAPE.search(pointer):
        raise ValueError('in a JSON Pointer "~" is written "~0", and "/" in a name "~1"')
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def index(token: str) -> int | None:
    """The index of an array's item; None for what is none."""
    return int(token) if _INDEX.fullmatch(token) else None


def value_at(value: Any, way: Sequence[str]) -> Any:
    """The value to which the tokens lead. Raises Nowhere."""
    for token in way:
        if isinstance(value, dict) and token in value:
            value = value[token]
        elif isinstance(value, list) and (at := index(token)) is not None and at < len(value):
            value = value[at]
        else:
            raise Nowhere(token)
    return value
