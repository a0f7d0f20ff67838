"""Whether a value, or a declared type, is content; and the MCP content blocks of such a value.

The classes of content are in content.py.
"""

from __future__ import annotations

import typing
from typing import Any

from .content import Content, Text
from .content_data import ContentError
from .return_annotation import unaliased

_NEVER_CONTENT = frozenset({str, int, float, bool, dict, type(None)})
"""The types of most results, checked first because isinstance with an abstract class is expensive."""


def is_content(value: Any, *, declared: bool = False) -> bool:
    """Whether a value becomes content blocks: it is content, or a list or tuple that contains some.

    If content is `declared`, a list that contains only text does too, and so does an empty one.
    """
    if type(value) in _NEVER_CONTENT:
        return False
    if not isinstance(value, list | tuple):
        return isinstance(value, Content)
    return any(isinstance(item, Content) for item in value) or (
        declared and all(isinstance(item, str) for item in value)
    )


def content_blocks(value: Any, *, declared: bool = False) -> list[dict[str, Any]] | None:
    """The content blocks of a value that `is_content`; None for any other value.

    Raises ContentError for a list with content and items that are neither content nor text.
    """
    if not is_content(value, declared=declared):
        return None
    items = value if isinstance(value, list | tuple) else [value]
    return [_block(item, index) for index, item in enumerate(items)]


def declares_content(annotation: Any) -> bool:
    """Whether a return annotation includes content, alone, in a list or in a union."""
    return _declares_content(annotation, [])


def _declares_content(annotation: Any, aliases: list[Any]) -> bool:
    """`aliases`: that were looked into, as one may contain itself."""
    bare = unaliased(annotation)
    if bare is not annotation:
        if any(each is annotation for each in aliases):
            return False
        aliases.append(annotation)
    if isinstance(bare, type) and issubclass(bare, Content):
        return True
    return any(_declares_content(argument, aliases) for argument in typing.get_args(bare))


def _block(item: Any, index: int) -> dict[str, Any]:
    if isinstance(item, str):
        item = Text(item)
    if not isinstance(item, Content):
        raise ContentError(
            f"item {index} of the list is of type {type(item).__name__}: beside content only str and content can stand"
        )
    return item.block()
