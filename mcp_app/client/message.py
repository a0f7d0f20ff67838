"""What the server says in its events and JSON answers, as values. Pure: nothing is read, sent or printed here.

This is the reading side of the plain dialect (design.md, "The plain dialect on the wire"), lenient on purpose: a field
that is missing, or of a type we did not expect, is as if it were not there, because other servers speak it too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LAST = frozenset({"complete", "error"})

# What we put into the path of a DELETE. Anything else in `metadata.run` is not an id of this kind of server.
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Message:
    """One event's data: `type`, then `data`, then optional `metadata`; an `error` has its error object instead."""

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
    def error(self) -> Error:
        return error_of(self.content) or Error("unknown", "the server gave no reason", "", ())

    @property
    def run_id(self) -> str | None:
        run = self.metadata.get("run")
        return run if isinstance(run, str) and _RUN_ID.fullmatch(run) else None

    def number(self, name: str) -> float | None:
        """A number of the metadata, None when it is not there or not a finite number."""
        return _number(self.metadata.get(name))


@dataclass(frozen=True, slots=True)
class Error:
    """The error object. `details` are "field: problem", one each."""

    code: str
    message: str
    hint: str
    details: tuple[str, ...]


def parse_message(text: str) -> Message | None:
    """One event's data; None when it is not this dialect's (not a JSON object, or one without a type)."""
    return message_of(_parse(text))


def message_of(value: object) -> Message | None:
    """As `parse_message`, of what was already parsed."""
    content = _mapping(value)
    kind = content.get("type")
    return Message(kind, content) if isinstance(kind, str) and kind else None


def parse_answer(body: bytes) -> Mapping[str, Any] | None:
    """A JSON answer's object, None when it is not one."""
    value = _parse(body)
    return value if isinstance(value, dict) else None


def error_of(answer: Mapping[str, Any] | None) -> Error | None:
    """The error object of an answer or event, None when there is none."""
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
    """The input schema of `tool` in the answer of the tools route, None when it does not say."""
    tools = (answer or {}).get("tools")
    for entry in tools if isinstance(tools, list) else []:
        if isinstance(entry, Mapping) and entry.get("name") == tool:
            schema = entry.get("inputSchema", entry.get("input_schema"))
            return schema if isinstance(schema, Mapping) else None
    return None


def max_stream_seconds(manifest: Mapping[str, Any]) -> float | None:
    """The server's cap, as its manifest says (`_meta["<name>/streaming"].maxStreamSeconds`), None when it does not."""
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
    """What JSON's grammar allows and a float does not hold stays text, so that what we print is JSON again."""
    number = float(text)
    return text if math.isinf(number) else number


# Beyond this a float is no longer exact, and no count or duration in ms gets there.
_LARGEST = 2**53


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < _LARGEST else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
