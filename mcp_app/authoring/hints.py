"""The annotations of a function, resolved: as its signature shows them, whatever decorates it.

A `__signature__` counts, and what `__wrapped__` leads to. No type is looked into.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from ..protocol.errors import ToolDefinitionError
from .source import globals_of, implementation


class Hints(typing.NamedTuple):
    """The parameters in their order, the annotation of each that has one, and that of the result."""

    parameters: list[inspect.Parameter]
    annotations: Mapping[str, Any]
    returns: Any


def hints(function: Callable[..., Any], name: str, scope: Mapping[str, Any]) -> Hints:
    """Raises ToolDefinitionError for a parameter that callers cannot fill by name, and for an annotation that cannot be
    resolved. Parameters that a partial fills by name are left out. `scope`: the names around the decorator."""
    bound = function.keywords if isinstance(function, functools.partial) else {}
    try:
        signature = inspect.signature(function)
    except ValueError as error:
        reason = "its parameters are not known"
        if isinstance(function, functools.partial) and _has_signature(function.func):
            reason = "it fills parameters that there are not"
        raise ToolDefinitionError(f"{name}: {reason}. Write a function that calls it.") from error
    except Exception as error:  # Python 3.14 evaluates annotations here
        raise _unresolved(name, "one of its annotations", error) from error
    parameters = [each for each in signature.parameters.values() if each.name not in bound]
    for parameter in parameters:
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            bare = parameter.replace(annotation=parameter.empty, default=parameter.empty)
            remedy = "write it out"
            if not hasattr(inspect.unwrap(implementation(function)), "__code__"):
                remedy = "write a function that calls it"
            elif parameter.kind is not parameter.POSITIONAL_ONLY:
                remedy += ", or, if what decorates the function takes it, say so there with functools.wraps"
            raise ToolDefinitionError(
                f"{name}: the parameter {bare} cannot be filled by name, which is how callers give it: {remedy}."
            )
    module = globals_of(function)
    annotations = {
        each.name: resolved(each.annotation, module, scope, name, f"that of the parameter {each.name}")
        for each in parameters
        if each.annotation is not each.empty
    }
    returns = signature.return_annotation
    returned = Any if returns is signature.empty else resolved(returns, module, scope, name, "that of its result")
    return Hints(parameters, annotations, returned)


def _has_signature(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        return False
    return True


def resolved(annotation: Any, module: dict[str, Any], scope: Mapping[str, Any], name: str, which: str) -> Any:
    """An annotation, which may be a string with names of the module or the scope. Raises ToolDefinitionError."""
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, globalns=module, localns=dict(scope), include_extras=True)["it"]
    except Exception as error:  # evaluating a string annotation may raise anything
        raise _unresolved(name, which, error) from error


def _unresolved(name: str, which: str, error: Exception) -> ToolDefinitionError:
    remedy = " A name that is only imported under TYPE_CHECKING has to be imported for real." * isinstance(
        error, NameError
    )
    why = str(error).rstrip(".")
    return ToolDefinitionError(f"{name}: an annotation cannot be resolved: {why}. It is {which}.{remedy}")
