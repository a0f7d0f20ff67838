"""A tool's JSON Schemas as parts of an OpenAPI document, whose definitions all stand in one place.

What is described with them is not known here, and no schema is generated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..protocol.json_schema import with_subschemas

MAX_DESCRIPTION = 300
"""Characters of an operation's summary and of its description: ChatGPT refuses a document with a longer one."""

MAX_PARAMETER_DESCRIPTION = 700
"""The same of a parameter."""

COMPONENTS = "#/components/schemas/"

_DEFINITIONS = "#/$defs/"
_NO_COMPONENT = re.compile(r"[^A-Za-z0-9._-]")
_OF_A_DOCUMENT = frozenset({"$schema", "$id", "$defs"})


class Components:
    """The schemas that others refer to (OpenAPI 3.1, 4.8.7), collected while the document is made."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self.schemas: dict[str, Any] = dict(schemas)

    def own(self, schema: Mapping[str, Any], name: str) -> dict[str, Any]:
        """`schema`, a document of its own, as a part of this one; `name` stands before those of its definitions.

        Each object has `properties`, without which ChatGPT refuses a document, and what is said of a value is no longer
        than `MAX_PARAMETER_DESCRIPTION`.
        """
        part = _Part(self, schema, name)
        return part.inner({keyword: value for keyword, value in schema.items() if keyword not in _OF_A_DOCUMENT})

    def free(self, name: str) -> str:
        """A name that a component may have, and none has."""
        wanted = _NO_COMPONENT.sub("_", name)
        return numbered(wanted, self.schemas)


class _Part:
    """One schema, and where its definitions have gone."""

    def __init__(self, components: Components, schema: Mapping[str, Any], name: str) -> None:
        self._components = components
        self._schema = schema
        self._name = name
        self._moved: dict[str, str] = {}

    def inner(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        copy = with_subschemas(schema, lambda _, each: self.inner(each) if isinstance(each, Mapping) else each)
        if isinstance(copy.get("$ref"), str):
            copy["$ref"] = self._reference(copy["$ref"])
        if copy.get("type") == "object":
            copy.setdefault("properties", {})
        if isinstance(copy.get("description"), str):
            copy["description"] = shortened(copy["description"], MAX_PARAMETER_DESCRIPTION)
        return copy

    def _reference(self, reference: str) -> str:
        name, slash, rest = reference.removeprefix(_DEFINITIONS).partition("/")
        if reference.startswith(_DEFINITIONS):
            definition = self._schema.get("$defs", {}).get(name.replace("~1", "/").replace("~0", "~"))
            return self._component(name, definition) + slash + rest
        if reference == "#" or reference.startswith("#/"):
            own = {keyword: value for keyword, value in self._schema.items() if keyword not in _OF_A_DOCUMENT}
            return self._component("", own) + reference[1:]
        return reference

    def _component(self, name: str, schema: Any) -> str:
        if name not in self._moved:
            component = self._components.free(f"{self._name}.{name}" if name else self._name)
            self._moved[name] = component
            self._components.schemas[component] = True  # its name is taken: the schema may contain itself
            self._components.schemas[component] = self.inner(schema) if isinstance(schema, Mapping) else schema
        return COMPONENTS + self._moved[name]


def shortened(text: str, most: int) -> str:
    """The text in at most so many characters: whole sentences where half of them are room enough, else words and an
    ellipsis."""
    if len(text) <= most:
        return text
    sentences = max(text.rfind(end, 0, most + 1) for end in (". ", ".\n", "\n\n"))
    if sentences >= most // 2:
        return text[: sentences + 1].rstrip()
    words = max(text.rfind(end, 0, most) for end in (" ", "\n"))
    return text[: words if words >= most // 2 else most - 1].rstrip() + "…"


def numbered(name: str, taken: Mapping[str, Any] | set[str], most: int | None = None) -> str:
    """The name, or with a number behind it the first that is not taken, of at most so many characters."""
    free, number = name[:most], 1
    while free in taken:
        number += 1
        end = f"_{number}"
        free = (name if most is None else name[: most - len(end)]) + end
    return free
