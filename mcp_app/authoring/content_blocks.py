"""Whether a value, or a declared type, is content; and the MCP content blocks of such a value.

The classes of content are in content.py.
"""

from __future__ import annotations

import typing
from collections import abc, deque
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from .content import Content, Text
from .content_data import ContentError
from .return_annotation import members, unaliased

ARRAYS = (list, tuple, set, frozenset, deque)
"""The classes of what becomes several blocks, or contents."""

_NEVER_CONTENT = frozenset({str, int, float, bool, dict, type(None)})
"""The types of most results, checked first because isinstance with an abstract class is expensive."""


def is_content(value: Any, *, declared: bool = False) -> bool:
    """Whether a value becomes content blocks: it is content, or an array that contains some.

    If content is `declared`, an array that contains only text does too, and so does an empty one.
    """
    if type(value) in _NEVER_CONTENT:
        return False
    if not isinstance(value, ARRAYS):
        return isinstance(value, Content)
    return any(isinstance(item, Content) for item in value) or (
        declared and all(isinstance(item, str) for item in value)
    )


def content_blocks(value: Any, *, declared: bool = False) -> list[dict[str, Any]] | None:
    """The content blocks of a value that `is_content`; None for any other value.

    Raises ContentError for an array with content and items that are neither content nor text.
    """
    if not is_content(value, declared=declared):
        return None
    items = value if isinstance(value, ARRAYS) else [value]
    return [_block(item, index) for index, item in enumerate(items)]


def declares_content(annotation: Any) -> bool:
    """Whether a return annotation includes content, alone, in a list or in a union."""
    return _declares_content(annotation, [])


def _declares_content(annotation: Any, aliases: list[Any]) -> bool:
    """`aliases`: that were looked into, and named tuples, as one may contain itself."""
    bare = unaliased(annotation)
    if bare is not annotation or _is_named_tuple(bare):
        if any(each is annotation for each in aliases):
            return False
        aliases.append(annotation)
    if isinstance(bare, type) and issubclass(bare, Content):
        return True
    return any(_declares_content(argument, aliases) for argument in _arguments(bare))


def beside_content(annotation: Any) -> Any:
    """The first type that a declared array has beside content and that cannot stand there; None if there is none."""
    for array in _kinds(annotation):
        if _is_array(array):
            kinds = [kind for argument in _arguments(array) for kind in _kinds(argument)]
            others = [kind for kind in kinds if not _stands_beside_content(kind)]
            if others and any(isinstance(kind, type) and issubclass(kind, Content) for kind in kinds):
                return others[0]
    return None


def _kinds(annotation: Any) -> Iterator[Any]:
    """The members of a union, without aliases and `Annotated`; the type itself if it is none."""
    bare = unaliased(annotation)
    if typing.get_origin(bare) is Annotated:
        yield from _kinds(typing.get_args(bare)[0])
    elif (found := members(bare)) == (bare,):
        yield bare
    else:
        for member in found:
            yield from _kinds(member)


def _is_array(annotation: Any) -> bool:
    generic = typing.get_origin(annotation) or annotation
    return generic is abc.Iterable or (
        isinstance(generic, type) and issubclass(generic, (*ARRAYS, abc.Sequence, abc.Set))
    )


def _stands_beside_content(kind: Any) -> bool:
    """Whether content can stand beside it, or whether it does not tell what it is."""
    generic = typing.get_origin(kind) or kind
    if generic is Literal:
        return all(isinstance(value, str) for value in typing.get_args(kind))
    if not isinstance(generic, type):
        return kind is not None
    return generic in {Any, object} or issubclass(generic, str | Content)


def _is_named_tuple(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields")


def _arguments(annotation: Any) -> tuple[Any, ...]:
    """The types of an array's items, or whatever arguments a type has."""
    if not _is_named_tuple(annotation):
        return typing.get_args(annotation)
    try:
        return tuple(typing.get_type_hints(annotation, include_extras=True).values())
    except NameError:  # of a name that is local to where the class was made
        return ()


def _block(item: Any, index: int) -> dict[str, Any]:
    if isinstance(item, str):
        item = Text(item)
    if not isinstance(item, Content):
        raise ContentError(
            f"item {index} of the list is of type {type(item).__name__}: beside content only str and content can stand"
        )
    return item.block()
