"""Run tools that take time and stream what happens, live.

The public names, and nothing else. Importing this imports neither Quart nor Hypercorn: a file of tools needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .context import Context
from .protocol import errors
from .protocol.errors import ToolDefinitionError, ToolError
from .settings import Settings
from .tools import Registry, Result, Tool, tool

if TYPE_CHECKING:
    from .web.app import create_app

__all__ = [
    "Context",
    "Registry",
    "Result",
    "Settings",
    "Tool",
    "ToolDefinitionError",
    "ToolError",
    "create_app",
    "errors",
    "tool",
]


def __getattr__(name: str) -> Any:
    """`create_app` brings Quart and Hypercorn: imported when it is asked for (PEP 562)."""
    if name == "create_app":
        from .web.app import create_app

        return create_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """With `create_app`, for who looks around before it is imported."""
    return sorted({*globals(), *__all__})
