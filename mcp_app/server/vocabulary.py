"""The keys that Hypercorn's configuration has, and what each takes, read from Hypercorn's own class.

What a key means for us, and which of them are refused, is not decided here.
"""

from __future__ import annotations

import difflib
import functools
import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypercorn.config import Config

NOT_FOR_FILES = frozenset({"application_path", "cert_reqs", "log", "logger_class", "ssl_enabled"})
"""Attributes that a file cannot set: they are made by the program, read-only, or replaced by another key."""

NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes", dict: "a table"}


def is_key(key: str) -> bool:
    """Whether Hypercorn reads `key` from a file."""
    return key in _takes()


def closest(key: str) -> str | None:
    """The key that was probably meant."""
    plain = key.replace("-", "_")
    squeezed = {name.replace("_", ""): name for name in _takes()}
    if plain.replace("_", "") in squeezed:
        return squeezed[plain.replace("_", "")]
    found = difflib.get_close_matches(plain, _takes(), n=1)
    return found[0] if found else None


def problem(key: str, value: object) -> str | None:
    """Why `value` is not one for `key`, or None. Numbers may not be negative: all of them are counts or seconds."""
    takes = _takes()[key]
    if not any(_fits(value, kind) for kind in takes):
        return f"{_shown(value)} is not {' or '.join(_name(kind) for kind in takes)}"
    if isinstance(value, int | float) and not isinstance(value, bool) and not 0 <= value < float("inf"):
        return f"{value} is not a count or a time"
    return None


@functools.cache
def _takes() -> dict[str, tuple[Any, ...]]:
    hints = get_type_hints(Config)
    found: dict[str, tuple[Any, ...]] = {}
    for name in sorted({*dir(Config), *hints}):
        default = getattr(Config, name, None)
        if name.startswith("_") or name in NOT_FOR_FILES:
            continue
        if isinstance(default, property):
            # bind and its like: a list, or one text, as the setter says; root_path: a text.
            found[name] = tuple(dict.fromkeys((*_kinds(get_type_hints(default.fget)["return"]), str)))
        elif name in hints or not callable(default):
            found[name] = _kinds(hints.get(name, list[str] if isinstance(default, list) else type(default)))
    return found


def _kinds(hint: Any) -> tuple[Any, ...]:
    """What TOML can say of a type: texts, numbers, booleans, lists of texts, tables."""
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(kind for part in get_args(hint) for kind in _kinds(part))
    if hint is type(None):
        return ()
    if isinstance(hint, type) and issubclass(hint, Enum):
        return (int,)
    if get_origin(hint) is list or hint in (bool, int, float, str, dict):
        return (hint,)
    return ()  # an object that only a program can give, such as a logger


def _fits(value: object, kind: Any) -> bool:
    if get_origin(kind) is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, kind)


def _name(kind: Any) -> str:
    return "a list of texts" if get_origin(kind) is list else NAMES[kind]


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 40 else f"{text[:37]}..."
