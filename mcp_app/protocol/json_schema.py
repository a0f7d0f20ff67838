"""JSON Schema 2020-12, as far as several parts read it: the schemas among which a value may choose.

Nothing is validated, and no schema is made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]


def alternatives(schema: object, root: Schema) -> Iterator[Schema]:
    """The schema, and each that it refers to or chooses among: `$ref`, `anyOf`, `oneOf` and `allOf` opened.

    A definition is opened once, so that one that refers to itself ends. `true` and `false`, and what is no schema, have
    no alternatives.
    """
    return _alternatives(schema, root, set())


def _alternatives(schema: object, root: Schema, opened: set[str]) -> Iterator[Schema]:
    if not isinstance(schema, Mapping):
        return
    yield schema
    reference, definitions = schema.get("$ref"), root.get("$defs")
    if isinstance(reference, str) and isinstance(definitions, Mapping) and reference not in opened:
        opened.add(reference)
        yield from _alternatives(definitions.get(reference.removeprefix("#/$defs/")), root, opened)
    for keyword in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(keyword)
        for choice in choices if isinstance(choices, list) else ():
            yield from _alternatives(choice, root, opened)
