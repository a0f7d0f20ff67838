"""Parses the server's events and JSON answers into values. Pure: nothing is read, sent or printed here.

This is the client's side of the plain dialect (docs/reference.md, Events), lenient on purpose because other servers
speak it too: a member of an unexpected type is treated as missing.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

_LAST = frozenset({"complete", "error"})

# A run id is sent in the path of a DELETE. Anything else in `metadata.run` is not an id of this kind of server.
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """One event: `type`, `data`, and optional `metadata`; an event of type `error` has an error object instead."""

    type: str
    content: Mapping[str, Any]

    @property
    def is_last(self) -> bool:
        return self.type in _LAST

    @property
    def data(self) -> Any:
        return self.content.get("data")

    @property
    def metadata(self) -> Mapping[str, Any]:
        return _mapping(self.content.get("metadata"))

    @property
    def beside(self) -> Mapping[str, Any]:
        """What a result has beside its data: `text`, `content`, `meta`."""
        return _mapping(self.metadata.get("beside"))

    @property
    def text(self) -> str | None:
        """The short text that stands for the data of a result; None if it has none."""
        text = self.beside.get("text")
        return text if isinstance(text, str) else None

    @property
    def path(self) -> str:
        """The steps of the call that it comes from, joined by slashes; empty for the tool itself."""
        path = self.metadata.get("path")
        return "/".join(map(str, path)) if isinstance(path, list) else ""

    @property
    def error(self) -> Error:
        return error_of(self.content) or Error("unknown", "the server gave no reason", "", ())

    @property
    def run_id(self) -> str | None:
        run = self.metadata.get("run")
        return run if is_run_id(run) else None

    def number(self, name: str) -> float | None:
        """A number in the metadata; None if it is missing or not finite."""
        return _number(self.metadata.get(name))


@dataclass(frozen=True, slots=True)
class Error:
    """The error object. Each of `details` is "field: problem"."""

    code: str
    message: str
    hint: str
    details: tuple[str, ...]


def is_run_id(value: object) -> TypeGuard[str]:
    """Whether `value` can be the id of a run."""
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


def parse_message(text: str) -> ServerMessage | None:
    """Parse one event's data; None if it is not this dialect's (not a JSON object, or one without a type)."""
    return message_of(_parse(text))


def message_of(value: object) -> ServerMessage | None:
    """As `parse_message`, for decoded JSON."""
    content = _mapping(value)
    kind = content.get("type")
    return ServerMessage(kind, content) if isinstance(kind, str) and kind else None


def parse_answer(body: bytes) -> Mapping[str, Any] | None:
    """The JSON object of an answer; None if it is not one."""
    value = _parse(body)
    return value if isinstance(value, dict) else None


def error_of(answer: Mapping[str, Any] | None) -> Error | None:
    """The error object of an answer or event; None if there is none."""
    found = _mapping((answer or {}).get("error"))
    code, message = found.get("code"), found.get("message")
    if not isinstance(code, str) or not isinstance(message, str):
        return None
    hint = found.get("hint")
    details = found.get("details")
    lines = tuple(
        f"{detail.get('field')}: {detail.get('problem')}"
        for detail in (details if isinstance(details, list) else [])
        if isinstance(detail, Mapping)
    )
    return Error(code, message, hint if isinstance(hint, str) else "", lines)


def input_schema(answer: Mapping[str, Any] | None, tool: str) -> Mapping[str, Any] | None:
    """The input schema of `tool` in the answer of the tools route; None if it has none."""
    tools = (answer or {}).get("tools")
    for entry in tools if isinstance(tools, list) else []:
        if isinstance(entry, Mapping) and entry.get("name") == tool:
            schema = entry.get("inputSchema", entry.get("input_schema"))
            return schema if isinstance(schema, Mapping) else None
    return None


def max_stream_seconds(manifest: Mapping[str, Any]) -> float | None:
    """The server's cap in its manifest (`_meta["<name>/streaming"].maxStreamSeconds`); None if it has none."""
    for key, value in _mapping(manifest.get("_meta")).items():
        seconds = _number(_mapping(value).get("maxStreamSeconds")) if key.endswith("/streaming") else None
        if seconds is not None and seconds > 0:
            return seconds
    return None


def _parse(text: str | bytes) -> Any:
    try:
        return json.loads(text, parse_constant=str, parse_float=_float)
    except (ValueError, RecursionError):
        return None


def _float(text: str) -> float | str:
    """A JSON number too large for a float stays a string, so that the output is valid JSON again."""
    number = float(text)
    return text if math.isinf(number) else number


# Beyond this, floats are not exact; no count or duration in ms is that large.
_LARGEST = 2**53


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LARGEST else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
