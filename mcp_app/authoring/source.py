"""What is known of a function by how it was written: what runs when it is called, its docstring, its line, its scope.

For whatever is made of functions: tools, resources, prompts. No annotation is read here and nothing is called.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any


def implementation(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that runs when `function` is called: behind a partial, a static method or a callable object."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, staticmethod):
        function = function.__func__
    return function if inspect.isroutine(function) else type(function).__call__


def docstring(function: Callable[..., Any]) -> str | None:
    """The function's own: not that of `functools.partial`, and a class's only if its `__call__` has none."""
    return implementation(function).__doc__ or (None if isinstance(function, functools.partial) else function.__doc__)


def title_of(name: str) -> str:
    """For people, made from a name for programs."""
    return name.replace("_", " ").replace("-", " ").strip().capitalize()


def where(function: Callable[..., Any], name: str) -> str:
    """Module, qualified name and line, for messages to the author; `name` for what has no name of its own."""
    written = typing.cast(Any, inspect.unwrap(function))
    code = getattr(written, "__code__", None)
    line = f" (line {code.co_firstlineno})" if code is not None else ""
    return f"{getattr(written, '__module__', '?')}.{getattr(written, '__qualname__', name)}{line}"


class Scope(typing.NamedTuple):
    """Where a decorator was written: an annotation as a string may name what is local there."""

    names: Mapping[str, Any]
    module: Mapping[str, Any]

    def of(self, function: Callable[..., Any]) -> Mapping[str, Any]:
        """The local names, unless the function was defined in another module: there they mean something else."""
        defined_in = getattr(inspect.unwrap(implementation(function)), "__globals__", None)
        return self.names if defined_in is self.module else {}
