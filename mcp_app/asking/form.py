"""A pydantic model as the form that a client can show: MCP's restricted JSON Schema, flat and of few types.

What a form cannot show is refused, to the author; what it can show and not check (a pattern, a multiple of something)
is left out of the form and checked in the answer. Sections are of MCP 2026-07-28, client/elicitation, Requested Schema.
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
from ..protocol.untitled import Untitled

FORMATS = frozenset({"email", "uri", "date", "date-time"})
"""The formats of a string that clients know."""

_WORD = re.compile(r"[^a-z]")
_SECRET = re.compile(
    r"(password|passwd|passphrase|apikey|accesstoken|refreshtoken|authtoken|privatekey|secretkey|clientsecret"
    r"|creditcard|cardnumber|cvv)$|^(secret|cvc)$"
)
"""Names of fields that hold what "grants access or authorizes transactions", without what is no letter: passwords,
keys, tokens, cards. A name says little, and these say enough."""

_SHOWN = ("title", "description", "default")
_KEEPS = {
    "string": (*_SHOWN, "minLength", "maxLength", "format"),
    "integer": (*_SHOWN, "minimum", "maximum"),
    "number": (*_SHOWN, "minimum", "maximum"),
    "boolean": _SHOWN,
}


@dataclass(frozen=True, slots=True)
class Titled:
    """Titles for a choice: `Annotated[Literal["#f00", "#0f0"], Titled({"#f00": "Red", "#0f0": "Green"})]`.

    In a list of such a type the user may choose several.
    """

    titles: Mapping[str, str]

    def __hash__(self) -> int:
        return hash(tuple(self.titles.items()))

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        resolved = handler.resolve_ref_schema(schema)
        values = _values(resolved) or []
        if set(values) != set(self.titles):
            raise ToolDefinitionError(f"Titled has titles for {sorted(self.titles)}, the choice is of {values}.")
        one_of = [{"const": value, "title": self.titles[value]} for value in values]
        return {"type": "string", "oneOf": one_of}


def requested_schema(model: type[BaseModel]) -> dict[str, Any]:
    """`requestedSchema` for the model. Raises ToolDefinitionError naming the field that no form can show."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise ToolDefinitionError(f"{model!r} is no pydantic model: a form is asked for with a class of fields.")
    schema = model.model_json_schema(schema_generator=Untitled, by_alias=True)
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    properties: dict[str, Any] = {}
    required = set(schema.get("required", ()))
    for name, declared in schema.get("properties", {}).items():
        where = f"{model.__name__}.{name}"
        found, optional = _not_null(_resolved(declared, definitions), definitions)
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
    """The form as clients of 2025-06-18 know forms: titles of a choice beside its values, and no choice of several.

    Raises MissingCapability naming the field that cannot be shown so.
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
    beside = {name: value for name, value in schema.items() if name != "$ref"}
    if "enum" in target:  # of an Enum's class, whose name and docstring are for programmers
        target = {name: value for name, value in target.items() if name not in {"title", "description"}}
    return {**target, **beside}


def _not_null(schema: dict[str, Any], definitions: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """An optional field is one that may be left out: a form has no null."""
    options = schema.get("anyOf")
    if options is None:
        return schema, False
    meant = [option for option in options if option.get("type") != "null"]
    if len(meant) != 1 or len(meant) == len(options):
        return schema, False
    beside = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**_resolved(meant[0], definitions), **beside}, True


def _field(schema: dict[str, Any], definitions: Mapping[str, Any], where: str) -> dict[str, Any]:
    name = where.rpartition(".")[2]
    if schema.get("writeOnly") or schema.get("format") == "password" or _SECRET.search(_WORD.sub("", name.lower())):
        raise ToolDefinitionError(
            f"{where} is a secret: a form's answer passes through the client, so that MCP forbids it. Use ask_url."
        )
    if "oneOf" in schema or _values(schema) is not None:
        return {**_kept(schema, _SHOWN), **_choice(schema, where, "oneOf")}
    kind = schema.get("type")
    if kind == "array":
        items = _resolved(schema.get("items", {}), definitions)
        if "oneOf" in items or _values(items) is not None:
            return {
                "type": "array",
                **_kept(schema, (*_SHOWN, "minItems", "maxItems")),
                "items": _choice(items, where, "anyOf"),
            }
    if kind not in _KEEPS:
        raise ToolDefinitionError(
            f"{where} cannot be asked for in a form: its fields are str, int, float, bool, date, datetime, a Literal "
            "or an Enum of strings, or a list of one of these two."
        )
    kept = _kept(schema, _KEEPS[kind])
    if kept.get("format", "email") not in FORMATS:
        del kept["format"]
    return {"type": kind, **kept}


def _choice(schema: Mapping[str, Any], where: str, titled: str) -> dict[str, Any]:
    """A choice of strings; `titled` is where its titles stand: `oneOf` in a choice of one, `anyOf` of several."""
    if "oneOf" in schema:
        options = [{"const": each["const"], "title": each["title"]} for each in schema["oneOf"]]
        return {"type": "string", "oneOf": options} if titled == "oneOf" else {"anyOf": options}
    values = _values(schema) or []
    if not all(isinstance(value, str) for value in values):
        raise ToolDefinitionError(f"{where} is a choice of {values}: a form has only choices of strings.")
    names = {"enumNames": schema["enumNames"]} if "enumNames" in schema else {}
    return {"type": "string", "enum": values, **names}


def _values(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _kept(schema: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: schema[name] for name in names if name in schema}
