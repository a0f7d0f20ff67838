"""Run long-running tools and stream their events live.

The public names, and nothing else. Each is imported at its first use (PEP 562): `mcp-app call` needs none of them, only
`create_app` imports Quart and Hypercorn, and a file of tools needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import outgoing
    from .app import create_app
    from .asking import Declined, MissingCapability, NoAnswer, Root, Sample, Titled, Visit, Visits
    from .auth.verifier import Verifier
    from .authoring.around import Around, Call, Proceed, around
    from .authoring.completion import complete
    from .authoring.content import Annotations, Audio, EmbeddedResource, File, Image, ResourceLink, Text
    from .authoring.context import Context
    from .authoring.dependencies import Depends, Shared, override
    from .authoring.metadata import Icon
    from .authoring.prompt import Message, Prompt, Prompts, prompt
    from .authoring.resource import Resource, Resources, UnknownResource
    from .authoring.resource_decorator import resource
    from .authoring.result import Result
    from .authoring.tool import Registry, Tool
    from .authoring.tool_decorator import tool
    from .config.environment import FromEnvironment
    from .config.settings import Settings
    from .mounting import asgi_app, blueprint
    from .protocol import errors
    from .protocol.access import Access
    from .protocol.errors import ToolDefinitionError, ToolError
    from .web.messages import Request

__all__ = [
    "Access",
    "Annotations",
    "Around",
    "Audio",
    "Call",
    "Context",
    "Declined",
    "Depends",
    "EmbeddedResource",
    "File",
    "FromEnvironment",
    "Icon",
    "Image",
    "Message",
    "MissingCapability",
    "NoAnswer",
    "Proceed",
    "Prompt",
    "Prompts",
    "Registry",
    "Request",
    "Resource",
    "ResourceLink",
    "Resources",
    "Result",
    "Root",
    "Sample",
    "Settings",
    "Shared",
    "Text",
    "Titled",
    "Tool",
    "ToolDefinitionError",
    "ToolError",
    "UnknownResource",
    "Verifier",
    "Visit",
    "Visits",
    "around",
    "asgi_app",
    "blueprint",
    "complete",
    "create_app",
    "errors",
    "outgoing",
    "override",
    "prompt",
    "resource",
    "tool",
]


_MODULES = {
    "asking": ("Declined", "MissingCapability", "NoAnswer", "Root", "Sample", "Titled", "Visit", "Visits"),
    "authoring.around": ("Around", "Call", "Proceed", "around"),
    "authoring.completion": ("complete",),
    "authoring.content": ("Annotations", "Audio", "EmbeddedResource", "File", "Image", "ResourceLink", "Text"),
    "authoring.context": ("Context",),
    "authoring.dependencies": ("Depends", "Shared", "override"),
    "config.environment": ("FromEnvironment",),
    "authoring.prompt": ("Message", "Prompt", "Prompts", "prompt"),
    "protocol": ("errors",),
    "protocol.access": ("Access",),
    "protocol.errors": ("ToolDefinitionError", "ToolError"),
    "authoring.resource": ("Resource", "Resources", "UnknownResource"),
    "authoring.resource_decorator": ("resource",),
    "config.settings": ("Settings",),
    "authoring.result": ("Result",),
    "authoring.metadata": ("Icon",),
    "authoring.tool": ("Registry", "Tool"),
    "authoring.tool_decorator": ("tool",),
    "app": ("create_app",),
    "auth.verifier": ("Verifier",),
    "web.messages": ("Request",),
    "mounting": ("asgi_app", "blueprint"),
}
"""Module -> its public names; the same as the imports above, which are for type checkers."""


def __getattr__(name: str) -> Any:
    """Import a public name at its first use, and cache it."""
    if name == "outgoing":
        return __import__(f"{__name__}.{name}", fromlist=[name])
    for module, names in _MODULES.items():
        if name in names:
            # Like `from .module import name`, which also finds a submodule of that name.
            value = globals()[name] = getattr(__import__(f"{__name__}.{module}", fromlist=[name]), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All public names, including those not imported yet."""
    return sorted({*globals(), *__all__})
