"""A function's signature as types: the model of its parameters, the types of its items and its result.

No function is called here, and nothing is registered.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, TypeAdapter, create_model
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo
from pydantic_core import SchemaError, from_json

from ..protocol.errors import ToolDefinitionError
from ..protocol.event import encode
from ..protocol.http import query_text
from ..protocol.untitled import Untitled
from .content import declares_content
from .context import Context
from .return_annotation import members, outputs
from .source import implementation

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REFUSALS = (PydanticUserError, PydanticUndefinedAnnotation, SchemaError, TypeError, AttributeError)
"""Raised by pydantic for an annotation that is not a type, or not one that it can validate."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's types, from its annotations.

    `parameters` is the model that validates arguments; `attributes` maps each parameter of the function to the model's
    attribute. `context` is the parameter annotated `Context`. `lists` are the parameters for which a repeated name in a
    query is a list; `choices` maps a parameter with an enumeration to its values, by their spelling in a query. `item`
    and `result` are None where nothing is declared; `item_content` and `content`: the declared type includes content.
    `model_parameter` is the one that takes the model itself, for `@tool(parameters=…)`.
    """

    parameters: type[BaseModel]
    attributes: Mapping[str, str]
    context: str | None
    lists: frozenset[str]
    choices: Mapping[str, Mapping[str, Any]]
    item: TypeAdapter[Any] | None
    result: TypeAdapter[Any] | None
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    content: bool
    item_content: bool
    model_parameter: str | None = None

    def decoded(self, name: str, texts: list[str]) -> Any:
        """The value of a parameter from its texts, as far as pydantic cannot convert them itself: lists of one item,
        and enumerations whose values are not strings."""
        choices = self.choices.get(name, {})
        values = [choices.get(text, text) for text in texts]
        return values if name in self.lists or len(values) > 1 else values[0]

    def keywords(self, model: BaseModel) -> dict[str, Any]:
        """The function's keyword arguments, from an instance of `parameters`."""
        if self.model_parameter is not None:
            return {self.model_parameter: model}
        return {name: getattr(model, attribute) for name, attribute in self.attributes.items()}


def read(
    function: Callable[..., Any],
    scope: Mapping[str, Any],
    descriptions: Mapping[str, str],
    *,
    generates: bool,
    parameters_model: type[BaseModel] | None = None,
    custom_schema: Mapping[str, Any] | None = None,
) -> Signature:
    """The signature of `function`, which `generates` items or returns.

    `parameters_model` is the annotation of its only parameter: a model whose fields are the callers' parameters.
    `custom_schema` is a JSON Schema that replaces the one derived from the types. Raises ToolDefinitionError.
    """
    name = getattr(function, "__qualname__", repr(function))
    parameters = _parameters(function, name)
    hints = _hints(function, name, scope)
    context: str | None = None
    fields: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    for parameter in parameters:
        if parameter.name not in hints:
            raise ToolDefinitionError(
                f"{name}: the parameter {parameter.name} has no annotation. "
                f"Write its type, as in `{parameter.name}: str`: callers see it as JSON Schema."
            )
        annotation = hints[parameter.name]
        if _is_context(annotation):
            if context is not None:
                raise ToolDefinitionError(f"{name}: {context} and {parameter.name} are both a Context. One is enough.")
            context = parameter.name
            continue
        # The prefix avoids collisions with attributes of BaseModel; callers use the alias.
        attribute = attributes[parameter.name] = f"p_{parameter.name}"
        described = _described(annotation, parameter.name, descriptions, name)
        fields[attribute] = described if parameter.default is parameter.empty else (described, parameter.default)
    model_parameter = None if parameters_model is None else _only_parameter(name, attributes, hints, parameters_model)
    model = _model(name, fields) if parameters_model is None else parameters_model
    if custom_schema is None:
        input_schema = {"$schema": _DIALECT, **_schema(name, "parameters", lambda: _input_schema(model))}
    else:
        input_schema = _verbatim(name, custom_schema)
    item, result = outputs(hints.get("return", Any), generates=generates)
    content = declares_content(result)
    result_adapter = _adapter(name, "returns", result)
    return Signature(
        parameters=model,
        attributes=types.MappingProxyType({} if model_parameter else attributes),
        context=context,
        lists=query_text.lists(input_schema),
        choices=query_text.choices(input_schema),
        item=_adapter(name, "yields", item),
        result=result_adapter,
        input_schema=types.MappingProxyType(input_schema),
        output_schema=None if content else _output_schema(name, result_adapter),
        content=content,
        item_content=declares_content(item),
        model_parameter=model_parameter,
    )


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError as error:
        raise ToolDefinitionError(f"{name}: its parameters are not known. Write a function that calls it.") from error
    for parameter in parameters:
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            bare = parameter.replace(annotation=parameter.empty, default=parameter.empty)
            raise ToolDefinitionError(
                f"{name}: the parameter {bare} cannot be filled by name, which is how callers give it: write it out."
            )
    return parameters


def _hints(function: Callable[..., Any], name: str, scope: Mapping[str, Any]) -> dict[str, Any]:
    target = inspect.unwrap(implementation(function))
    try:
        return typing.get_type_hints(target, localns=dict(scope), include_extras=True)
    except Exception as error:  # evaluating a string annotation may raise anything
        raise ToolDefinitionError(f"{name}: an annotation cannot be resolved: {error}.") from error


def _is_context(annotation: Any) -> bool:
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    return any(inspect.isclass(member) and issubclass(member, Context) for member in members(annotation))


def _described(annotation: Any, parameter: str, descriptions: Mapping[str, str], name: str) -> Any:
    try:
        own = FieldInfo.from_annotation(annotation).description
        field = Field(alias=parameter) if own else Field(alias=parameter, description=descriptions.get(parameter))
        return Annotated[annotation, field]
    except _REFUSALS as error:
        raise ToolDefinitionError(f"{name}: the annotation of the parameter {parameter} is no type.") from error


def _model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    try:
        # JSON has neither NaN nor infinities, so no schema can allow them (RFC 8259, 6).
        config = ConfigDict(extra="forbid", protected_namespaces=(), allow_inf_nan=False)
        return create_model(name, __config__=config, **fields)
    except _REFUSALS as error:
        culprit = next((attribute[2:] for attribute, field in fields.items() if not _is_valid(field)), None)
        which = f"the parameter {culprit}" if culprit else "a parameter"
        raise ToolDefinitionError(f"{name}: {which} has a type that JSON cannot carry: {_line(error)}") from error


def _is_valid(field: Any) -> bool:
    try:
        create_model("Alone", field=field)
    except _REFUSALS:
        return False
    return True


def _only_parameter(name: str, attributes: Mapping[str, str], hints: Mapping[str, Any], model: type[BaseModel]) -> str:
    if not (inspect.isclass(model) and issubclass(model, BaseModel)):
        raise ToolDefinitionError(f"{name}: parameters is {model!r}, not a pydantic model.")
    if len(attributes) != 1 or hints[next(iter(attributes))] is not model:
        raise ToolDefinitionError(
            f"{name}: with parameters={model.__name__} the function takes one parameter, annotated with that class."
        )
    return next(iter(attributes))


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
    return schema


def _adapter(name: str, does: str, annotation: Any) -> TypeAdapter[Any] | None:
    if annotation is Any:
        return None
    try:
        return TypeAdapter(annotation)
    except _REFUSALS as error:
        raise ToolDefinitionError(f"{name}: it {does} what JSON cannot carry: {_line(error)}") from error


def _input_schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=Untitled)
    schema.pop("title", None)
    schema.setdefault("properties", {})
    return schema


def _output_schema(name: str, adapter: TypeAdapter[Any] | None) -> Mapping[str, Any] | None:
    if adapter is None:
        return None
    schema = _schema(name, "result", lambda: adapter.json_schema(mode="serialization", schema_generator=Untitled))
    return types.MappingProxyType({"$schema": _DIALECT, **_inlined(schema)})


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with a reference at its root replaced by its target: pydantic makes one for a recursive model."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    target: dict[str, Any] | None = schema.get("$defs", {}).get(name)
    return schema if target is None else {**{key: schema[key] for key in schema if key != "$ref"}, **target}


def _schema(name: str, what: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return make()
    except PydanticUserError as error:
        raise ToolDefinitionError(f"{name}: its {what} cannot be said in JSON Schema: {_line(error)}") from error


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
