"""Run tools that take time and stream what happens, live.

The public names, and nothing else. Importing this imports neither Quart nor Hypercorn: a file of tools needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .asks import Declined, MissingCapability, NoAnswer, Root, Sample, Titled, Visit, Visits
from .completion import complete
from .content import Annotations, Audio, EmbeddedResource, File, Image, ResourceLink, Text
from .context import Context
from .environment import FromEnvironment
from .prompts import Message, Prompt, Prompts, prompt
from .protocol import errors
from .protocol.errors import ToolDefinitionError, ToolError
from .resources import Resource, Resources, UnknownResource, resource
from .settings import Settings
from .tools import Registry, Result, Tool, tool

if TYPE_CHECKING:
    from .web.app import create_app

__all__ = [
    "Annotations",
    "Audio",
    "Context",
    "Declined",
    "EmbeddedResource",
    "File",
    "FromEnvironment",
    "Image",
    "Message",
    "MissingCapability",
    "NoAnswer",
    "Prompt",
    "Prompts",
    "Registry",
    "Resource",
    "ResourceLink",
    "Resources",
    "Result",
    "Root",
    "Sample",
    "Settings",
    "Text",
    "Titled",
    "Tool",
    "ToolDefinitionError",
    "ToolError",
    "UnknownResource",
    "Visit",
    "Visits",
    "complete",
    "create_app",
    "errors",
    "prompt",
    "resource",
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
