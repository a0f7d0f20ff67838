"""The parameters of a function as callers fill them: a model, its validator, and the JSON Schema that is listed.

Nothing is proved here (proof.py does that), and no function is called.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, PydanticUserError, create_model
from pydantic.errors import PydanticUndefinedAnnotation
from pydantic.fields import FieldInfo
from pydantic_core import SchemaError, SchemaValidator

from ..protocol.errors import ToolDefinitionError
from ..protocol.metaschema import NotASchema
from .bounded_cost import Branching, branching_of
from .callables import Noun, method_problem, place
from .context import Context
from .hints import Hints
from .listed_schema import listed_schema
from .proof import Refused, proved
from .pydantic_schema import for_json, without_extras
from .return_annotation import bare, members
from .slow_patterns import slow_pattern

# What an annotation, or the code of its class, may raise is anything: that it is no type, or not one that can be
# validated and listed. All of it is caught, and told to the author with its cause.

_TOLD = (PydanticUserError, PydanticUndefinedAnnotation, SchemaError, Refused, NotASchema, TypeError, AttributeError)
"""Errors whose message says enough by itself. Of others the class is told as well."""

_REASON_CHARS = 600  # of pydantic's reason: it names the pattern at fault, of whatever length


_NESTING = re.compile(r'^.*Error building "[^"]+" validator: (?:SchemaError: )?')
"""What pydantic puts before a reason: the way through its validators down to the one at fault."""


_UNDEFINED = re.compile(r"ForwardRef\('([^']+)'|name '([^']+)'|should define `(\w+)`")


class Parameters(NamedTuple):
    """`inlined`: whether `schema` has no `$defs` but of what refers to itself."""

    model: type[BaseModel]
    validator: SchemaValidator
    schema: dict[str, Any]
    inlined: bool
    branching: Branching | None


def is_context(annotation: Any, parameter: str, name: str) -> bool:
    """Raises ToolDefinitionError for a subclass of Context, of which no run would make an instance."""
    kinds = map(bare, members(bare(annotation)))
    found = [each for each in kinds if inspect.isclass(each) and issubclass(each, Context)]
    if found and found[0] is not Context:
        raise ToolDefinitionError(
            f"{name}: the parameter {parameter} is annotated {found[0].__name__}, a subclass of Context, "
            "and would get a Context. Annotate it Context."
        )
    return bool(found)


def check_first(function: Callable[..., Any], name: str, found: Hints, noun: Noun) -> None:
    """Raises ToolDefinitionError for a method that is not an object's, which it would take as its first parameter."""
    first = next((each.name for each in found.parameters), None)
    outside = name.rpartition(".")[0]
    in_a_class = inspect.isfunction(function) and outside != "" and not outside.endswith("<locals>")
    if first is None or (first in found.annotations and not (in_a_class and first in _SELF)):
        return
    called = f"{name}{place(function)}"
    if first in _SELF:
        raise ToolDefinitionError(
            f"{called}: no caller can send {first}, the object whose method it is. {method_problem(name, noun)}"
        )
    if in_a_class:
        raise ToolDefinitionError(
            f"{called}: the parameter {first} has no annotation. Write its type. If it is the object whose method this "
            f"is, no caller can send it: {method_problem(name, noun)}"
        )


_SELF = frozenset({"self", "cls"})


def unannotated(name: str, parameter: str) -> ToolDefinitionError:
    """What to tell the author of a parameter without an annotation."""
    return ToolDefinitionError(
        f"{name}: the parameter {parameter} has no annotation. "
        f"Write its type, as in `{parameter}: str`: callers see it as JSON Schema."
    )


def field_of(
    parameter: inspect.Parameter, annotation: Any, descriptions: Mapping[str, str], name: str
) -> tuple[str, Any]:
    """(The name for callers, the parameter as a field of a model.) An alias in a `Field` is that name.

    Raises ToolDefinitionError.
    """
    default = parameter.default
    try:
        own = FieldInfo.from_annotation(annotation)
        given = [default, own] if isinstance(default, FieldInfo) else [own]
        aliases = (alias for each in given for alias in (each.validation_alias, each.alias) if alias is not None)
        alias = next(aliases, None)
        called = parameter.name if (written := _name(alias)) is None else written
        options: dict[str, Any] = {} if alias else {"alias": parameter.name}
        if not any(each.description for each in given):
            in_docstring = descriptions.get(parameter.name) or descriptions.get(called)
            options["description"] = _written_beside(own.metadata) or in_docstring
        field = Field(**options)
        described = Annotated[annotation, field]
    except Exception as error:
        raise ToolDefinitionError(f"{name}: the annotation of the parameter {parameter.name} is no type.") from error
    if not called:
        raise ToolDefinitionError(f"{name}: the parameter {parameter.name} has an empty alias. Write a name, or none.")
    return called, described if default is parameter.empty else (described, default)


def _written_beside(metadata: Iterable[Any]) -> str | None:
    """The text in `Annotated[int, "text"]`, or in `Doc("text")` (PEP 727)."""
    texts = (getattr(each, "documentation", each) for each in metadata)
    return next((each for each in texts if isinstance(each, str)), None)


def _name(alias: Any) -> str | None:
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return next((each for each in choices if isinstance(each, str)), None)


def only_parameter(name: str, attributes: Mapping[str, str], hints: Mapping[str, Any], model: type[BaseModel]) -> str:
    """The parameter that takes the whole model of `@tool(parameters=…)`. Raises ToolDefinitionError."""
    if not (inspect.isclass(model) and issubclass(model, BaseModel)):
        raise ToolDefinitionError(f"{name}: parameters is {model!r}, not a pydantic model.")
    parameters = [attribute.removeprefix("p_") for attribute in attributes.values()]
    if len(parameters) != 1 or hints[parameters[0]] is not model:
        raise ToolDefinitionError(
            f"{name}: with parameters={model.__name__} the function takes one parameter, annotated with that class."
        )
    return parameters[0]


def compiled(name: str, fields: dict[str, Any], model: type[BaseModel] | None) -> Parameters:
    """The parameters from the fields of a model to be made, or from a model of the author's.

    Raises ToolDefinitionError, which names the parameter at fault.
    """
    try:
        parameters = _of_model(_model(name, fields) if model is None else model)
    except Exception as error:
        culprit, cause = _culprit(name, fields, error) if model is None else (None, error)
        raise ToolDefinitionError(f"{name}: {_refusal(culprit, cause)}") from error
    if parameters.schema.get("type") != "object":
        raise ToolDefinitionError(
            f"{name}: the parameters are a JSON object, and {parameters.model.__name__} is none. "
            "Write a model with a field for each parameter."
        )
    parameters.schema.setdefault("properties", {})
    return parameters


def _of_model(model: type[BaseModel]) -> Parameters:
    if not model.__pydantic_complete__:
        model.model_rebuild(raise_errors=True)
    schema = proved(without_extras(for_json(model.__pydantic_core_schema__)))
    # Compiled anew: pydantic would take the validators that nested models have, and with them NaN and lazy lists.
    if (pattern := slow_pattern(schema)) is not None:
        raise Refused(
            f"Python's re can take hours over the pattern {pattern!r}, as it repeats what repeats. Write it as text, "
            "without re.compile and regex_engine: pydantic's own engine takes time linear in the text."
        )
    validator = SchemaValidator(schema, _use_prebuilt=False)
    listed, inlined = listed_schema(schema, "validation")
    listed.pop("title", None)
    return Parameters(model, validator, listed, inlined, branching_of(schema))


def _model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    # JSON has neither NaN nor infinities, so no schema can allow them (RFC 8259, 6).
    config = ConfigDict(extra="forbid", protected_namespaces=(), allow_inf_nan=False)
    return create_model(name, __config__=config, **fields)


def _culprit(name: str, fields: dict[str, Any], error: Exception) -> tuple[str | None, Exception]:
    """The parameter that is refused by itself, and why."""
    for attribute, field in fields.items():
        try:
            _of_model(_model(name, {attribute: field}))
        except Exception as alone:
            return attribute.removeprefix("p_"), alone
    return None, error


def _refusal(parameter: str | None, error: Exception) -> str:
    which = f"the parameter {parameter}" if parameter else "a parameter"
    if isinstance(error, Refused):
        return f"{which} cannot be filled by callers: {reason(error)}"
    if isinstance(error, NotASchema) or getattr(error, "code", None) == "invalid-for-json-schema":
        return f"its parameters cannot be said in JSON Schema: {which}: {reason(error)}"
    return f"{which} has a type that JSON cannot carry: {reason(error)}"


def reason(error: Exception) -> str:
    """The whole reason, in one line, and what to do where pydantic's advice does not fit a function."""
    if isinstance(error, PydanticUndefinedAnnotation) or getattr(error, "code", None) == "class-not-fully-defined":
        names = " or ".join(dict.fromkeys(name for found in _UNDEFINED.findall(str(error)) for name in found if name))
        return (
            f"it refers to {names or 'a name'}, which means nothing there. A type that contains itself is a model, or "
            "written with TypeAliasType; any JSON at all is pydantic.JsonValue."
        )
    advice = " Take what JSON has: a str, a number, a bool, a list, a dict, a model or a dataclass of these."
    if isinstance(error, NotASchema):
        advice = " Mend what its Field, WithJsonSchema or json_schema_extra says."
    told = isinstance(error, PydanticUserError | NotASchema)
    return f"{_joined(error).rstrip('.')}." + (advice if told else "")


def _joined(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines()]
    text = " ".join(line for line in lines if line and not line.startswith("For further information"))
    if not isinstance(error, _TOLD):
        text = f"{type(error).__name__}: {text}"
    text = _NESTING.sub("", text).partition(" Set `arbitrary_types_allowed")[
        0
    ]  # a setting of models, of which an author has none
    return text if len(text) <= _REASON_CHARS else f"{text[:_REASON_CHARS]}…"
