"""MCP's list methods: the entries of tools, resources and prompts as each revision has them, page by page.

Lists are in order of definition, which is the same in every process (2026-07-28, Pagination), and each caller gets
those entries that it is shown. Nothing is run or read here, and no request is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from ...authoring.catalogue import Catalogue
from ...authoring.prompt import Prompts
from ...authoring.resource import Resources
from ...authoring.tool import Registry, Tool
from ...manifest import tool_entry
from ...protocol.access import ANONYMOUS, Access
from ...protocol.event import encode
from ...protocol.mcp.pagination import paginate
from ...protocol.mcp.revisions import Structure, Wire

PAGE_BYTES = 1024 * 1024 - 16 * 1024
"""The entries of one page. Most clients read one page only, so it takes all that a client can receive: the official
SDK's take events of 1 MiB, of which 16 KiB are left for what is around the entries."""

LISTS = ("tools/list", "resources/list", "resources/templates/list", "prompts/list")
"""The list methods, the same in every revision."""


class _List(NamedTuple):
    """`member`: the member of the result. `of`: the name of the list in its cursors."""

    member: str
    of: str
    catalogue: Catalogue[Any]
    items: Callable[[], Iterable[Any]]


class _Listed(NamedTuple):
    """An item as it is listed. `size`: its bytes, with the comma behind it. `scopes`: who lacks one, and cannot get it,
    is not shown the item."""

    key: str
    content: dict[str, Any]
    size: int
    scopes: frozenset[str]


class _Entries(NamedTuple):
    """`version`: of the catalogue that they were made of. `alike`: whether all callers are shown all of them."""

    version: int
    listed: list[_Listed]
    alike: bool


class Lists:
    """The lists of one server."""

    def __init__(self, tools: Registry, resources: Resources, prompts: Prompts, namespace: str) -> None:
        """`namespace`: the prefix of our own keys in `_meta`."""
        self._namespace = namespace
        self._kinds = {
            "tools/list": _List("tools", "tools", tools, tools.__iter__),
            "resources/list": _List("resources", "resources", resources, partial(resources.listed, ANONYMOUS)),
            "resources/templates/list": _List(
                "resourceTemplates", "templates", resources, partial(resources.templates, ANONYMOUS)
            ),
            "prompts/list": _List("prompts", "prompts", prompts, prompts.__iter__),
        }
        self._listed: dict[tuple[str, Wire], _Entries] = {}

    def page(self, method: str, cursor: str | None, wire: Wire, access: Access) -> dict[str, Any]:
        """The result of the list method for this caller: the page after `cursor`, or the first without one. Raises
        InvalidCursor."""
        kind, entries = self._kinds[method], self._entries(method, wire)
        listed = entries.listed
        if not entries.alike:
            listed = [each for each in listed if access.sees(each.scopes)]
        page = paginate(listed, _KEY, _SIZE, of=kind.of, limit=PAGE_BYTES, cursor=cursor)
        result: dict[str, Any] = {kind.member: [entry.content for entry in page.items]}
        return result if page.next_cursor is None else {**result, "nextCursor": page.next_cursor}

    def _entries(self, method: str, wire: Wire) -> _Entries:
        """Of all callers, without what is hidden. Kept until something changes: how large an entry is, is known only
        once it is encoded."""
        kind = self._kinds[method]
        version = kind.catalogue.version
        kept = self._listed.get((method, wire))
        if kept is not None and kept.version == version:
            return kept
        listed = [_entry(item, wire, self._namespace) for item in kind.items() if not item.hidden]
        entries = _Entries(version, listed, not any(each.scopes for each in listed))
        self._listed[method, wire] = entries
        return entries


_KEY, _SIZE = attrgetter("key"), attrgetter("size")


def _entry(item: Any, wire: Wire, namespace: str) -> _Listed:
    content = tool_as_listed(item, wire) if isinstance(item, Tool) else item.wire()
    more = item.metadata.wire(namespace, item.scopes)
    content |= {name: value for name, value in more.items() if name in wire.described_by}
    return _Listed(item.key, content, len(encode(content)) + 1, item.scopes)


def tool_as_listed(tool: Tool, wire: Wire) -> dict[str, Any]:
    """The tool as a `Tool` object of tools/list."""
    entry = tool_entry(tool)
    structure = wire.structure(tool.structure)
    if structure is Structure.ABSENT:
        entry.pop("outputSchema", None)
    elif structure is Structure.WRAPPED:
        entry["outputSchema"] = _wrapped(entry["outputSchema"])
    if "title" not in wire.described_by and tool.title:  # 2025-03-26 has it in the annotations only
        entry["annotations"] = {"title": tool.title, **entry["annotations"]}
    return entry


def _wrapped(schema: Mapping[str, Any]) -> dict[str, Any]:
    inner = {name: value for name, value in schema.items() if name != "$defs"}
    wrapped = {"type": "object", "properties": {"result": inner}, "required": ["result"]}
    return {"$defs": schema["$defs"], **wrapped} if "$defs" in schema else wrapped
