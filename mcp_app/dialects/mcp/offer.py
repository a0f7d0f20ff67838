"""The tools, resources and prompts that the server offers to MCP clients, and the list methods.

Lists are in order of definition, which is the same in every process (2026-07-28, Pagination). No tool is run here, and
no request is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from ...authoring.prompt import Prompts
from ...authoring.resource import Resources
from ...authoring.tool import Registry, Tool
from ...manifest import Manifest, tool_entry
from ...protocol.mcp.pagination import paginate
from ...protocol.mcp.revisions import Structure, Wire
from .completion import Completions

PAGE_SIZE = 100
"""Items on one page of a list: as many as most servers have in total, and about 100 KiB at most."""

LIST_TTL_MS = 60_000
"""How long a client may cache a list. Lists change with a deployment, and subscribers of `subscriptions/listen` are
notified of other changes; for all others a minute is an acceptable delay."""


@dataclass(frozen=True)
class Offer:
    """Tools, resources and prompts of one server, and its identity."""

    manifest: Manifest
    tools: Registry
    completions: Completions
    resources: Resources = field(default_factory=Resources)
    prompts: Prompts = field(default_factory=Prompts)

    @cached_property
    def namespace(self) -> str:
        """The prefix of our own `_meta` keys: that of the key in mcp.json."""
        return self.manifest.meta_key.rpartition("/")[0] + "/"

    @cached_property
    def server_info(self) -> dict[str, Any]:
        """`Implementation`: name, version and title from the manifest."""
        card = self.manifest.card
        info = {"name": card.name, "version": card.version}
        return info if card.title is None else {**info, "title": card.title}

    @property
    def capabilities(self) -> dict[str, Any]:
        """The server's capabilities in every revision, without extensions.

        Resources and prompts are declared even if there are none: some may be added later, and clients that are
        connected by then would not look for them.
        """
        return {
            "tools": {"listChanged": True},
            "resources": {"listChanged": True, "subscribe": True},
            "prompts": {"listChanged": True},
            "completions": {},
            "logging": {},
        }

    def page(self, method: str, params: Mapping[str, Any], wire: Wire) -> dict[str, Any]:
        """The requested page of a list; `method` is a key of `LISTS`. Raises InvalidCursor."""
        member, of, items = LISTS[method]
        page = paginate(items(self), lambda each: each.key, of=of, size=PAGE_SIZE, cursor=params.get("cursor"))
        entries = [tool_as_listed(each, wire) if isinstance(each, Tool) else each.wire() for each in page.items]
        return {member: entries} if page.next_cursor is None else {member: entries, "nextCursor": page.next_cursor}

    async def complete(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Suggested values for one argument of a prompt or resource template (Completion)."""
        reference, argument = params["ref"], params["argument"]
        if reference["type"] == "ref/prompt":
            signature = self.prompts.get(reference["name"]).signature
        else:
            signature = self.resources.template(reference["uri"]).signature
        context = (params.get("context") or {}).get("arguments") or {}
        completed = await self.completions.complete(signature, argument["name"], argument["value"], context)
        return {"completion": completed}


class _List(NamedTuple):
    """`member`: the member of the result. `of`: the name of the list in its cursors."""

    member: str
    of: str
    items: Callable[[Offer], Sequence[Any]]


LISTS: Mapping[str, _List] = {
    "tools/list": _List("tools", "tools", lambda offer: list(offer.tools)),
    "resources/list": _List("resources", "resources", lambda offer: offer.resources.listed()),
    "resources/templates/list": _List("resourceTemplates", "templates", lambda offer: offer.resources.templates()),
    "prompts/list": _List("prompts", "prompts", lambda offer: list(offer.prompts)),
}
"""The list methods, the same in every revision."""


def tool_as_listed(tool: Tool, wire: Wire) -> dict[str, Any]:
    """The tool as a `Tool` object of tools/list."""
    entry = tool_entry(tool)
    structure = wire.structure(tool.structure)
    if structure is Structure.ABSENT:
        entry.pop("outputSchema", None)
    elif structure is Structure.WRAPPED:
        entry["outputSchema"] = _wrapped(entry["outputSchema"])
    return entry


def _wrapped(schema: Mapping[str, Any]) -> dict[str, Any]:
    inner = {name: value for name, value in schema.items() if name != "$defs"}
    wrapped = {"type": "object", "properties": {"result": inner}, "required": ["result"]}
    return {"$defs": schema["$defs"], **wrapped} if "$defs" in schema else wrapped
