"""The four kinds of function, and what the values they give become: `Result`, and `Encoded`.

Nothing is called here, and no value is validated.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Generic, NamedTuple, TypeVar

from .source import implementation

T = TypeVar("T")


class Kind(Enum):
    """How a function gives its values, and where it works: on the loop, or in a thread of its own."""

    COROUTINE = auto()
    ASYNC_GENERATOR = auto()
    FUNCTION = auto()
    GENERATOR = auto()

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Kind:
        function = implementation(function)
        if inspect.isasyncgenfunction(function):
            return cls.ASYNC_GENERATOR
        if inspect.iscoroutinefunction(function):
            return cls.COROUTINE
        return cls.GENERATOR if inspect.isgeneratorfunction(function) else cls.FUNCTION

    @property
    def yields(self) -> bool:
        """Whether it is a generator."""
        return self in {Kind.ASYNC_GENERATOR, Kind.GENERATOR}


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """Yielded last by a generator: `value` is the result of the run. What was yielded before is progress.

    Whoever returns one returns its `value`.
    """

    value: T


class Encoded(NamedTuple):
    """A value that a function gave, validated and as JSON. `content`: it is content blocks of MCP, a list, rather than
    a value of the function's own."""

    data: bytes
    content: bool = False
