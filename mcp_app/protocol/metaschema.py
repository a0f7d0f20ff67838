"""Whether a schema is one of JSON Schema 2020-12: what its metaschema says of each keyword, and that each `$ref` leads
somewhere.

No value is validated by the schema, and regular expressions are not compiled: clients have several dialects of them.
"""

from __future__ import annotations

import math
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from .event import encode
from .json_schema import BY_NAME, LIST, ONE, TYPES, Schema, with_subschemas

DRAFT = "https://json-schema.org/draft/2020-12/schema"
"""What `$schema` may say: clients of MCP need to know no other draft (2025-11-25, Basic, JSON Schema Usage)."""

_SHOWN_CHARS = 200
"""Of a keyword and its value, in a message."""


class NotASchema(ValueError):
    """The message says where, and what is wrong."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value) and value >= 0 and value == int(value)


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_type(value: Any) -> bool:
    return (_is_text(value) and value in TYPES) or (_is_names(value) and bool(value) and set(value) <= TYPES)


def _is_names_by_name(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_names, value.values()))


def _is_schema(value: Any) -> bool:
    return isinstance(value, Mapping | bool)


def _is_schemas(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_schema, value))


def _is_schemas_by_name(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_schema, value.values()))


_Rule = tuple[Callable[[Any], bool], str]

_TEXT: _Rule = (_is_text, "a text")

_KEYWORDS: Mapping[str, _Rule] = {
    "minimum maximum exclusiveMinimum exclusiveMaximum": (_is_number, "a number"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "minLength maxLength minItems maxItems minContains maxContains minProperties maxProperties": (_is_count, "a count"),
    "uniqueItems deprecated readOnly writeOnly": (_is_boolean, "true or false"),
    "title description format pattern contentEncoding contentMediaType $comment": _TEXT,
    "$id $ref $dynamicRef $anchor $dynamicAnchor": _TEXT,
    "$schema": (lambda value: bool(value == DRAFT), DRAFT),
    "enum examples": (_is_list, "a list"),
    "required": (_is_names, "a list of different names"),
    "dependentRequired": (_is_names_by_name, "an object of lists of names"),
    "type": (_is_type, f"one or some of {', '.join(sorted(TYPES))}"),
}
"""What each keyword may be that applies no schema (JSON Schema Core, 8; Validation, 6 to 9). Others may be anything."""

_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(ONE, (_is_schema, "a schema (an object, true or false)")),
    **dict.fromkeys(LIST, (_is_schemas, "a list of schemas")),
    **dict.fromkeys(BY_NAME, (_is_schemas_by_name, "an object of schemas")),
    **{keyword: rule for keywords, rule in _KEYWORDS.items() for keyword in keywords.split()},
}

_ANYTHING: _Rule = (lambda _: True, "")


def check(schema: Schema, *, external: bool = False) -> None:
    """Raises NotASchema. `external`: a `$ref` may lead to another document, which nobody has to follow (MCP, Tools)."""
    _check("", schema, schema, external)


def _check(_: str, schema: Any, root: Schema, external: bool) -> None:
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        is_right, expected = _RULES.get(keyword, _ANYTHING)
        if not is_right(value):
            raise NotASchema(f"{_shown(keyword, value)} is not JSON Schema 2020-12: {keyword} is {expected}")
    reference = schema.get("$ref")
    if reference is not None and not _leads_to_schema(reference, root, external):
        raise leads_nowhere(reference)
    with_subschemas(schema, lambda keyword, subschema: _check(keyword, subschema, root, external))


def leads_nowhere(reference: str) -> NotASchema:
    return NotASchema(f"{_shown('$ref', reference)} leads to nothing in the schema, and clients load no other")


def _shown(keyword: str, value: Any) -> str:
    try:
        text = encode({keyword: value}).decode()
    except ValueError:
        text = f"{keyword}: {value!r}"
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def _leads_to_schema(reference: str, root: Schema, external: bool) -> bool:
    """Whether it is a JSON Pointer (RFC 6901, 6) to a schema within `root`, or an anchor."""
    start, _, fragment = reference.partition("#")
    if start:
        return external
    if fragment and not fragment.startswith("/"):
        return _has_anchor(fragment, root)
    found: Any = root
    for step in urllib.parse.unquote(fragment).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, Mapping) and name in found:
            found = found[name]
        else:
            return False
    return _is_schema(found)


def _has_anchor(anchor: str, schema: Any) -> bool:
    found = isinstance(schema, Mapping) and anchor in (schema.get("$anchor"), schema.get("$dynamicAnchor"))
    inner: list[Any] = []
    if isinstance(schema, Mapping):
        with_subschemas(schema, lambda _, subschema: inner.append(subschema))
    return found or any(_has_anchor(anchor, each) for each in inner)
