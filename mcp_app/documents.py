"""Routes that only serve documents: the discovery documents, the page, the list of tools, health and metrics.

The content of the documents is generated elsewhere (mcp_app/manifest, web/pages). No tool is run here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from . import manifest as discovery
from .authoring.permitted import is_shown
from .authoring.prompt import Prompts
from .authoring.resource import Resources
from .authoring.tool import Registry, Tool
from .config.settings import Settings
from .protocol.access import ANONYMOUS, Access
from .protocol.event import encode
from .protocol.http.conditional import matches
from .protocol.mcp.revisions import REVISIONS
from .runs import Runs
from .web import metrics, pages
from .web.links import Links
from .web.messages import NOT_A_PAGE, Answer, Request, json_answer
from .web.metrics_page import MetricsPage

_MAX_BASES = 16  # base URLs, one for each local address of the server, for which documents are cached


class Documents:
    """Answers GET for all documents."""

    def __init__(
        self,
        settings: Settings,
        links: Links,
        manifest: discovery.Manifest,
        tools: Registry,
        resources: Resources,
        prompts: Prompts,
        instructions: str | None,
        runs: Runs,
        numbers: MetricsPage,
        is_stopping: Callable[[], bool],
        *,
        asks: bool = False,
    ) -> None:
        """`is_stopping`: whether the server was ordered to stop; `asks`: whether callers are asked who they are."""
        self._settings = settings
        self._links = links
        self._manifest = manifest
        self._tools = tools
        self._resources = resources
        self._prompts = prompts
        self._instructions = instructions
        self._runs = runs
        self._metrics = numbers
        self._is_stopping = is_stopping
        self._asks = asks
        self._cached: dict[tuple[str, bool, frozenset[str] | None], dict[str, discovery.Document]] = {}
        self._documented: tuple[int, ...] = ()

    async def document(self, request: Request) -> Answer:
        """A discovery document: the manifest at one of its paths."""
        # What is shown to who has signed in is not for a cache that others share (RFC 9111, 3.5).
        shared = self._settings.public_url is not None and request.access.anonymous
        document = self._documents_for(self._links.base(request), shared, request.access)[request.path]
        status, headers, body = document.answer(request.headers.get("if-none-match"))
        return Answer(status, (*headers, NOT_A_PAGE), body)

    async def page(self, request: Request) -> Answer:
        """The demo page, or one of its files."""
        page = pages.pages()[request.path]
        headers = (*pages.HEADERS, ("etag", page.etag))
        if matches(page.etag, request.headers.get("if-none-match")):
            return Answer(304, headers)
        return Answer(200, (("content-type", page.content_type), *headers), page.body)

    async def tools(self, request: Request) -> Answer:
        """The tools that the caller is shown, with their schemas, in the order of registration."""
        return json_answer(200, encode(tool_list(self._tools, request.access)))

    async def healthz(self, _: Request) -> Answer:
        """Liveness: the process answers. Nothing else is checked."""
        return json_answer(200, b'{"status":"ok"}')

    async def readyz(self, _: Request) -> Answer:
        """Readiness: whether new runs are to be sent here."""
        if self._runs.draining or self._is_stopping():
            return json_answer(503, b'{"status":"draining"}')
        if self._runs.elsewhere is not None and not self._runs.elsewhere.present:
            return json_answer(503, b'{"status":"log_unavailable"}')
        return json_answer(200, b'{"status":"ready"}')

    async def metrics(self, request: Request) -> Answer:
        """The metrics in Prometheus' text format. Labels name no tool that the caller is not shown."""
        kind = (("Content-Type", metrics.CONTENT_TYPE), ("X-Content-Type-Options", "nosniff"))
        headers = (*kind, ("Cache-Control", "no-store"), NOT_A_PAGE)
        return Answer(200, headers, self._page_of(request.access))

    def _page_of(self, access: Access) -> bytes:
        return self._metrics.text(partial(self._names, access), named=access.scopes is None)

    def _names(self, access: Access, tool: str) -> bool:
        """Whether the caller is told of a tool of this name: of one that is not offered, who is told of everything."""
        found = self._tools.find(tool)
        return access.scopes is None if found is None else is_shown(found, access)

    def _seen(self, access: Access) -> frozenset[str] | None:
        """What of the caller's scopes decides what it is shown; None for who is shown everything."""
        if access.scopes is None or access.steps_up:
            return None
        items = (*self._tools, *self._resources, *self._prompts)
        return access.scopes & frozenset[str]().union(*(each.scopes for each in items))

    def _documents_for(self, base: str, shared: bool, access: Access) -> dict[str, discovery.Document]:
        documented = (self._tools.version, self._resources.version, self._prompts.version)
        if documented != self._documented:  # what is offered may be added and removed
            self._cached.clear()
            self._documented = documented
        key = base, shared, self._seen(access)
        if key not in self._cached:
            if len(self._cached) >= _MAX_BASES:
                self._cached.clear()
            live = discovery.LiveServer(
                tools=self._tools.shown(access),
                heartbeat_seconds=self._settings.heartbeat_seconds,
                cap_seconds=self._settings.cap_seconds,
                revisions=REVISIONS,
                resources=self._resources.listed(access),
                templates=self._resources.templates(access),
                prompts=self._prompts.shown(access),
                instructions=self._instructions,
                asks=self._asks,
                lets_in=self._settings.allow_anonymous,
            )
            documents = discovery.documents_of(self._manifest, live, base_url=base, cacheable=shared)
            self._cached[key] = {document.path: document for document in documents}
        return self._cached[key]


def tool_list(registry: Registry, access: Access = ANONYMOUS) -> dict[str, Any]:
    """What the tools route answers."""
    return {"tools": [_tool_object(tool) for tool in registry.shown(access)]}


def _tool_object(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "input_schema": dict(tool.input_schema),
        "output_schema": None if tool.output_schema is None else dict(tool.output_schema),
        "read_only": tool.read_only,
        "destructive": tool.destructive,
        "idempotent": tool.idempotent,
        "open_world": tool.open_world,
    }
    more = {
        "icons": [icon.wire() for icon in tool.metadata.icons],
        "tags": list(tool.metadata.tags),
        "meta": dict(tool.metadata.meta),
        "scopes": sorted(tool.scopes),
    }
    fields |= {name: value for name, value in more.items() if value}
    if tool.time_limit is not None:
        fields["time_limit_seconds"] = tool.time_limit
    return fields
