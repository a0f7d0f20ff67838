"""Converts `key=value` arguments of the command line to a tool's params. Pure: no file is read here, nothing is sent.

The rule, as documented:

    key=value     by the type in the tool's input schema: a string is taken verbatim, any other type is parsed as JSON.
                  A key that the schema does not have (or without a schema) is JSON if it parses, else text.
    key:=JSON     always JSON: for null, for objects, and where the schema allows several types.
    key=a key=b   a repeated key is a list. A key of type array is a list even if it occurs once.

Values are not validated: the server does that, and its error names what it expected.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from mcp_app.client.outcome import CallFailed, Status
from mcp_app.protocol.json_schema import alternatives


@dataclass(frozen=True, slots=True)
class Word:
    """One `key=value` (`raw` is False) or `key:=JSON` (`raw` is True)."""

    key: str
    value: str
    raw: bool


def parse_word(text: str) -> Word:
    """Raises CallFailed for a word without `=` or without a key, or with `:=` and something that is not JSON."""
    key, equals, value = text.partition("=")
    raw = key.endswith(":")
    if raw:
        key = key[:-1]
    if not equals or not key:
        raise _usage(f"{text!r} is not key=value", "Write params as key=value, for example domain=example.com.")
    if raw:
        parse_json(value, f"{key}:=")
    return Word(key, value, raw)


def parse_json(text: str, where: str) -> Any:
    """`text` as JSON (RFC 8259: no NaN, no Infinity). Raises CallFailed with `where` as its source."""
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise _usage(f"the JSON after {where} is nested too deeply") from None
    except ValueError as error:
        raise _usage(
            f"what follows {where} is not JSON: {error}", 'Quote it for the shell: \'{"key": "value"}\'.'
        ) from None


def parse_object(text: str, where: str) -> dict[str, Any]:
    """`text` as one JSON object. Raises CallFailed with `where` as its source."""
    value = parse_json(text, where)
    if not isinstance(value, dict):
        raise _usage(f"{where} takes a JSON object, not {_kind(value)}", '--params \'{"domain": "example.com"}\'')
    return value


def params_of(words: Iterable[Word], schema: Mapping[str, Any] | None, base: Mapping[str, Any]) -> dict[str, Any]:
    """The tool's params: those of --params (`base`), and one for each key of `words` by the rule above.

    Raises CallFailed for a key that is in both.
    """
    params = dict(base)
    grouped: dict[str, list[Word]] = {}
    for word in words:
        grouped.setdefault(word.key, []).append(word)
    for key, same in grouped.items():
        if key in base:
            raise _usage(f"{key!r} stands in --params and as {key}=…", "Give it once.")
        params[key] = _value(same, schema or {}, key)
    return params


def _value(words: Sequence[Word], root: Mapping[str, Any], key: str) -> Any:
    """The value of one key, which the schema `root` may not have."""
    properties = root.get("properties")
    shapes = list(alternatives(properties.get(key), root)) if isinstance(properties, Mapping) else []
    types = _types(shapes)
    lists = [shape for shape in shapes if "array" in _types([shape])]
    if len(words) == 1:
        [word] = words
        if word.raw:
            return parse_json(word.value, f"{word.key}:=")
        value = _one(word.value, types)
        if not lists or isinstance(value, list) or "string" in types:
            return value
        if value is None and "null" in types:
            return None
    item_types = _types(item for shape in lists for item in alternatives(shape.get("items"), root))
    return [parse_json(word.value, f"{word.key}:=") if word.raw else _one(word.value, item_types) for word in words]


def _one(text: str, types: set[str]) -> Any:
    if "string" in types:
        return text
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _types(shapes: Iterable[Mapping[str, Any]]) -> set[str]:
    types: set[str] = set()
    for shape in shapes:
        declared = shape.get("type")
        types.update([declared] if isinstance(declared, str) else declared if isinstance(declared, list) else [])
        values = [*shape["enum"]] if isinstance(shape.get("enum"), list) else []
        values += [shape["const"]] if "const" in shape else []
        if any(isinstance(value, str) for value in values):
            types.add("string")
    return types


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is larger than a number may be")
    return number


def _kind(value: object) -> str:
    kinds = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _usage(message: str, advice: str = "") -> CallFailed:
    return CallFailed(Status.REFUSED, message, advice)
