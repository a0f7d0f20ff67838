"""The keys of hypercorn.toml and the types each accepts: Hypercorn's, read from its own class, and the engine's.

What a key means for this server, and which keys are refused, is decided elsewhere.
"""

from __future__ import annotations

import difflib
import functools
import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypercorn.config import Config

from mcp_app.server.engine.admission import MAX_CONNECTIONS, MAX_PER_ADDRESS
from mcp_app.server.engine.draining import SHUTDOWN_DELAY
from mcp_app.server.engine.http1 import H2C_UPGRADE

PROGRAM_ONLY = frozenset({"application_path", "cert_reqs", "log", "logger_class", "ssl_enabled"})
"""Attributes that a file cannot set: set by the program, read-only, or replaced by another key."""

OWN_KEYS: dict[str, tuple[Any, ...]] = {
    H2C_UPGRADE: (bool,),
    MAX_CONNECTIONS: (int,),
    MAX_PER_ADDRESS: (int,),
    SHUTDOWN_DELAY: (float,),
}
"""Keys of ours in the same file: Hypercorn keeps whatever it reads."""

TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes", dict: "a table"}


def is_key(key: str) -> bool:
    """Whether Hypercorn, or our engine, reads `key` from a file."""
    return key in _accepted_types()


def closest_key(key: str) -> str | None:
    """The key that was probably intended; None if none is similar."""
    plain = key.replace("-", "_")
    squeezed = {name.replace("_", ""): name for name in _accepted_types()}
    if plain.replace("_", "") in squeezed:
        return squeezed[plain.replace("_", "")]
    found = difflib.get_close_matches(plain, _accepted_types(), n=1)
    return found[0] if found else None


def invalid_reason(key: str, value: object) -> str | None:
    """Why `value` is invalid for `key`; None if it is valid. Numbers may not be negative: all are counts or seconds."""
    accepted = _accepted_types()[key]
    if not any(_is_of_type(value, kind) for kind in accepted):
        return f"{_format_value(value)} is not {' or '.join(_type_name(kind) for kind in accepted)}"
    if isinstance(value, int | float) and not isinstance(value, bool) and not 0 <= value < float("inf"):
        return f"{value} is not a count or a time"
    return None


@functools.cache
def _accepted_types() -> dict[str, tuple[Any, ...]]:
    hints = get_type_hints(Config)
    found = dict(OWN_KEYS)
    for name in sorted({*dir(Config), *hints}):
        default = getattr(Config, name, None)
        if name.startswith("_") or name in PROGRAM_ONLY:
            continue
        if isinstance(default, property):
            # bind and the like: a list, or one string, as the setter accepts; root_path: a string.
            found[name] = tuple(dict.fromkeys((*_toml_types(get_type_hints(default.fget)["return"]), str)))
        elif name in hints or not callable(default):
            found[name] = _toml_types(hints.get(name, list[str] if isinstance(default, list) else type(default)))
    return found


def _toml_types(hint: Any) -> tuple[Any, ...]:
    """The TOML types of a type hint: strings, numbers, booleans, lists of strings, tables."""
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(kind for part in get_args(hint) for kind in _toml_types(part))
    if hint is type(None):
        return ()
    if isinstance(hint, type) and issubclass(hint, Enum):
        return (int,)
    if get_origin(hint) is list or hint in (bool, int, float, str, dict):
        return (hint,)
    return ()  # an object that only a program can set, such as a logger


def _is_of_type(value: object, kind: Any) -> bool:
    if get_origin(kind) is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, kind)


def _type_name(kind: Any) -> str:
    return "a list of texts" if get_origin(kind) is list else TYPE_NAMES[kind]


def _format_value(value: object) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 40 else f"{text[:37]}..."
