"""What the return annotation of a function says: what it yields, and what its result is.

Types are taken apart here, and none is validated or made into a schema.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from typing import Any

from .kind import Result

_GENERATORS = {
    collections.abc.AsyncGenerator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.Generator,
    collections.abc.Iterator,
    collections.abc.Iterable,
}


def outputs(annotation: Any, *, generates: bool) -> tuple[Any, Any]:
    """(what is yielded, what is the result), Any where nothing is declared."""
    if not generates:
        return Any, _union([_unmarked(member) for member in members(annotation)])
    if typing.get_origin(annotation) not in _GENERATORS:
        return Any, Any
    arguments = typing.get_args(annotation)
    items = members(arguments[0]) if arguments else (Any,)
    results = [_unmarked(member) for member in items if _is_marked(member)]
    if len(arguments) == 3 and arguments[2] is not None and arguments[2] is not types.NoneType:
        results += [_unmarked(member) for member in members(arguments[2])]
    return _union([member for member in items if not _is_marked(member)]), _union(results)


def _is_marked(annotation: Any) -> bool:
    return annotation is Result or typing.get_origin(annotation) is Result


def _unmarked(annotation: Any) -> Any:
    """`Result[int]` is int; a bare `Result` is anything."""
    if not _is_marked(annotation):
        return annotation
    return next(iter(typing.get_args(annotation)), Any)


def members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union; of another type, that one."""
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def _union(members: list[Any]) -> Any:
    if not members or Any in members:
        return Any
    return members[0] if len(members) == 1 else typing.Union[tuple(members)]  # noqa: UP007 - made of a list
