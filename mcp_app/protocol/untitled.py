"""How pydantic is to write JSON Schema for us: for the schemas of tools and for the forms that ask a user."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema


class Untitled(GenerateJsonSchema):
    """Without the titles that pydantic makes of names: they say nothing, and double the size of a list of tools."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
