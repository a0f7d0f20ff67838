"""`complete`: attaches a completion function to an argument of a prompt or of a resource template.

Only the declaration is here; dialects/mcp/completion.py calls the function.
"""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..protocol.errors import ToolDefinitionError
from .callables import check_completion, place, shown
from .dependencies import Plan
from .hints import resolved
from .makers import plan_of
from .markers import check_default, marker_of
from .signature import Signature
from .source import Scope, globals_of

Values = Iterable[str]
Function = Callable[..., Values | Awaitable[Values]]


@dataclass(frozen=True, slots=True)
class Complete:
    """The marker in an annotation: the function that returns the possible values, and what is made for it."""

    function: Function
    plan: Plan | None = None


def complete(function: Function) -> Complete:
    """Complete an argument by `function(prefix, chosen)`, in `Annotated[str, complete(function)]`.

    prefix: the text typed so far. chosen: the arguments already filled in, by name. The function returns the possible
    values, the best first, and may be a coroutine. A plain function runs in a thread of its own. Further parameters are
    made: `Annotated[Pool, Shared(make_pool)]`, or `Depends`.

    Raises ToolDefinitionError if the function does not accept these arguments.
    """
    frame = sys._getframe(1)
    check_completion(function)
    plan, signature = _plan(function, Scope(frame.f_locals, frame.f_globals))
    try:
        signature.bind("", {})
    except TypeError as error:
        raise _not_called_so(function) from error
    if inspect.isasyncgenfunction(function):
        raise ToolDefinitionError(
            f"{shown(function)}{place(function)} cannot complete an argument: return a list instead of yielding."
        )
    return Complete(function, plan)


def _plan(function: Function, scope: Scope) -> tuple[Plan | None, inspect.Signature]:
    """What is made for the function, and the signature of the rest."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise _not_called_so(function) from error
    name = f"{shown(function)}{place(function)}"
    module = globals_of(function)
    names = scope.of(function)
    markers = {}
    for parameter in list(signature.parameters.values())[2:]:
        check_default(parameter, name)
        if parameter.annotation is not parameter.empty:
            annotation = resolved(parameter.annotation, module, names, name, f"that of the parameter {parameter.name}")
            if (marker := marker_of(annotation, parameter.name, name)) is not None:
                markers[parameter.name] = marker
    rest = [each for each in signature.parameters.values() if each.name not in markers]
    return plan_of(function, name, markers, {}, names, is_run=False), signature.replace(parameters=rest)


def _not_called_so(function: Function) -> ToolDefinitionError:
    return ToolDefinitionError(
        f"{shown(function)}{place(function)} cannot complete an argument: it is called with what was typed so far and "
        "a mapping of the other arguments. Further ones are made, by Shared or Depends."
    )


def completion_of(signature: Signature, argument: str) -> Complete | None:
    """How an argument is completed; None where only its type says something."""
    info = signature.parameters.model_fields[signature.attributes[argument]]
    return next((each for each in [*info.metadata, *_metadata(info.annotation)] if isinstance(each, Complete)), None)


def plans(signature: Signature) -> Iterator[Plan]:
    """What is made for a function, and for the completions of its arguments."""
    completions = (completion_of(signature, argument) for argument in signature.attributes)
    for each in (signature.plan, *(each.plan for each in completions if each is not None)):
        if each is not None:
            yield each


def _metadata(annotation: Any) -> Iterator[Any]:
    """The metadata of `Annotated` at any depth, as in `Annotated[str, …] | None`."""
    yield from getattr(annotation, "__metadata__", ())
    for argument in typing.get_args(annotation):
        yield from _metadata(argument)
