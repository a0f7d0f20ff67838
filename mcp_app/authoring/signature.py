"""A function's signature as types: the model of its parameters, the types of its items and its result.

No function is called here, and nothing is registered.
"""

from __future__ import annotations

import logging
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, SchemaValidator, from_json

from ..protocol.errors import ToolDefinitionError
from ..protocol.event import NotJson, encode
from ..protocol.http import query_text
from ..protocol.json_schema import MAX_INLINED_BYTES
from ..protocol.metaschema import NotASchema, check
from ..protocol.problems import refusal
from ..protocol.repair import repair, with_integers
from .callables import Noun, shown
from .content_blocks import beside_content, declares_content
from .declared_type import DeclaredType
from .dependencies import Marker, Plan
from .hints import hints
from .kind import FailedArguments, Kind
from .makers import plan_of
from .markers import check_default, marker_of
from .parameters import check_first, compiled, field_of, is_context, only_parameter, reason, unannotated
from .refusal import within
from .return_annotation import declares_result, declares_stream, outputs
from .source import documented_parameters

logger = logging.getLogger("mcp_app.authoring")


class Validated(NamedTuple):
    """The function's keyword arguments, and the JSON values they were made of: the call's own, or with `repaired` of
    them in the type that the schema names."""

    arguments: dict[str, Any]
    params: Mapping[str, Any]
    repaired: int = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's types, from its annotations.

    `parameters` is the model of the arguments, `validator` what validates them; `attributes` maps each name that
    callers use to the model's attribute. `context` is the parameter annotated `Context`. `lists` are the parameters for
    which a repeated name in a query is a list; `choices` maps a parameter with an enumeration to its values, by their
    spelling in a query. `item` and `result` are None where nothing is declared; `item_content` and `content`: the
    declared type includes content. `model_parameter` is the one that takes the model itself, for `@tool(parameters=…)`.
    """

    parameters: type[BaseModel]
    validator: SchemaValidator
    attributes: Mapping[str, str]
    context: str | None
    lists: frozenset[str]
    choices: Mapping[str, Mapping[str, Any]]
    item: DeclaredType | None
    result: DeclaredType | None
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None
    content: bool
    item_content: bool
    beside_content: Any
    """A type that is declared in one array with content and cannot stand there in a tool's; None if there is none."""
    streams: bool
    """Whether it is that of a generator, or of a function that returns the generator it wraps."""
    keywords: tuple[tuple[str, str], ...]
    """Each parameter of the function, and the model's attribute with its argument."""
    documented: frozenset[str]
    """The names that need no description in the function's own: those of parameters that are described where they are
    listed, and those that callers do not see."""
    model_parameter: str | None = None
    plan: Plan | None = None
    """What is made for its other parameters, `Shared` and `Depends`; None if nothing is."""

    @property
    def by_name(self) -> dict[str, tuple[str, str | None]]:
        """For each name that callers use: the function's parameter with its value, and the field of the model there."""
        if self.model_parameter is None:
            return {called: (attribute.removeprefix("p_"), None) for called, attribute in self.attributes.items()}
        fields = self.parameters.model_fields.items()
        return {field.alias or name: (self.model_parameter, name) for name, field in fields}

    def written(self, parameter: str, value: Any) -> dict[str, Any]:
        """The JSON values, by the names that callers use, of one parameter of the function. Raises NotJson."""
        try:
            if parameter == self.model_parameter:
                model: dict[str, Any] = value.model_dump(mode="json", by_alias=True, warnings=False)
                return model
            called, attribute = next(each for each in self.attributes.items() if each[1] == f"p_{parameter}")
            filled = self.parameters.model_construct(**{attribute: value})
            found = filled.model_dump(mode="json", by_alias=True, include={attribute}, warnings=False)
        except (PydanticSerializationError, UnicodeError, RecursionError) as error:
            raise NotJson.of(value, error) from error
        return dict(zip([called], found.values(), strict=False))  # none of a field that is never written

    def decoded(self, name: str, texts: list[str]) -> Any:
        """The value of a parameter from its texts, as far as pydantic cannot convert them itself: lists of one item,
        and enumerations whose values are not strings."""
        choices = self.choices.get(name, {})
        values = [choices.get(text, text) for text in texts]
        return values if name in self.lists or len(values) > 1 else values[0]

    def from_json(self, params: Mapping[str, Any], *, strict: bool) -> Validated:
        """The function's keyword arguments from JSON values, of the types that are listed. What does not fit is
        repaired where only one thing can be meant, unless `strict`.

        Raises ValidationError. Whatever else an author's validator raises is `FailedArguments`, for the run to raise.
        """
        try:
            return Validated(self._from_json(params), params)
        except ValidationError:
            repaired, count = (params, 0) if strict else repair(self.input_schema, params)
            # JSON Schema calls 5.0 an integer (Validation, 6.1.1), pydantic does not.
            integers = with_integers(repaired)
            if integers is params:
                raise
        if count:
            try:
                return Validated(self._from_json(repaired), repaired, count)
            except ValidationError:
                if integers is repaired:
                    raise
        return Validated(self._from_json(integers), repaired, count)

    def _from_json(self, params: Any) -> dict[str, Any]:
        return self._arguments(self.validator.validate_json, encode(params), strict=True)

    def from_query(self, params: Mapping[str, Any], texts: Mapping[str, list[str]], *, strict: bool) -> Validated:
        """The same from JSON values, and from texts, which are converted; a repeated name is a list.

        Raises ValidationError.
        """
        if not texts:
            return self.from_json(params, strict=strict)
        params, repaired = self._checked(params, strict=strict) if params else (params, 0)
        values = {**params, **{name: self.decoded(name, items) for name, items in texts.items()}}
        return Validated(self.from_texts(values), params, repaired)

    def _checked(self, params: Mapping[str, Any], *, strict: bool) -> tuple[Mapping[str, Any], int]:
        """JSON values that are only some of the arguments, repaired, and how many were. Raises ValidationError."""
        wrong = self._wrong(params)
        repaired, count = (params, 0) if strict or wrong is None else repair(self.input_schema, params)
        if count:
            wrong = self._wrong(repaired)
        if wrong is not None:
            raise wrong
        return repaired, count

    def _wrong(self, params: Mapping[str, Any]) -> ValidationError | None:
        """What is wrong in these values; other arguments may be missing."""
        try:
            self.from_json(params, strict=True)
        except ValidationError as error:
            return within(error, params.keys())
        return None

    def from_texts(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The same from values that are texts, or lists of them, which are converted. Raises ValidationError."""
        return self._arguments(self.validator.validate_python, values, strict=False)

    def _arguments(self, validate: Callable[..., Any], value: Any, *, strict: bool) -> dict[str, Any]:
        try:
            model = validate(value, strict=strict)
        except ValidationError:
            raise
        except UnicodeEncodeError as error:
            raise refusal(error) from None
        except BaseException as error:  # of a validator of the author's: even SystemExit must not end the server
            return FailedArguments(error)
        if self.model_parameter is not None:
            return {self.model_parameter: model}
        return {name: getattr(model, attribute) for name, attribute in self.keywords}


def read(
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
