"""Splits a function's return annotation into the type of its yielded items and the type of its result.

Types are only taken apart here: no validation, no schemas.
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
    """(item type, result type); Any where nothing is declared."""
    if not generates:
        return Any, _union([_unwrap_result(member) for member in members(annotation)])
    if typing.get_origin(annotation) not in _GENERATORS:
        return Any, Any
    arguments = typing.get_args(annotation)
    items = members(arguments[0]) if arguments else (Any,)
    results = [_unwrap_result(member) for member in items if _is_result(member)]
    if len(arguments) == 3 and arguments[2] is not None and arguments[2] is not types.NoneType:
        results += [_unwrap_result(member) for member in members(arguments[2])]
    return _union([member for member in items if not _is_result(member)]), _union(results)


def _is_result(annotation: Any) -> bool:
    return annotation is Result or typing.get_origin(annotation) is Result


def _unwrap_result(annotation: Any) -> Any:
    """`Result[int]` becomes int, a bare `Result` Any; other annotations are returned unchanged."""
    if not _is_result(annotation):
        return annotation
    return next(iter(typing.get_args(annotation)), Any)


def members(annotation: Any) -> tuple[Any, ...]:
    """The member types of a union; (annotation,) for any other type."""
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def _union(members: list[Any]) -> Any:
    if not members or Any in members:
        return Any
    return members[0] if len(members) == 1 else typing.Union[tuple(members)]  # noqa: UP007 - built from a list
