"""`complete`: the function that knows which values an argument of a prompt or of a resource template may have.

It is declared here; it is called when a client asks (dialects/mcp/completion.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from ..protocol.errors import ToolDefinitionError

Values = Iterable[str]
Function = Callable[[str, Mapping[str, str]], Values | Awaitable[Values]]


@dataclass(frozen=True, slots=True)
class Complete:
    """In an annotation: the function that knows which values there are."""

    function: Function


def complete(function: Function) -> Complete:
    """Complete an argument by `function(prefix, chosen)`, in `Annotated[str, complete(function)]`.

    prefix is what was typed so far; chosen are the arguments that are filled in already, by name. It returns the values
    to offer, the best first, and may be a coroutine. A plain function works in a thread of its own.

    Raises ToolDefinitionError when it does not take these two.
    """
    try:
        inspect.signature(function).bind("", {})
    except (TypeError, ValueError) as error:
        raise ToolDefinitionError(
            f"{function!r} cannot complete an argument: it is called with what was typed so far and a mapping of the "
            "other arguments."
        ) from error
    if inspect.isasyncgenfunction(function):
        raise ToolDefinitionError(f"{function!r} cannot complete an argument: return a list instead of yielding.")
    return Complete(function)
