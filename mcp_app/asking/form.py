"""A pydantic model as a form: MCP's restricted JSON Schema, which is flat and has few types.

A field that forms cannot show raises ToolDefinitionError, for the author; a constraint that forms cannot express (a
pattern, multipleOf) is left out of the form and validated in the answer. Nothing is sent here. Sections are of MCP
2026-07-28, client/elicitation, Requested Schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from ..protocol.asking import MissingCapability
from ..protocol.errors import ToolDefinitionError
from ..protocol.json_schema import allowed
from ..protocol.untitled import Untitled

FORMATS = frozenset({"email", "uri", "date", "date-time"})
"""The string formats that MCP defines for forms."""

_WORD = re.compile(r"[^a-z]")
_SECRET = re.compile(
    r"(password|passwd|passphrase|apikey|accesstoken|refreshtoken|authtoken|privatekey|secretkey|clientsecret"
    r"|creditcard|cardnumber|cvv)$|^(secret|cvc)$"
)
"""Names of fields that hold what "grants access or authorizes transactions", reduced to their letters: passwords, keys,
tokens, cards. A name proves little, but these are unambiguous."""

_ANNOTATIONS = ("title", "description", "default")
_KEYWORDS = {
    "string": (*_ANNOTATIONS, "minLength", "maxLength", "format"),
    "integer": (*_ANNOTATIONS, "minimum", "maximum"),
    "number": (*_ANNOTATIONS, "minimum", "maximum"),
    "boolean": _ANNOTATIONS,
}
"""The schema keywords that a form may have, by type."""


@dataclass(frozen=True, slots=True)
class Titled:
    """Titles for a choice: `Annotated[Literal["#f00", "#0f0"], Titled({"#f00": "Red", "#0f0": "Green"})]`.

    A list of such a type is a multiple choice.
    """

    titles: Mapping[str, str]

    def __hash__(self) -> int:
        return hash(tuple(self.titles.items()))

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        resolved = handler.resolve_ref_schema(schema)
        values = allowed(resolved) or []
        if set(values) != set(self.titles):
            raise ToolDefinitionError(f"Titled has titles for {sorted(self.titles)}, the choice is of {values}.")
        one_of = [{"const": value, "title": self.titles[value]} for value in values]
        return {"type": "string", "oneOf": one_of}


def requested_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's `requestedSchema`. Raises ToolDefinitionError naming the field that no form can show."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ToolDefinitionError(f"{model!r} is no pydantic model: a form is asked for with a class of fields.")
    schema = model.model_json_schema(schema_generator=Untitled, by_alias=True)
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    properties: dict[str, Any] = {}
    required = set(schema.get("required", ()))
    for name, declared in schema.get("properties", {}).items():
        where = f"{model.__name__}.{name}"
        found, optional = _unwrap_optional(_resolved(declared, definitions), definitions)
        if optional:
            required.discard(name)
            if found.get("default", ...) is None:
                found = {key: value for key, value in found.items() if key != "default"}
        properties[name] = _field(found, definitions, where)
    form: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        form["required"] = [name for name in properties if name in required]
    return form


def first_form(form: Mapping[str, Any]) -> dict[str, Any]:
    """The form in the format of 2025-06-18: titles of a choice in `enumNames`, and no multiple choice.

    Raises MissingCapability naming a multiple choice.
    """
    properties: dict[str, Any] = {}
    for name, declared in form["properties"].items():
        if declared.get("type") == "array":
            raise MissingCapability(
                {"elicitation": {"form": {}}},
                f"{name} is a choice of several, which the revision that this client speaks cannot show.",
            )
        properties[name] = {key: value for key, value in declared.items() if key != "oneOf"}
        if "oneOf" in declared:
            properties[name]["enum"] = [each["const"] for each in declared["oneOf"]]
            properties[name]["enumNames"] = [each["title"] for each in declared["oneOf"]]
    return {**form, "properties": properties}


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return dict(schema)
    target = definitions[reference.rpartition("/")[2]]
    siblings = {name: value for name, value in schema.items() if name != "$ref"}
    if "enum" in target:  # an Enum class: its name and docstring are for programmers
        target = {name: value for name, value in target.items() if name not in {"title", "description"}}
    return {**target, **siblings}


def _unwrap_optional(schema: dict[str, Any], definitions: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """(the schema without null, whether it allowed null). Forms have no null: an optional field may be left out."""
    options = schema.get("anyOf")
    if options is None:
        return schema, False
    non_null = [option for option in options if option.get("type") != "null"]
    if len(non_null) != 1 or len(non_null) == len(options):
        return schema, False
    siblings = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**_resolved(non_null[0], definitions), **siblings}, True


def _field(schema: dict[str, Any], definitions: Mapping[str, Any], where: str) -> dict[str, Any]:
    name = where.rpartition(".")[2]
    if schema.get("writeOnly") or schema.get("format") == "password" or _SECRET.search(_WORD.sub("", name.lower())):
        raise ToolDefinitionError(
            f"{where} is a secret: a form's answer passes through the client, so that MCP forbids it. Use ask_url."
        )
    if "oneOf" in schema or allowed(schema) is not None:
        return {**_pick(schema, _ANNOTATIONS), **_choice(schema, where, "oneOf")}
    kind = schema.get("type")
    if kind == "array":
        items = _resolved(schema.get("items", {}), definitions)
        if "oneOf" in items or allowed(items) is not None:
            return {
                "type": "array",
                **_pick(schema, (*_ANNOTATIONS, "minItems", "maxItems")),
                "items": _choice(items, where, "anyOf"),
            }
    if kind not in _KEYWORDS:
        raise ToolDefinitionError(
            f"{where} cannot be asked for in a form: its fields are str, int, float, bool, date, datetime, a Literal "
            "or an Enum of strings, or a list of one of these two."
        )
    picked = _pick(schema, _KEYWORDS[kind])
    if picked.get("format", "email") not in FORMATS:
        del picked["format"]
    return {"type": kind, **picked}


def _choice(schema: Mapping[str, Any], where: str, titled: str) -> dict[str, Any]:
    """A choice of strings. `titled`: the keyword of its titles, `oneOf` in a single, `anyOf` in a multiple choice."""
    if "oneOf" in schema:
        options = [{"const": each["const"], "title": each["title"]} for each in schema["oneOf"]]
        return {"type": "string", "oneOf": options} if titled == "oneOf" else {"anyOf": options}
    values = allowed(schema) or []
    if not all(isinstance(value, str) for value in values):
        raise ToolDefinitionError(f"{where} is a choice of {values}: a form has only choices of strings.")
    names = {"enumNames": schema["enumNames"]} if "enumNames" in schema else {}
    return {"type": "string", "enum": values, **names}


def _pick(schema: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: schema[name] for name in names if name in schema}
