"""The options of `@tool` that can be refused, and what follows from the schemas. No function is looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, get_args

from ..protocol.errors import ToolDefinitionError
from ..protocol.mcp import headers as mcp_headers
from ..protocol.mcp.headers import Mirror
from ..protocol.mcp.revisions import Structure
from ..protocol.plain import RESERVED

TaskUse = Literal["never", "may", "must"]

Interrupted = Literal["end", "restart"]
"""What becomes of a call whose process is gone."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)  # MCP's rule for tool names (2025-11-25, Tools)


def check_options(name: str, time_limit: float | None, task: TaskUse | None) -> None:
    """Raises ToolDefinitionError."""
    if not _NAME.fullmatch(name):
        raise ToolDefinitionError(f"{name!r} is no name for a tool: 1 to 128 characters of A-Z, a-z, 0-9, _, - and .")
    if time_limit is not None and not (isinstance(time_limit, int | float) and 0 < time_limit < float("inf")):
        raise ToolDefinitionError(f"{name}: time_limit is {time_limit!r}, not a positive number of seconds.")
    if task is not None and task not in get_args(TaskUse):
        raise ToolDefinitionError(f"{name}: task is {task!r}, not one of {', '.join(get_args(TaskUse))}.")


def restarts(name: str, interrupted: Interrupted, *, idempotent: bool) -> bool:
    """Whether a call of it begins again when its process is gone. Raises ToolDefinitionError."""
    if interrupted not in get_args(Interrupted):
        raise ToolDefinitionError(
            f"{name}: interrupted is {interrupted!r}, not one of {', '.join(get_args(Interrupted))}."
        )
    if interrupted == "restart" and not idempotent:
        raise ToolDefinitionError(
            f'{name}: interrupted="restart" is for a tool that may be called twice: the process that is gone may have '
            "done a part of its work. Say so with idempotent=True or read_only=True; else leave it out."
        )
    return interrupted == "restart"


def check_query(name: str, input_schema: Mapping[str, Any]) -> None:
    """Raises ToolDefinitionError for a parameter whose name means something else in the query of a GET."""
    if reserved := RESERVED & input_schema.get("properties", {}).keys():
        raise ToolDefinitionError(
            f"{name}: a read-only tool cannot have a parameter named {sorted(reserved)[0]}: "
            "that name has a meaning in the query of a GET. Rename it."
        )


def check_content(name: str, beside: Any) -> None:
    """Raises ToolDefinitionError for a type that is declared in one array with content, and cannot stand there."""
    if beside is not None:
        shown = "None" if beside is NoneType else getattr(beside, "__name__", beside)
        raise ToolDefinitionError(
            f"{name}: it declares {shown} in one list, or tuple, with content, beside which only content and str can "
            f"stand. Give it as text, as in `list[Image | str]`; or never both, as in `list[Image] | list[{shown}]`."
        )


def mirrors(name: str, input_schema: Mapping[str, Any]) -> tuple[Mirror, ...]:
    """The parameters that MCP clients repeat in header fields. Raises ToolDefinitionError."""
    try:
        return mcp_headers.mirrors(input_schema)
    except ToolDefinitionError as error:
        raise ToolDefinitionError(f"{name}: {error}") from error


def structure(output_schema: Mapping[str, Any] | None) -> Structure:
    """How results are structured where MCP requires objects."""
    if output_schema is None:
        return Structure.ABSENT
    return Structure.BARE if output_schema.get("type") == "object" else Structure.WRAPPED
