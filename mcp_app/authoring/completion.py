"""`complete`: attaches a completion function to an argument of a prompt or of a resource template.

Only the declaration is here; dialects/mcp/completion.py calls the function.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from ..protocol.errors import ToolDefinitionError
from .callables import check_completion, place, shown

Values = Iterable[str]
Function = Callable[[str, Mapping[str, str]], Values | Awaitable[Values]]


@dataclass(frozen=True, slots=True)
class Complete:
    """The marker in an annotation: the function that returns the possible values."""

    function: Function


def complete(function: Function) -> Complete:
    """Complete an argument by `function(prefix, chosen)`, in `Annotated[str, complete(function)]`.

    prefix: the text typed so far. chosen: the arguments already filled in, by name. The function returns the possible
    values, the best first, and may be a coroutine. A plain function runs in a thread of its own.

    Raises ToolDefinitionError if the function does not accept these two arguments.
    """
    check_completion(function)
    called = f"{shown(function)}{place(function)}"
    try:
        inspect.signature(function).bind("", {})
    except (TypeError, ValueError) as error:
        raise ToolDefinitionError(
            f"{called} cannot complete an argument: it is called with what was typed so far and a mapping of the other "
            "arguments."
        ) from error
    if inspect.isasyncgenfunction(function):
        raise ToolDefinitionError(f"{called} cannot complete an argument: return a list instead of yielding.")
    return Complete(function)
