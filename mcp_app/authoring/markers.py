"""Finds `Shared` and `Depends` in an annotation, and tells who wrote them where they make nothing.

No maker is looked into.
"""

from __future__ import annotations

import inspect
import typing
from typing import Annotated, Any

from ..protocol.errors import ToolDefinitionError
from .dependencies import Depends, Marker, Shared
from .return_annotation import bare, unaliased

_NAMES = frozenset({"Shared", "Depends"})


def marker_of(annotation: Any, parameter: str, name: str) -> Marker | None:
    """What makes the value of the parameter; None if callers send it.

    Raises ToolDefinitionError for a marker that would not count, and for that of another package.
    """
    metadata = _metadata(annotation)
    for each in metadata:
        if (found := _misspelt(each)) is not None:
            raise ToolDefinitionError(f"{name}: the parameter {parameter} {found}")
    markers = [each for each in metadata if isinstance(each, Shared | Depends)]
    if len(markers) > 1:
        raise ToolDefinitionError(f"{name}: the parameter {parameter} is made by {len(markers)} makers. Write one.")
    if not markers and (inner := _inside(annotation, [])) is not None:
        raise ToolDefinitionError(
            f"{name}: the parameter {parameter} has its {type(inner).__name__} inside of its type, where it makes "
            f"nothing. Write Annotated[the whole type, {type(inner).__name__}(make)]."
        )
    return markers[0] if markers else None


def check_default(parameter: inspect.Parameter, name: str) -> None:
    """Raises ToolDefinitionError for a marker in the place of a default, as other packages have it."""
    default = parameter.default
    spelt = (default if _is_marker(default) else type(default)).__name__
    if spelt not in _NAMES and not isinstance(default, Shared | Depends):
        return
    raise ToolDefinitionError(
        f"{name}: the parameter {parameter.name} has {spelt} as its default, which a call in Python would get as its "
        f"value. Write `{parameter.name}: Annotated[the type, {spelt}(make)]`, with {spelt} from mcp_app."
    )


def _misspelt(each: Any) -> str | None:
    if _is_marker(each):
        return f"is annotated {each.__name__} without a maker. Write {each.__name__}(make)."
    other = type(each)
    if other.__name__ in _NAMES and not _is_marker(other):
        module = other.__module__.partition(".")[0]
        return f"has the {other.__name__} of {module}. Write `from mcp_app import {other.__name__}`."
    return None


def _is_marker(kind: Any) -> bool:
    """Whether it is the class of one. By identity: what an author wrote may not be comparable."""
    return kind is Shared or kind is Depends


def _metadata(annotation: Any) -> tuple[Any, ...]:
    """That of `Annotated`, whatever names stand between."""
    found: tuple[Any, ...] = ()
    annotation = unaliased(annotation)
    while typing.get_origin(annotation) is Annotated:
        found = (*annotation.__metadata__, *found)
        annotation = unaliased(typing.get_args(annotation)[0])
    return found


def _inside(annotation: Any, aliases: list[Any]) -> Marker | None:
    """`aliases` were looked into: what one stands for may contain itself."""
    inner = bare(annotation)
    if unaliased(annotation) is not annotation:
        alias = typing.get_origin(annotation) or annotation
        if any(each is alias for each in aliases):
            inner = annotation  # only its own arguments may be others
        aliases.append(alias)
    for each in typing.get_args(inner):
        markers = [found for found in _metadata(each) if isinstance(found, Shared | Depends)]
        if markers:
            return markers[0]
        if (found := _inside(each, aliases)) is not None:
            return found
    return None
