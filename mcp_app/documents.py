"""What is read and never runs a tool: the manifest's doors, the page, the list of tools, health and metrics.

The documents' content is made elsewhere (mcp_app/manifest, web/pages); here they are answered to a request.
"""

from __future__ import annotations

from typing import Any

from . import manifest as discovery
from .authoring.tool import Registry, Tool
from .config.settings import Settings
from .protocol.event import encode
from .protocol.http.conditional import matches
from .protocol.mcp.revisions import REVISIONS
from .runs import Runs
from .web import metrics, pages
from .web.messages import Answer, Request, json_answer

_MAX_BASES = 16  # addresses of this machine that the server listens on; each keeps its own few documents


class Documents:
    """Answers GET for everything that is a document."""

    def __init__(
        self, settings: Settings, manifest: discovery.Manifest, registry: Registry, runs: Runs, numbers: metrics.Metrics
    ) -> None:
        self._settings = settings
        self._manifest = manifest
        self._registry = registry
        self._runs = runs
        self._metrics = numbers
        self._doors: dict[str, dict[str, discovery.Door]] = {}
        self._described: tuple[Tool, ...] = ()

    async def door(self, request: Request) -> Answer:
        """The manifest, by one of its names."""
        door = self._doors_for(self._base(request))[request.path]
        return Answer(*door.answer(request.headers.get("if-none-match")))

    async def page(self, request: Request) -> Answer:
        """The demo page, or one of its files."""
        page = pages.pages()[request.path]
        headers = (*pages.HEADERS, ("etag", page.etag))
        if matches(page.etag, request.headers.get("if-none-match")):
            return Answer(304, headers)
        return Answer(200, (("content-type", page.content_type), *headers), page.body)

    async def tools(self, _: Request) -> Answer:
        """Every tool with its schemas, in the order in which they were registered."""
        return json_answer(200, encode({"tools": [_shown(tool) for tool in self._registry]}))

    async def healthz(self, _: Request) -> Answer:
        """The process answers: nothing else is asked."""
        return json_answer(200, b'{"status":"ok"}')

    async def readyz(self, _: Request) -> Answer:
        """Whether new runs are taken."""
        if self._runs.draining:
            return json_answer(503, b'{"status":"draining"}')
        return json_answer(200, b'{"status":"ready"}')

    async def metrics(self, _: Request) -> Answer:
        """Prometheus."""
        headers = (("Content-Type", metrics.CONTENT_TYPE), ("Cache-Control", "no-store"))
        return Answer(200, headers, self._metrics.text(self._runs))

    def _base(self, request: Request) -> str:
        """From the setting, else from the address that the connection was made to; never from what a peer says."""
        if self._settings.public_url is not None:
            return str(self._settings.public_url)
        host, port = request.server
        netloc = f"[{host}]" if ":" in host else host
        return f"{request.scheme}://{netloc}:{port}" if port else f"{request.scheme}://{netloc}"

    def _doors_for(self, base: str) -> dict[str, discovery.Door]:
        tools = tuple(self._registry)
        if tools != self._described:  # they may come and go
            self._doors.clear()
            self._described = tools
        if base not in self._doors:
            if len(self._doors) >= _MAX_BASES:
                self._doors.clear()
            live = discovery.LiveServer(
                tools=tools,
                heartbeat_seconds=self._settings.heartbeat_seconds,
                cap_seconds=self._settings.cap_seconds,
                revisions=REVISIONS,
            )
            public = self._settings.public_url is not None
            made = discovery.doors(self._manifest, live, base_url=base, cacheable=public)
            self._doors[base] = {door.path: door for door in made}
        return self._doors[base]


def _shown(tool: Tool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "input_schema": dict(tool.input_schema),
        "output_schema": None if tool.output_schema is None else dict(tool.output_schema),
        "read_only": tool.read_only,
        "destructive": tool.destructive,
        "idempotent": tool.idempotent,
    }
    if tool.time_limit is not None:
        shown["time_limit_seconds"] = tool.time_limit
    return shown
