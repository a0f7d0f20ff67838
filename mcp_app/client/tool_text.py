"""The tools of a server as a person reads them: what each does, and what it takes. Pure: values in, lines out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mcp_app.client.printable import harmless
from mcp_app.protocol.json_schema import allowed, alternatives

# Values of an enumeration, and characters of a default, that a line has room for; --json has the rest.
_VALUES = 12
_CHARACTERS = 60

_BOUNDS = (
    ("minimum", "from {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "to {}"),
    ("exclusiveMaximum", "below {}"),
)


def tool_lines(tools: Sequence[object]) -> Iterator[str]:
    """A paragraph for each tool of the tools route's answer, with an empty line between two. What is not as expected is
    left out, as is a tool without a name: other servers speak this, too."""
    named = (each for each in tools if isinstance(each, Mapping) and isinstance(each.get("name"), str))
    for position, tool in enumerate(named):
        if position:
            yield ""
        yield from map(harmless, _tool(tool))


def _tool(tool: Mapping[str, Any]) -> Iterator[str]:
    yield f"{tool['name']}  (read only)" if tool.get("read_only") is True else tool["name"]
    description = tool.get("description")
    if isinstance(description, str) and description:
        first_paragraph = description.partition("\n\n")[0]
        yield f"  {' '.join(first_paragraph.split())}"
    schema = tool.get("input_schema", tool.get("inputSchema"))
    if not isinstance(schema, Mapping):
        return
    properties = schema.get("properties")
    required = schema.get("required")
    for name, parameter in properties.items() if isinstance(properties, Mapping) else ():
        is_required = isinstance(required, list) and name in required
        yield f"    {name}: {_parameter(parameter, schema, is_required=is_required)}"


def _parameter(schema: object, root: Mapping[str, Any], *, is_required: bool) -> str:
    text = f"{_type(schema, root)}, required" if is_required else _type(schema, root)
    if not isinstance(schema, Mapping):
        return text
    if not is_required and schema.get("default") is not None:
        text = f"{text}, {_shortened(json.dumps(schema['default'], ensure_ascii=False))} by default"
    description = schema.get("description")
    return f"{text}. {' '.join(description.split())}" if isinstance(description, str) and description else text


def _type(schema: object, root: Mapping[str, Any]) -> str:
    found = [word for each in alternatives(schema, root) if (word := _simple(each, root)) and word != "null"]
    return " or ".join(dict.fromkeys(found)) or "any value"


def _simple(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """The words for what the schema says itself; empty when its alternatives say it."""
    values = allowed(schema)
    if isinstance(values, list):
        words = [json.dumps(each, ensure_ascii=False) for each in values]
        return " | ".join([*words[:_VALUES], *(["…"] if len(words) > _VALUES else [])])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(str(each) for each in kind if each != "null")
    if kind == "array":
        # One level: a list of what contains lists of itself has no end.
        items = schema.get("items")
        return f"list of {_simple(items, root) or 'values'}" if isinstance(items, Mapping) else "list"
    if kind in ("integer", "number"):
        return " ".join([kind, *(form.format(schema[key]) for key, form in _BOUNDS if key in schema)])
    shape = schema.get("format")
    return f"{kind} ({shape})" if isinstance(kind, str) and isinstance(shape, str) else str(kind or "")


def _shortened(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}…"
