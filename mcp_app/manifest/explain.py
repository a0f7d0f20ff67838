"""The error message for an invalid mcp.json, in one line: the file, the location in it, and what is expected there.

Only the wording: validation is done by the models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from .card import Card, CardIcon, Repository

_NESTED: dict[str, type[BaseModel]] = {"icons": CardIcon, "repository": Repository}

_BARE = re.compile(r"[$A-Za-z_][A-Za-z0-9_]*")
"""Names that need no quotes in a JSON path."""

_LIVE = frozenset({"remotes", "tools", "resources", "prompts", "endpoint", "serverInfo", "authentication"})
"""Members that the documents have and the file may not: written by hand, they would soon be out of date."""

EXCERPT = 60
"""Characters of an invalid value that are repeated: enough to find it, short enough for one line."""


class ManifestError(ValueError):
    """mcp.json is invalid, or the URL for its documents is. `str()` is one line for the operator.

    Not an `McpAppError`: it is raised at start and never reaches a caller.
    """

    def __init__(self, file: str, place: str, expected: str) -> None:
        self.file = file
        self.place = place
        self.expected = expected
        super().__init__(": ".join(part for part in (file, place, expected) if part))


def explained(file: str, error: ValidationError, model: type[BaseModel], below: Sequence[str] = ()) -> ManifestError:
    """The first problem of `error` in one line, and the number of further ones.

    `model` was validated; `below` is the path to it from the top of the file.
    """
    problems = error.errors(include_url=False)
    first = problems[0]
    location = tuple(first["loc"])
    text = _expected(first["type"], first["msg"], location, first["input"], model)
    if len(problems) > 1:
        text += f" (and {len(problems) - 1} more)"
    return ManifestError(file, json_path((*below, *location)), text)


def json_path(location: Sequence[str | int]) -> str:
    """`("icons", 0, "src")` as `icons[0].src`; names that are not identifiers are in brackets and quotes."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _BARE.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f"[{json.dumps(part[:EXCERPT])}]"  # escapes a line break in a name
    return path


def _expected(kind: str, message: str, location: tuple[str | int, ...], value: Any, model: type[BaseModel]) -> str:
    if kind == "value_error":  # raised by our own validators
        return message.removeprefix("Value error, ")
    owner, described = _field(location, model)
    if kind == "extra_forbidden":
        return _unknown(str(location[-1]), owner)
    if kind == "missing":
        return f"missing: expected {described}"
    return f"expected {described}, got {_excerpt(value)}"


def _field(location: tuple[str | int, ...], model: type[BaseModel]) -> tuple[type[BaseModel], str]:
    """The innermost object on the path `location`, and the description of the innermost known field."""
    owner = model
    described = f"an object with {_names(model)}"
    for part in location:
        field = next((each for each in owner.model_fields.values() if each.alias == part), None)
        if field is None:
            continue  # an index, or an unknown name
        described = field.description or described
        owner = _NESTED.get(str(part), owner)
    return owner, described


def _unknown(name: str, owner: type[BaseModel]) -> str:
    if owner is Card and name in _LIVE:
        return "not written by hand: the server adds it from what it serves; remove it"
    if owner is Card and name in ("mcpServers", "servers"):
        return "this is a client's list of servers, not the manifest of a server; call the file otherwise, or move it"
    names = [str(field.alias) for field in owner.model_fields.values()]
    similar = get_close_matches(name, names, n=1)
    return f"unknown name; expected one of {', '.join(names)}" + (f"; did you mean {similar[0]}?" if similar else "")


def _names(owner: type[BaseModel]) -> str:
    return ", ".join(str(field.alias) for field in owner.model_fields.values())


def _excerpt(value: Any) -> str:
    if isinstance(value, str):
        return repr(value) if len(value) <= EXCERPT else f"{value[:EXCERPT]!r}… ({len(value)} characters)"
    kinds: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", list: "an array"}
    return kinds.get(type(value), "an object")
