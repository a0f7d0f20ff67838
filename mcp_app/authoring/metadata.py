"""What tools, resources and prompts tell clients beside title and description: icons, `_meta` and tags.

Checked when it is defined. Which revision of MCP has which of them is not known here.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic_core import from_json

from ..protocol.errors import ToolDefinitionError
from ..protocol.event import encode
from ..protocol.mcp.icons import SIZE, THEMES, checked_src, checked_type
from ..protocol.mcp.meta_key import key_problem
from .content_data import bytes_and_type
from .source import check_sendable

T = TypeVar("T")

MAX_ICON_CHARS = 128 * 1024
"""Of an icon's address. Its bytes would be sent with each list, to clients that show it with some 100 pixels a side."""


@dataclass(frozen=True, slots=True)
class Icon:
    """An icon that clients may show: its http(s) URL, a `data:` URI, or the path of a file, which becomes one.

    mime_type: where the type that the URL is served with is missing or generic.
    sizes: such as "48x48", or "any" for an image that scales. theme: the background it is for, "light" or "dark".

    Raises ToolDefinitionError; OSError if the file cannot be read.
    """

    src: str | os.PathLike[str] = field(repr=False)
    mime_type: str | None = None
    sizes: Sequence[str] = ()
    theme: Literal["light", "dark"] | None = None

    def __post_init__(self) -> None:
        try:
            if isinstance(self.src, os.PathLike):
                data, kind = bytes_and_type(self.src, self.mime_type)
                object.__setattr__(self, "mime_type", kind)
                object.__setattr__(self, "src", f"data:{kind};base64,{base64.b64encode(data).decode()}")
            if self.mime_type is not None:
                checked_type(self.mime_type)
            checked_src(str(self.src))
        except (TypeError, ValueError) as error:
            raise ToolDefinitionError(f"An icon: {error}.") from error
        if len(str(self.src)) > MAX_ICON_CHARS:
            raise ToolDefinitionError(f"An icon of more than {MAX_ICON_CHARS} characters: give its URL.")
        sizes = _items(self.sizes, str)
        if sizes is None or not all(re.match(SIZE, each) for each in sizes):
            raise ToolDefinitionError(f'An icon: sizes are a list such as ["48x48"] or ["any"], not {self.sizes!r}.')
        object.__setattr__(self, "sizes", sizes)
        if self.theme is not None and self.theme not in THEMES:
            raise ToolDefinitionError(f'An icon: the theme is "light" or "dark", not {self.theme!r}.')

    def wire(self) -> dict[str, Any]:
        """As MCP has it."""
        fields = {"src": self.src, "mimeType": self.mime_type, "sizes": list(self.sizes) or None, "theme": self.theme}
        return {name: value for name, value in fields.items() if value is not None}


class Metadata(NamedTuple):
    """Icons, the members of `_meta`, and tags, in their order."""

    icons: tuple[Icon, ...] = ()
    meta: Mapping[str, Any] = MappingProxyType({})
    tags: tuple[str, ...] = ()

    def wire(self, namespace: str, scopes: Set[str] = frozenset()) -> dict[str, Any]:
        """The members `icons` and `_meta` of a list's entry. MCP has no tags there, nor the scopes that are needed:
        they are members of `_meta`, below `namespace`, the prefix of our own keys."""
        listed: dict[str, Any] = {"icons": [icon.wire() for icon in self.icons]} if self.icons else {}
        own = {"tags": list(self.tags), "scopes": sorted(scopes)}
        meta = {**{f"{namespace}{name}": values for name, values in own.items() if values}, **self.meta}
        return {**listed, "_meta": meta} if meta else listed

    @classmethod
    def of(cls, where: str, icons: Iterable[Icon], meta: Mapping[str, Any] | None, tags: Iterable[str]) -> Metadata:
        """From the options of a decorator; `where` names the definition. Raises ToolDefinitionError."""
        if (found := _items(icons, Icon)) is None:
            raise ToolDefinitionError(
                f'{where}: icons is a list of Icon, as in [Icon("https://example.com/icon.png")].'
            )
        return cls(found, _meta(where, {} if meta is None else meta), _tags(where, tags))


def _items(given: Any, kind: type[T]) -> tuple[T, ...] | None:
    """The items of `given`, those of a set in the alphabet's order; None if that is no list of `kind`."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return None
    items = tuple(given)
    if not all(isinstance(item, kind) for item in items):
        return None
    return tuple(sorted(items, key=str)) if isinstance(given, Set) else items


def _meta(where: str, given: Any) -> Mapping[str, Any]:
    """A copy, so that later changes have no effect."""
    if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
        raise ToolDefinitionError(f'{where}: meta is a dict, as in {{"com.example/unit": "°C"}}.')
    for key in given:
        if (problem := key_problem(key)) is not None:
            raise ToolDefinitionError(f"{where}: the key {key!r} of meta is none of _meta: expected {problem}.")
    check_sendable(where, {"meta": given})
    return MappingProxyType(from_json(encode(given)))


def _tags(where: str, given: Any) -> tuple[str, ...]:
    """Each once."""
    tags = _items(given, str)
    if tags is None or not all(tag.strip() for tag in tags):
        raise ToolDefinitionError(f'{where}: tags is a list of words, as in ["weather"], not {given!r}.')
    check_sendable(where, {"tags": tags})
    return tuple(dict.fromkeys(tags))
