"""Which callables can be a tool, a prompt, a resource or a completion; what is said of the others, and how to mend it.

No signature is read here, no type is looked at, and nothing is called.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import reprlib
from collections.abc import Iterator
from typing import Any, Literal

from ..protocol.errors import ToolDefinitionError
from .source import implementation, wrapped

Noun = Literal["tool", "prompt", "resource"]

_MANAGER = ("helper", contextlib.contextmanager.__code__.co_filename)
"""Name and file of the code that contextlib makes of a generator function."""

_IN_A_CLASS = (classmethod, functools.partialmethod, functools.singledispatchmethod)
"""What stands in a class body, and can be called only when it is taken from the class, or from an object of it."""

_CACHE = type(functools.lru_cache(len))


class Decorated:
    """What a decorator of ours made of a function: no other decorator takes it."""

    __slots__ = ()
    name: Any


def shown(function: Any) -> str:
    """As messages call it: its qualified name, that of what a partial or a property is of, or at least its type."""
    if isinstance(function, functools.partial):
        return f"functools.partial of {shown(function.func)}"
    if isinstance(function, Decorated):
        return str(function.name)
    if isinstance(function, property):
        return shown(function.fget)
    for name in ("__qualname__", "__name__"):
        if isinstance(found := getattr(function, name, None), str):
            return found
    if isinstance(function, functools.cached_property | functools.partialmethod | functools.singledispatchmethod):
        return shown(function.func)
    return f"an object of type {type(function).__qualname__}" if callable(function) else reprlib.repr(function)


def place(function: Any) -> str:
    """` (FILE:LINE)`, where what a function wraps in the end is defined; empty if that is not known."""
    while isinstance(function, functools.partial):
        function = function.func
    if not callable(function) or isinstance(function, Decorated):
        return ""
    *_, inner = _layers(wrapped(function))
    return _at(getattr(inner, "__code__", None))


def checked_name(function: Any, noun: Noun, name: str | None = None) -> str:
    """The name of a callable that becomes a `noun`: that which was given, or its own.

    Raises ToolDefinitionError for what can be no such thing, as each call would fail; it says why, and how to mend it.
    """
    problem = _no_function(function, noun) or _by_position(function) or _without_value(function)
    if problem is not None:
        raise ToolDefinitionError(f"{shown(function)}{place(function)}: {problem}")
    own = getattr(function, "__name__", None)
    if name is None and (not isinstance(own, str) or own == "<lambda>"):
        option = "resource(uri, name=…)(…)" if noun == "resource" else f"{noun}(name=…)(…)"
        raise ToolDefinitionError(
            f"{shown(function)}{place(function)}: it has no name of its own. Give it one: `{option}`."
        )
    return str(own if name is None else name)


def check_completion(function: Any) -> None:
    """The same for a function that completes, which is called by position and needs no name."""
    problem = None if callable(function) else "it cannot be called."
    if (problem := problem or _without_value(function)) is not None:
        raise ToolDefinitionError(f"{shown(function)}{place(function)} cannot complete an argument: {problem}")


def method_problem(name: str, noun: Noun) -> str:
    """What to say of a method that is not an object's; `name` is its qualified name."""
    remedy = _of_object(noun, name.rpartition(".")[2])
    return f"@{noun} cannot stand inside a class: after it, make an object and write {remedy}; or write a function."


def _of_object(noun: Noun, method: str = "method") -> str:
    return f"`{'resource(uri)' if noun == 'resource' else noun}(object.{method})`"


def _no_function(function: Any, noun: Noun) -> str | None:
    """Why it is none; None if it is one."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, Decorated):
        made = type(function).__name__.lower()
        return f"this is not a function but a {made} already: @{noun} goes on a function, once."
    if inspect.isclass(function):
        return (
            f"a class is not a function: @{noun} goes on a function, once. Write one that returns a value, or take the "
            f"method of an object: {_of_object(noun)}."
        )
    if isinstance(function, property | functools.cached_property):
        return (
            "a property is not a function: it is read, not called. Write a method, and after the class "
            f"{_of_object(noun)}."
        )
    if isinstance(function, _IN_A_CLASS):
        kind = type(function).__name__
        return f"a {kind} is not a function before it is taken from its class: after that write {_of_object(noun)}."
    if inspect.iscoroutine(function) or inspect.isgenerator(function) or inspect.isasyncgen(function):
        return "this is not a function, but what one returned. Leave the parentheses after its name out."
    if not callable(function):
        return f"this is not a function: @{noun} goes on a function, once."
    return None


def _by_position(function: Any) -> str | None:
    """Why callers, who give all arguments by name, cannot call it; None if they may."""
    register = getattr(function, "register", None)
    is_method = isinstance(getattr(register, "__self__", None), functools.singledispatchmethod)
    if is_method or (hasattr(function, "dispatch") and hasattr(function, "registry")):
        return (
            "singledispatch chooses by the first positional argument, and callers give theirs by name. "
            "Write a function of a union of the types, which calls it."
        )
    return None


def is_context_manager(function: Any) -> bool:
    """Whether it is a generator function with `@contextmanager` or `@asynccontextmanager` on it."""
    code = getattr(function, "__code__", None)
    return code is not None and (code.co_name, code.co_filename) == _MANAGER


def check_maker(function: Any, called: str) -> None:
    """Raises ToolDefinitionError for what makes no value for a parameter; `called` is how messages call it."""
    problem = _no_maker(function) or _by_position(function) or _without_value(function)
    if problem is not None:
        raise ToolDefinitionError(f"{called}: {problem}")


def _no_maker(function: Any) -> str | None:
    if isinstance(function, Decorated):
        return f"this is a {type(function).__name__.lower()}, which callers call. Write a function that both use."
    if isinstance(function, (staticmethod, *_IN_A_CLASS)):
        return f"a {type(function).__name__} is not a function before it is taken from its class: write Class.method."
    return None


def _without_value(function: Any) -> str | None:
    """Why no call gives a value that could be sent; None if one may."""
    layers = list(_layers(implementation(function)))
    outer, inner = layers[0], layers[-1]
    code = getattr(outer, "__code__", None)
    if is_context_manager(outer):
        return "a context manager is entered, not returned. Write a function that enters it and returns a result."
    if _is_async(outer):
        return None
    is_async = any(map(_is_async, layers))
    if any(isinstance(each, _CACHE) for each in layers) and (is_async or inspect.isgeneratorfunction(inner)):
        made = "coroutine" if inspect.iscoroutinefunction(inner) else "generator"
        return (
            f"functools.lru_cache keeps the {made} that it returns, which can be used up once. "
            "Keep what comes of it instead, in the function."
        )
    if is_async:
        return (
            f"it is async, and what decorates it{_at(code)} is not: it returns what nobody awaits. Write that with "
            "async def and await. If it runs the function by itself, as asyncio.run does, leave it out: functions are "
            "taken as they are."
        )
    return None


def _layers(function: Any) -> Iterator[Any]:
    """The function, what it wraps, what that wraps, …: as functools.wraps says it."""
    seen: list[Any] = []
    while function is not None and all(each is not function for each in seen):
        seen.append(function)
        yield function
        function = getattr(function, "__wrapped__", None)


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _at(code: Any) -> str:
    return "" if code is None else f" ({code.co_filename}:{code.co_firstlineno})"
