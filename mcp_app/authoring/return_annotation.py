"""Splits a function's return annotation into the type of its yielded items and the type of its result.

Types are only taken apart here: no validation, no schemas.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any

from typing_extensions import TypeAliasType

from ..protocol.errors import ToolDefinitionError
from .kind import Kind
from .result import Result

_STREAMS = frozenset(
    [
        collections.abc.AsyncGenerator,
        collections.abc.AsyncIterator,
        collections.abc.Generator,
        collections.abc.Iterator,
    ]
)
_GENERATORS = _STREAMS | {collections.abc.AsyncIterable, collections.abc.Iterable}

_ALIASES = tuple({TypeAliasType, getattr(typing, "TypeAliasType", TypeAliasType)})
"""Of `type X = …` (PEP 695, Python 3.12) and of its backport, which are two classes in some versions."""


def outputs(annotation: Any, *, generates: bool) -> tuple[Any, Any]:
    """(item type, result type); Any where nothing is declared."""
    if not generates:
        return Any, _union([_unwrap_result(member) for member in members(annotation)])
    annotation = _without_none(annotation)
    if typing.get_origin(annotation) not in _GENERATORS:
        return Any, Any
    arguments = typing.get_args(annotation)
    items = members(arguments[0]) if arguments else (Any,)
    results = [_unwrap_result(member) for member in items if _is_result(member)]
    if len(arguments) == 3 and arguments[2] is not None and arguments[2] is not types.NoneType:
        results += [_unwrap_result(member) for member in members(arguments[2])]
    return _union([member for member in items if not _is_result(member)]), _union(results)


def declares_stream(function: Callable[..., Any], kind: Kind, returns: Any, name: str) -> bool:
    """Whether the annotation is that of items: of a function that yields, or returns the generator that it wraps.

    Raises ToolDefinitionError where it is not that of what the function is.
    """
    if kind.yields:
        if not _declares_items(returns):
            shown = getattr(returns, "__name__", returns)
            raise ToolDefinitionError(
                f"{name}: it yields, and is annotated `-> {shown}`. Write what it yields, as in `-> Iterator[str]` "
                "(AsyncIterator with async def), or leave the annotation out."
            )
        return True
    wraps_generator = Kind.of(inspect.unwrap(function)).yields
    if _is_stream(returns) and _is_async(returns) is not (kind is Kind.COROUTINE):
        raise ToolDefinitionError(
            f"{name}: it is {'async' if kind is Kind.COROUTINE else 'plain'}, and what it returns to be iterated is "
            "not. Declare it, and what decorates it, as the generator is: both with async def, or both with def."
        )
    return _is_stream(returns) or (wraps_generator and _declares_items(returns))


def _is_stream(annotation: Any) -> bool:
    """Whether it is an iterator or a generator: of a function that yields, or returns what yields."""
    return _generic(annotation) in _STREAMS


def _is_async(annotation: Any) -> bool:
    """Whether what is declared is iterated with `async for`."""
    generic = _generic(annotation)
    return generic is not None and issubclass(generic, collections.abc.AsyncIterable)


def _declares_items(annotation: Any) -> bool:
    """Whether a generator function can be annotated with it: an iterable, a generator, or what says nothing."""
    return _without_none(annotation) is Any or _generic(annotation) in _GENERATORS


def unaliased(annotation: Any) -> Any:
    """What a `type X = …` stands for, with its type parameters filled in; any other type unchanged."""
    while True:
        origin = typing.get_origin(annotation)
        if isinstance(annotation, _ALIASES):
            annotation = annotation.__value__
        elif isinstance(origin, _ALIASES):
            annotation = origin.__value__[typing.get_args(annotation)]
        else:
            return annotation


def bare(annotation: Any) -> Any:
    """A type without `Annotated` and aliases."""
    annotation = unaliased(annotation)
    while typing.get_origin(annotation) is Annotated:
        annotation = unaliased(typing.get_args(annotation)[0])
    return annotation


def _generic(annotation: Any) -> type | None:
    annotation = _without_none(annotation)
    generic = typing.get_origin(annotation) or annotation
    return generic if isinstance(generic, type) else None


def _without_none(annotation: Any) -> Any:
    """Without aliases, `Annotated`, and `| None`: nothing of these says what a generator yields."""
    annotation = bare(annotation)
    some = [each for each in members(annotation) if each is not types.NoneType and each is not None]
    return some[0] if len(some) == 1 < len(members(annotation)) else annotation


def declares_result(annotation: Any) -> bool:
    """Whether it is a `Result`, or may be one."""
    return any(map(_is_result, members(annotation)))


def _is_result(annotation: Any) -> bool:
    return annotation is Result or typing.get_origin(annotation) is Result


def _unwrap_result(annotation: Any) -> Any:
    """`Result[int]` becomes int, a bare `Result` Any; other annotations are returned unchanged."""
    if not _is_result(annotation):
        return annotation
    return next(iter(typing.get_args(annotation)), Any)


def members(annotation: Any) -> tuple[Any, ...]:
    """The member types of a union, also of one with a name; (annotation,) for any other type."""
    seen = unaliased(annotation)
    if typing.get_origin(seen) in {typing.Union, types.UnionType}:
        inner = [members(each) for each in typing.get_args(seen)]
        return tuple(each for group in inner for each in group)
    seen = bare(seen)
    return (seen,) if _is_result(seen) else (annotation,)


def _union(members: list[Any]) -> Any:
    if not members or Any in members:
        return Any
    return members[0] if len(members) == 1 else typing.Union[tuple(members)]  # noqa: UP007 - built from a list
