"""`ctx.tools`: the tools that a caller is shown, by name, for a tool that reads what others take and return.

It cannot be changed by this, and nothing is called here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..protocol.access import Access
from .permitted import is_shown
from .tool import Registry, Tool


class Offered(Mapping[str, Tool[..., Any]]):
    """The tools of a registry that the caller is shown, by their names, in the order of their addition; always as they
    are now."""

    __slots__ = ("_access", "_registry")

    def __init__(self, registry: Registry, access: Access) -> None:
        self._registry = registry
        self._access = access

    def __getitem__(self, name: str) -> Tool[..., Any]:
        found = self._registry.find(name)
        if found is None or not is_shown(found, self._access):
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (tool.name for tool in self._registry.shown(self._access))

    def __len__(self) -> int:
        return len(self._registry.shown(self._access))
