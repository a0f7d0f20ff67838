"""Introspection of a function's source: its implementation, its docstring, its line, the scope of its decorator.

Used for tools, resources and prompts. No annotation is read here and no function is called.
"""

from __future__ import annotations

import functools
import inspect
import json
import typing
from collections.abc import Callable, Mapping
from typing import Any

from ..protocol.errors import ToolDefinitionError
from ..protocol.event import encode


def implementation(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that runs when `function` is called: that of a partial, a static method or a callable object."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, staticmethod):
        function = function.__func__
    return function if inspect.isroutine(function) else type(function).__call__


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function whose docstring, annotations and module count: that which a callable object says it wraps, as
    `functools.update_wrapper` has it say; else the implementation."""
    while isinstance(function, functools.partial):
        function = function.func
    stands_for = None if inspect.isroutine(function) else getattr(function, "__wrapped__", None)
    return inspect.unwrap(function) if callable(stands_for) else implementation(function)


def globals_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The names of the module that the function was written in; none if it is not Python's."""
    found: dict[str, Any] = getattr(inspect.unwrap(wrapped(function)), "__globals__", {})
    return found


def docstring(function: Callable[..., Any]) -> str | None:
    """The implementation's docstring, never that of `functools.partial`; the class's only if `__call__` has none."""
    return wrapped(function).__doc__ or (None if isinstance(function, functools.partial) else function.__doc__)


def documented_parameters(function: Callable[..., Any]) -> frozenset[str]:
    """The names of the parameters that the docstring may describe: also those that a decorator or a partial fills."""
    code = getattr(inspect.unwrap(wrapped(function)), "__code__", None)
    return frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ())


def title_of(name: str) -> str:
    """A title for people, derived from a name for programs."""
    return name.replace("_", " ").replace("-", " ").strip().capitalize()


def where(function: Callable[..., Any], name: str) -> str:
    """Module, qualified name and line, for messages to the author; `name` is used if it has no qualified name."""
    original = typing.cast(Any, inspect.unwrap(wrapped(function)))
    code = getattr(original, "__code__", None)
    line = f" (line {code.co_firstlineno})" if code is not None else ""
    return f"{getattr(original, '__module__', '?')}.{getattr(original, '__qualname__', name)}{line}"


def check_sendable(name: str, listed: Mapping[str, Any]) -> None:
    """Raises ToolDefinitionError if what is listed cannot be sent: one lone surrogate, and nothing is listed."""
    for what, value in listed.items():
        try:
            encode(value)
            json.dumps(value, allow_nan=False)
        except ValueError as error:
            raise ToolDefinitionError(
                f"{name}: its {what} cannot be sent: {error}. JSON has neither NaN nor infinities, nor lone "
                "surrogates, which are half a character, as os.fsdecode makes one of a byte."
            ) from error


class Scope(typing.NamedTuple):
    """The local and global names where a decorator is used: string annotations may refer to local names."""

    names: Mapping[str, Any]
    module: Mapping[str, Any]

    def of(self, function: Callable[..., Any]) -> Mapping[str, Any]:
        """The local names; none if the function was defined in another module, where they mean something else."""
        return self.names if globals_of(function) is self.module else {}
