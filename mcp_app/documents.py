"""Routes that only serve documents: the discovery documents, the page, the list of tools, health and metrics.

The content of the documents is generated elsewhere (mcp_app/manifest, web/pages). No tool is run here.
"""

from __future__ import annotations

from typing import Any

from . import manifest as discovery
from .authoring.prompt import Prompts
from .authoring.resource import Resources
from .authoring.tool import Registry, Tool
from .config.settings import Settings
from .protocol.event import encode
from .protocol.http.conditional import matches
from .protocol.mcp.revisions import REVISIONS
from .runs import Runs
from .web import metrics, pages
from .web.links import Links
from .web.messages import ANONYMOUS, Answer, Request, json_answer

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
        numbers: metrics.Metrics,
    ) -> None:
        self._settings = settings
        self._links = links
        self._manifest = manifest
        self._tools = tools
        self._resources = resources
        self._prompts = prompts
        self._instructions = instructions
        self._runs = runs
        self._metrics = numbers
        self._cached: dict[tuple[str, bool], dict[str, discovery.Document]] = {}
        self._documented: tuple[int, ...] = ()

    async def document(self, request: Request) -> Answer:
        """A discovery document: the manifest at one of its paths."""
        # What is shown to who has signed in is not for a cache that others share (RFC 9111, 3.5).
        shared = self._settings.public_url is not None and request.principal == ANONYMOUS
        document = self._documents_for(self._links.base(request), shared)[request.path]
        return Answer(*document.answer(request.headers.get("if-none-match")))

    async def page(self, request: Request) -> Answer:
        """The demo page, or one of its files."""
        page = pages.pages()[request.path]
        headers = (*pages.HEADERS, ("etag", page.etag))
        if matches(page.etag, request.headers.get("if-none-match")):
            return Answer(304, headers)
        return Answer(200, (("content-type", page.content_type), *headers), page.body)

    async def tools(self, _: Request) -> Answer:
        """All tools with their schemas, in the order of registration."""
        return json_answer(200, encode(tool_list(self._tools)))

    async def healthz(self, _: Request) -> Answer:
        """Liveness: the process answers. Nothing else is checked."""
        return json_answer(200, b'{"status":"ok"}')

    async def readyz(self, _: Request) -> Answer:
        """Readiness: whether new runs are accepted."""
        if self._runs.draining:
            return json_answer(503, b'{"status":"draining"}')
        return json_answer(200, b'{"status":"ready"}')

    async def metrics(self, _: Request) -> Answer:
        """The metrics in Prometheus' text format."""
        headers = (("Content-Type", metrics.CONTENT_TYPE), ("Cache-Control", "no-store"))
        return Answer(200, headers, self._metrics.text(self._runs))

    def _documents_for(self, base: str, shared: bool) -> dict[str, discovery.Document]:
        documented = (self._tools.version, self._resources.version, self._prompts.version)
        if documented != self._documented:  # what is offered may be added and removed
            self._cached.clear()
            self._documented = documented
        if (base, shared) not in self._cached:
            if len(self._cached) >= _MAX_BASES:
                self._cached.clear()
            live = discovery.LiveServer(
                tools=list(self._tools),
                heartbeat_seconds=self._settings.heartbeat_seconds,
                cap_seconds=self._settings.cap_seconds,
                revisions=REVISIONS,
                resources=self._resources.listed(),
                templates=self._resources.templates(),
                prompts=list(self._prompts),
                instructions=self._instructions,
            )
            documents = discovery.documents_of(self._manifest, live, base_url=base, cacheable=shared)
            self._cached[base, shared] = {document.path: document for document in documents}
        return self._cached[base, shared]


def tool_list(registry: Registry) -> dict[str, Any]:
    """What the tools route answers."""
    return {"tools": [_tool_object(tool) for tool in registry]}


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
    }
    fields |= {name: value for name, value in more.items() if value}
    if tool.time_limit is not None:
        fields["time_limit_seconds"] = tool.time_limit
    return fields
