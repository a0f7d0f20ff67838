"""What the server offers to MCP clients, and its lists: nothing here runs a tool or knows a request's revision.

A list's order is the order of definition, page by page, in every process alike (2026-07-28, Pagination).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...authoring.prompt import Prompts
from ...authoring.resource import Resources
from ...authoring.tool import Registry, Tool
from ...manifest import Manifest
from ...protocol.errors import InvalidParams
from ...protocol.mcp.exchange import Wire
from ...protocol.mcp.pagination import paginate
from ...runs.threads import Threads
from .completion import completion

PAGE_SIZE = 100
"""Things on one page of a list: what most servers have in all, and some 100 KiB at most."""

LIST_TTL_MS = 60_000
"""How long a client may keep a list without asking. Lists change with a deploy, and `subscriptions/listen` tells of
changes in between; a minute is short for whoever does not listen."""


@dataclass(frozen=True)
class Offer:
    """Tools, resources and prompts of one server, and who it is."""

    manifest: Manifest
    tools: Registry
    resources: Resources = field(default_factory=Resources)
    prompts: Prompts = field(default_factory=Prompts)

    @cached_property
    def namespace(self) -> str:
        """The prefix of our own `_meta` keys: that of mcp.json's own key."""
        return self.manifest.meta_key.rpartition("/")[0] + "/"

    @cached_property
    def server_info(self) -> dict[str, Any]:
        """`Implementation`: name and version as the manifest has them."""
        card = self.manifest.card
        info = {"name": card.name, "version": card.version}
        return info if card.title is None else {**info, "title": card.title}

    @property
    def capabilities(self) -> dict[str, Any]:
        """What is offered at all, in every revision; extensions are the era's own.

        Of resources and prompts too when there are none: they may come while clients are there, who would not look.
        """
        return {
            "tools": {"listChanged": True},
            "resources": {"listChanged": True, "subscribe": True},
            "prompts": {"listChanged": True},
            "completions": {},
            "logging": {},
        }

    def list_tools(self, params: Mapping[str, Any], wire: Wire) -> dict[str, Any]:
        page = paginate(list(self.tools), lambda each: each.name, of="tools", size=PAGE_SIZE, cursor=_cursor(params))
        return _paged("tools", [shown(each, wire) for each in page.items], page.next_cursor)

    def list_resources(self, params: Mapping[str, Any]) -> dict[str, Any]:
        items = self.resources.listed()
        page = paginate(items, lambda each: each.key, of="resources", size=PAGE_SIZE, cursor=_cursor(params))
        return _paged("resources", [each.wire() for each in page.items], page.next_cursor)

    def list_templates(self, params: Mapping[str, Any]) -> dict[str, Any]:
        items = self.resources.templates()
        page = paginate(items, lambda each: each.key, of="templates", size=PAGE_SIZE, cursor=_cursor(params))
        return _paged("resourceTemplates", [each.wire() for each in page.items], page.next_cursor)

    def list_prompts(self, params: Mapping[str, Any]) -> dict[str, Any]:
        items = list(self.prompts)
        page = paginate(items, lambda each: each.name, of="prompts", size=PAGE_SIZE, cursor=_cursor(params))
        return _paged("prompts", [each.wire() for each in page.items], page.next_cursor)

    async def complete(self, params: Mapping[str, Any], threads: Threads) -> dict[str, Any]:
        """Values for one argument of a prompt or of a resource template (Completion)."""
        reference, argument = params["ref"], params["argument"]
        if reference["type"] == "ref/prompt":
            signature = self.prompts.get(reference["name"]).signature
        else:
            signature = self.resources.template(reference["uri"]).signature
        if argument["name"] not in signature.attributes:
            raise InvalidParams(f"There is no argument named {argument['name'][:100]!r}.")
        chosen = (params.get("context") or {}).get("arguments") or {}
        return {"completion": await completion(signature, argument["name"], argument["value"], chosen, threads)}


def shown(tool: Tool, wire: Wire) -> dict[str, Any]:
    """The tool as tools/list has it."""
    listed: dict[str, Any] = {"name": tool.name, "title": tool.title, "description": tool.description}
    listed = {name: text for name, text in listed.items() if text}
    listed["inputSchema"] = dict(tool.input_schema)
    if tool.output_schema is not None and wire.structured:
        listed["outputSchema"] = _output(tool.output_schema, wire)
    hints = {"readOnlyHint": tool.read_only}
    if not tool.read_only:  # the other hints have no meaning for a tool that changes nothing (ToolAnnotations)
        hints |= {"destructiveHint": tool.destructive, "idempotentHint": tool.idempotent}
    listed["annotations"] = hints
    return listed


def _output(schema: Mapping[str, Any], wire: Wire) -> dict[str, Any]:
    """Up to 2025-11-25 an output schema is an object's: what is none is wrapped, and so is its value."""
    if wire.any_structure or schema.get("type") == "object":
        return dict(schema)
    inner = {name: value for name, value in schema.items() if name not in {"$schema", "$defs"}}
    wrapped = {"type": "object", "properties": {"result": inner}, "required": ["result"]}
    return {**{name: schema[name] for name in ("$schema", "$defs") if name in schema}, **wrapped}


def _cursor(params: Mapping[str, Any]) -> str | None:
    cursor: str | None = params.get("cursor")
    return cursor


def _paged(name: str, items: list[Any], cursor: str | None) -> dict[str, Any]:
    return {name: items} if cursor is None else {name: items, "nextCursor": cursor}
