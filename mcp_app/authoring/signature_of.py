"""Reads a function's signature: its annotations become the model of its parameters, the types of its items and result.

No function is called here, no argument validated, and nothing is registered.
"""

from __future__ import annotations

import logging
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from ..protocol.errors import ToolDefinitionError
from ..protocol.event import encode
from ..protocol.http import query_text
from ..protocol.json_schema import MAX_INLINED_BYTES
from ..protocol.metaschema import NotASchema, check
from .callables import Noun, shown
from .content_blocks import beside_content, declares_content
from .declared_type import DeclaredType
from .dependencies import Marker
from .hints import hints
from .kind import Kind
from .makers import plan_of
from .markers import check_default, marker_of
from .parameters import check_first, compiled, field_of, is_context, only_parameter, reason, unannotated
from .return_annotation import declares_result, declares_stream, outputs
from .signature import Signature
from .source import documented_parameters

logger = logging.getLogger("mcp_app.authoring")


def signature_of(
    function: Callable[..., Any],
    scope: Mapping[str, Any],
    descriptions: Mapping[str, str],
    *,
    kind: Kind,
    parameters_model: type[BaseModel] | None = None,
    custom_schema: Mapping[str, Any] | None = None,
    noun: Noun = "tool",
) -> Signature:
    """The signature of `function`, which is of `kind` and becomes a `noun`.

    `parameters_model` is the annotation of its only parameter: a model whose fields are the callers' parameters.
    `custom_schema` is a JSON Schema that replaces the one derived from the types. Raises ToolDefinitionError.
    """
    name = shown(function)
    found = hints(function, name, scope)
    check_first(function, name, found, noun)
    context: str | None = None
    fields: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    markers: dict[str, Marker] = {}
    for parameter in found.parameters:
        check_default(parameter, name)
        if parameter.name not in found.annotations:
            raise unannotated(name, parameter.name)
        annotation = found.annotations[parameter.name]
        if (marker := marker_of(annotation, parameter.name, name)) is not None:
            markers[parameter.name] = marker
            continue
        if is_context(annotation, parameter.name, name):
            if context is not None:
                raise ToolDefinitionError(f"{name}: {context} and {parameter.name} are both a Context. One is enough.")
            context = parameter.name
            continue
        called, field = field_of(parameter, annotation, descriptions, name)
        if called in attributes:
            raise ToolDefinitionError(f"{name}: two parameters are named {called} for callers. Change an alias.")
        # The prefix avoids collisions with attributes of BaseModel; callers use the alias.
        attributes[called] = f"p_{parameter.name}"
        fields[f"p_{parameter.name}"] = field
    model_parameter = None
    if parameters_model is not None:
        model_parameter = only_parameter(name, attributes, found.annotations, parameters_model)
    parameters = compiled(name, fields, parameters_model)
    input_schema = parameters.schema if custom_schema is None else _verbatim(name, custom_schema)
    if noun != "tool" and declares_result(found.returns):
        raise ToolDefinitionError(f"{name}: only a tool gives a Result. Return, and declare, what is in it.")
    streams = declares_stream(function, kind, found.returns, name)
    item, result = outputs(found.returns, generates=streams)
    content = declares_content(result)
    item_type, result_type = _declared(name, "yields", item), _declared(name, "returns", result)
    for what, inlined in (
        ("input", parameters.inlined or custom_schema is not None),
        ("output", result_type is None or result_type.inlined),
    ):
        if not inlined:
            logger.warning(
                "%s: without $defs its %s schema would exceed %d KiB, so it keeps them; some MCP clients lose these",
                *(name, what, MAX_INLINED_BYTES // 1024),
            )
    return Signature(
        parameters=parameters.model,
        validator=parameters.validator,
        branching=parameters.branching,
        attributes=types.MappingProxyType({} if model_parameter else attributes),
        context=context,
        lists=query_text.lists(input_schema),
        choices=query_text.choices(input_schema),
        item=item_type,
        result=result_type,
        input_schema=types.MappingProxyType(input_schema),
        output_schema=None if content or result_type is None else types.MappingProxyType(result_type.json_schema()),
        content=content,
        item_content=declares_content(item),
        beside_content=beside_content(item) or beside_content(result),
        streams=streams,
        keywords=tuple((attribute.removeprefix("p_"), attribute) for attribute in attributes.values()),
        documented=_documented(input_schema, () if parameters_model or custom_schema else attributes.items())
        | documented_parameters(function) - {parameter.name for parameter in found.parameters}
        | {context or "", *markers},
        model_parameter=model_parameter,
        plan=plan_of(function, name, markers, found.annotations, scope),
    )


def _declared(name: str, does: str, annotation: Any) -> DeclaredType | None:
    if annotation is Any:
        return None
    try:
        return DeclaredType(annotation)
    except Exception as error:
        raise ToolDefinitionError(f"{name}: it {does} what JSON cannot carry: {reason(error)}") from error


def _documented(input_schema: Mapping[str, Any], attributes: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The names of the parameters that have a description, or `attributes`, which get theirs from the docstring."""
    listed = input_schema.get("properties", {}).items()
    described = {name for name, schema in listed if isinstance(schema, Mapping) and "description" in schema}
    from_docstring = {name for called, attribute in attributes for name in (called, attribute.removeprefix("p_"))}
    return frozenset(described | from_docstring)


def _verbatim(name: str, custom: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of the author's schema, so that later changes to it have no effect."""
    if not isinstance(custom, Mapping):
        raise ToolDefinitionError(f"{name}: its input_schema is of type {type(custom).__name__}, not a dict.")
    try:
        schema: dict[str, Any] = from_json(encode(custom), allow_inf_nan=False)
    except ValueError as error:
        raise ToolDefinitionError(f"{name}: its input_schema is {error}") from error
    if schema.get("type") != "object" or not isinstance(schema.get("properties", {}), dict):
        raise ToolDefinitionError(
            f'{name}: its input_schema is not that of an object: its "type" must be "object", its "properties" by name.'
        )
    try:
        check(schema, external=True)
    except NotASchema as error:
        raise ToolDefinitionError(f"{name}: its input_schema cannot be listed: {error}. Mend it.") from error
    return schema
