"""Pydantic's JSON Schema generator as mcp_app uses it: for the schemas of tools and for elicitation forms."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema


class Untitled(GenerateJsonSchema):
    """Omits the titles that pydantic derives from field names: they add nothing, and double the size of a tool list."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
