"""The four kinds of function, and `Encoded`, a value as JSON.

Nothing is called here, and no value is validated.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, NamedTuple

from .source import implementation, wrapped


class Kind(Enum):
    """Whether a function returns or yields, and where it runs: on the event loop, or in a thread of its own."""

    COROUTINE = auto()
    ASYNC_GENERATOR = auto()
    FUNCTION = auto()
    GENERATOR = auto()

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Kind:
        """A callable object that is plain itself, as a decorator that is a class, is of the kind that it wraps: it
        returns what that returns."""
        kind = cls._of(implementation(function))
        return cls._of(wrapped(function)) if kind is cls.FUNCTION else kind

    @classmethod
    def _of(cls, function: Callable[..., Any]) -> Kind:
        if inspect.isasyncgenfunction(function):
            return cls.ASYNC_GENERATOR
        if inspect.iscoroutinefunction(function):
            return cls.COROUTINE
        return cls.GENERATOR if inspect.isgeneratorfunction(function) else cls.FUNCTION

    @property
    def yields(self) -> bool:
        """Whether it is a generator."""
        return self in {Kind.ASYNC_GENERATOR, Kind.GENERATOR}


class Encoded(NamedTuple):
    """A function's value, validated and as JSON. `content`: the value is a list of MCP content blocks, not one of the
    function's own type. `beside`: what a result has beside it, as an object, or empty."""

    data: bytes
    content: bool = False
    beside: bytes = b""


class FailedArguments(dict[str, Any]):
    """Stands for the arguments where an author's validator raised what is no refusal of a value.

    The run raises `error`, as it does what the function itself raises.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error if isinstance(error, Exception) else RuntimeError(f"a validator raised {error!r}")
        self.error.__cause__ = None if self.error is error else error
