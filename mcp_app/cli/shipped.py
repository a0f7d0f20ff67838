"""What comes with the package, where a command offers it: beside the definitions of files, and what is not offered.

Nothing is printed here, and whether it is offered is decided elsewhere.
"""

from __future__ import annotations

from mcp_app import Prompts, Registry, Resources
from mcp_app.app import builtin


def add(tools: Registry, resources: Resources, prompts: Prompts) -> None:
    """Add all of it behind what is there. Raises ToolDefinitionError for a name that is taken."""
    shipped = builtin()
    for tool in shipped.tools:
        tools.add(tool)
    for resource in shipped.resources:
        resources.add(resource)
    for prompt in shipped.prompts:
        prompts.add(prompt)


def not_offered() -> list[str]:
    """A line for each extra that is not installed: what is not offered for want of it, and how to have it."""
    missing = builtin().missing
    by_hint = {each.hint: [other.name for other in missing if other.hint == each.hint] for each in missing}
    return [f"not offered: {', '.join(names)} ({hint})" for hint, names in by_hint.items()]
