"""Patterns that Python's `re` matches, and could match for hours: an author is told when the function is defined.

Pydantic matches a pattern that is text by Rust's engine, whose time is linear in the text. It takes Python's for a
pattern that was compiled, and where `regex_engine` says so. Nothing is matched here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

from pydantic_core import CoreSchema

from .schema_walk import Schema, children

MANY = 10
"""Repetitions from which on a repeat within a repeat has too many ways: 10 of 10 are ten thousand million."""


def slow_pattern(schema: CoreSchema) -> str | None:
    """The first pattern that Python's `re` is to match, and that repeats what repeats; None if there is none."""
    return next(_slow(cast(Schema, schema), by_python=False), None)


def _slow(schema: Schema, *, by_python: bool) -> Iterator[str]:
    engine = schema.get("regex_engine") or schema.get("config", {}).get("regex_engine")
    by_python = by_python if engine is None else engine == "python-re"
    pattern = schema.get("pattern") if schema["type"] == "str" else None
    if isinstance(pattern, re.Pattern) or (isinstance(pattern, str) and by_python):
        text = pattern.pattern if isinstance(pattern, re.Pattern) else pattern
        if isinstance(text, str) and _repeats_repeats(text):
            yield text
    for each in children(schema):
        yield from _slow(each, by_python=by_python)


def _repeats_repeats(pattern: str) -> bool:
    parser: Any = re._parser  # type: ignore[attr-defined]  # what sre_parse was
    return _nested(parser.parse(pattern), within=False)


def _nested(parts: Iterable[Any], *, within: bool) -> bool:
    for operation, given in parts:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = given
            many = most >= MANY and least != most
            if (many and within) or _nested(inner, within=within or most >= MANY):
                return True
        elif name in ("ATOMIC_GROUP", "POSSESSIVE_REPEAT"):
            continue  # what it has matched is not tried again
        elif any(_nested(inner, within=within) for inner in _inner(name, given)):
            return True
    return False


def _inner(name: str, given: Any) -> list[Any]:
    match name:
        case "SUBPATTERN":
            return [given[3]]
        case "BRANCH":
            return list(given[1])
        case "ASSERT" | "ASSERT_NOT":
            return [given[1]]
        case "GROUPREF_EXISTS":
            return [each for each in given[1:] if each is not None]
        case _:
            return []
