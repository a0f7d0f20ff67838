"""A function's signature read as types: the model of its parameters, what it yields, what it returns.

Nothing is called here and nothing is named or registered.
"""

from __future__ import annotations

import collections.abc
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, TypeAdapter, create_model
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from .context import Context
from .protocol.errors import ToolDefinitionError

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_GENERATORS = {
    collections.abc.AsyncGenerator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.Generator,
    collections.abc.Iterator,
    collections.abc.Iterable,
}


class _Untitled(GenerateJsonSchema):
    """Without the titles that pydantic makes of names: they say nothing and double the size of a tools list."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Signature:
    """What is known of a function by its annotations.

    `parameters` validates; `attributes` maps each of the function's parameters to the model's attribute; `context` is
    the parameter that wants the `Context`; `lists` are the parameters for which a repeated name in a query is a list.
    `item` and `result` are None where nothing is declared.
    """

    parameters: type[BaseModel]
    attributes: Mapping[str, str]
    context: str | None
    lists: frozenset[str]
    item: TypeAdapter[Any] | None
    result: TypeAdapter[Any] | None
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None


def read(
    function: Callable[..., Any],
    scope: Mapping[str, Any],
    descriptions: Mapping[str, str],
    *,
    result_marker: type | None,
) -> Signature:
    """The signature of `function`; `result_marker` is the generic class that marks a generator's result, if it is one.

    Raises ToolDefinitionError.
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
        if annotation is Context:
            context = parameter.name
            continue
        # A prefix, so that no parameter meets an attribute of BaseModel; the alias is what callers see.
        attribute = attributes[parameter.name] = f"p_{parameter.name}"
        fields[attribute] = (_described(annotation, parameter.name, descriptions), _default(parameter))
    model = _model(name, fields)
    input_schema = {"$schema": _DIALECT, **_schema(name, "parameters", lambda: _input_schema(model))}
    item, result = _outputs(hints.get("return", Any), result_marker)
    item_adapter = _adapter(name, "yields", item)
    result_adapter = _adapter(name, "returns", result)
    return Signature(
        parameters=model,
        attributes=types.MappingProxyType(attributes),
        context=context,
        lists=frozenset(n for n, field in input_schema.get("properties", {}).items() if _is_list(field)),
        item=item_adapter,
        result=result_adapter,
        input_schema=types.MappingProxyType(input_schema),
        output_schema=_output_schema(name, result_adapter),
    )


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(function).parameters.values())
    for parameter in parameters:
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise ToolDefinitionError(
                f"{name}: the parameter {parameter} cannot be filled by name. A tool's parameters are named; "
                "write each of them out."
            )
    return parameters


def _hints(function: Callable[..., Any], name: str, scope: Mapping[str, Any]) -> dict[str, Any]:
    plain = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    target = plain if inspect.isroutine(plain) else type(plain).__call__
    try:
        return typing.get_type_hints(target, localns=dict(scope), include_extras=True)
    except NameError as error:
        raise ToolDefinitionError(f"{name}: an annotation cannot be resolved: {error}.") from error


def _described(annotation: Any, name: str, descriptions: Mapping[str, str]) -> Any:
    said = FieldInfo.from_annotation(annotation).description
    described = Field(alias=name) if said else Field(alias=name, description=descriptions.get(name))
    return Annotated[annotation, described]


def _default(parameter: inspect.Parameter) -> Any:
    return ... if parameter.default is parameter.empty else parameter.default


def _model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    try:
        return create_model(name, __config__=ConfigDict(extra="forbid", protected_namespaces=()), **fields)
    except (PydanticUserError, PydanticSchemaGenerationError, TypeError) as error:
        culprit = next((attribute[2:] for attribute, field in fields.items() if not _sound(field)), None)
        which = f"the parameter {culprit}" if culprit else "a parameter"
        raise ToolDefinitionError(f"{name}: {which} has a type that JSON cannot carry: {_line(error)}") from error


def _sound(field: tuple[Any, Any]) -> bool:
    try:
        TypeAdapter(field[0])
    except (PydanticUserError, PydanticSchemaGenerationError, TypeError):
        return False
    return True


def _outputs(annotation: Any, marker: type | None) -> tuple[Any, Any]:
    """(what is yielded, what is the result), Any where nothing is declared."""
    if marker is None:
        return Any, annotation
    if typing.get_origin(annotation) not in _GENERATORS:
        return Any, Any
    arguments = typing.get_args(annotation)
    items = _members(arguments[0]) if arguments else (Any,)
    results = [typing.get_args(member)[0] for member in items if typing.get_origin(member) is marker]
    others = [member for member in items if member is not marker and typing.get_origin(member) is not marker]
    returned = arguments[2] if len(arguments) == 3 and arguments[2] not in {None, types.NoneType} else None
    if returned is not None:
        results.append(returned)
    return _union(others), _union(results)


def _members(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def _union(members: list[Any]) -> Any:
    return typing.Union[tuple(members)] if members else Any  # noqa: UP007 - made of a list


def _adapter(name: str, does: str, annotation: Any) -> TypeAdapter[Any] | None:
    if annotation is Any:
        return None
    try:
        return TypeAdapter(annotation)
    except (PydanticUserError, PydanticSchemaGenerationError, TypeError) as error:
        raise ToolDefinitionError(f"{name}: it {does} what JSON cannot carry: {_line(error)}") from error


def _input_schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Untitled)
    schema.pop("title", None)
    schema.setdefault("properties", {})
    return schema


def _output_schema(name: str, adapter: TypeAdapter[Any] | None) -> Mapping[str, Any] | None:
    if adapter is None:
        return None
    schema = _schema(name, "result", lambda: adapter.json_schema(mode="serialization", schema_generator=_Untitled))
    return types.MappingProxyType({"$schema": _DIALECT, **schema})


def _schema(name: str, what: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return make()
    except PydanticUserError as error:
        raise ToolDefinitionError(f"{name}: its {what} cannot be said in JSON Schema: {_line(error)}") from error


def _is_list(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" or any(map(_is_list, schema.get("anyOf", ())))


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]
