"""JSON Schema 2020-12: the alternatives of a schema, for the parts of mcp_app that inspect schemas.

Nothing is validated and no schema is generated here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]


def alternatives(schema: object, root: Schema) -> Iterator[Schema]:
    """The schema itself, and every schema reachable from it through `$ref`, `anyOf`, `oneOf` and `allOf`.

    Each `$ref` is resolved once, so a recursive definition terminates. `true`, `false` and anything that is not an
    object yield no alternatives.
    """
    return _alternatives(schema, root, set())


def _alternatives(schema: object, root: Schema, visited: set[str]) -> Iterator[Schema]:
    if not isinstance(schema, Mapping):
        return
    yield schema
    reference, definitions = schema.get("$ref"), root.get("$defs")
    if isinstance(reference, str) and isinstance(definitions, Mapping) and reference not in visited:
        visited.add(reference)
        yield from _alternatives(definitions.get(reference.removeprefix("#/$defs/")), root, visited)
    for keyword in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(keyword)
        for choice in choices if isinstance(choices, list) else ():
            yield from _alternatives(choice, root, visited)
