"""Finds a tool by its name in the module that made it, as a process does that is to work for it.

Nothing is imported and nothing is run here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from ..protocol.errors import ToolDefinitionError
from .catalogue import Catalogue
from .tool import Tool


def found(module: str, name: str) -> Tool | None:
    """The tool for a process that the imported module has by a name, or in a list, a tuple, a dict or a Registry."""
    imported = sys.modules.get(module)
    placed = () if imported is None else (each for each in _tools(imported) if each.origin is not None)
    return next((each for each in placed if each.name == name), None)


def check_findable(tools: Iterable[Tool]) -> None:
    """Once all modules are imported. Raises ToolDefinitionError for a tool that a process could not find."""
    for tool in tools:
        if tool.origin is not None and found(tool.origin.module, tool.name) is not tool:
            raise ToolDefinitionError(
                f"{tool.where}: a process does not find the tool {tool.name} in {tool.origin.module} "
                f"({tool.origin.file}), in which it is made. Give it a name there, as @tool does; or put it in a "
                "list or a Registry that has one."
            )


def _tools(module: object) -> Iterator[Tool]:
    for value in list(vars(module).values()):
        inner: Iterable[object] = [value]
        if isinstance(value, list | tuple | Catalogue):
            inner = value
        elif isinstance(value, dict):
            inner = value.values()
        for each in list(inner):
            if isinstance(each, Tool):
                yield each
