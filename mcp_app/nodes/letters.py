"""What nodes send each other, as bytes: JSON, one list of letters a message. Pure; nothing is sent here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..protocol.errors import InternalError, McpAppError
from ..protocol.event import decode, encode

Letter = Mapping[str, Any]
"""`do` says what is asked for. `id` and `from` are there where a reply is awaited, or the letter must be done once. A
reply has `do` "reply", the `id`, and `value` or `error`."""


def write(letters: Iterable[Letter]) -> bytes:
    """The message that carries them."""
    return encode(list(letters))


def read(message: bytes) -> list[Letter]:
    """The letters of a message. Raises ValueError for what is none: a newer release may send what this one cannot
    read."""
    letters = decode(message)
    if not isinstance(letters, list) or not all(isinstance(each, dict) and "do" in each for each in letters):
        raise ValueError(f"{len(message)} bytes that are no message of a node")
    return letters


def error_object(error: McpAppError) -> dict[str, Any]:
    """An error for a reply."""
    return {"code": error.code, "message": error.message, "hint": error.hint}


def error_of(fields: Mapping[str, Any]) -> McpAppError:
    """The error of a reply, of its class where this release has that."""
    found = next((each for each in _all(McpAppError) if each.__dict__.get("code") == fields["code"]), InternalError)
    return found(fields["message"], hint=fields["hint"])


def _all(root: type[McpAppError]) -> Iterable[type[McpAppError]]:
    for each in root.__subclasses__():
        yield each
        yield from _all(each)
