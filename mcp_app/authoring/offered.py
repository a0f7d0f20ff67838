"""`ctx.tools`: the tools that a server offers, by name, for a tool that reads what others take and return.

It cannot be changed by this, and nothing is called here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .tool import Registry, Tool


class Offered(Mapping[str, Tool[..., Any]]):
    """The tools of a registry by their names, in the order of their addition; always as they are now."""

    __slots__ = ("_registry",)

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __getitem__(self, name: str) -> Tool[..., Any]:
        found = self._registry.find(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (tool.name for tool in self._registry)

    def __len__(self) -> int:
        return len(self._registry)
