"""`create_app`: the only place where the parts meet."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from quart import Quart

from .authoring.prompt import Prompt, Prompts
from .authoring.resource import Resource, Resources
from .authoring.tool import Registry, Tool
from .config.retired import retired
from .config.settings import Settings
from .endpoint import Endpoint
from .eventlog.memory import MemoryLog
from .manifest import Manifest, load_manifest
from .routes import table
from .runs import Runs
from .web.messages import Respond
from .web.quart.application import Application
from .web.quart.lane import LaneApplication

logger = logging.getLogger("mcp_app")

DRAIN_SECONDS = 4.0
"""For tools to clean up when the server stops, while it still answers: less than hypercorn.toml's shutdown_timeout,
more than a last commit. Our own server waits as long for them (server/engine/draining.py)."""


@dataclass(slots=True)
class Server:
    """What an application is made of; `app.extensions["mcp_app"]`. `endpoint` is there while the app is served."""

    settings: Settings
    registry: Registry
    manifest: Manifest
    resources: Resources
    prompts: Prompts
    endpoint: Endpoint | None = None


def create_app(
    settings: Settings | None = None,
    tools: Iterable[Tool] | None = None,
    *,
    resources: Iterable[Resource] = (),
    prompts: Iterable[Prompt] = (),
    manifest: Manifest | Path | None = None,
    lane: bool = True,
) -> Quart:
    """The application, to be served by Hypercorn.

    settings: from the environment by default.
    tools: what it offers; the built-in tools by default.
    resources, prompts: what MCP clients can read and ask for besides.
        A Registry, Resources or Prompts is served as it is, so that what is added or removed later is seen.
    manifest: mcp.json, or where it is; the working directory's by default, else the one that comes with the package.
    lane: whether requests for our paths go past Quart, for about half of the cost. An application that takes the lane
        refuses what Quart would run for them (functions before and after a request, error handlers, signal receivers,
        sessions, ...): RuntimeError, where it is added or at the start. Without the lane every hook of Quart's runs.

    Nothing outside of it is changed. Raises ToolDefinitionError, ManifestError, and pydantic's ValidationError for
    settings.
    """
    settings = settings or Settings()
    tools = builtin_tools() if tools is None else tools
    server = Server(
        settings,
        tools if isinstance(tools, Registry) else Registry(tools),
        manifest if isinstance(manifest, Manifest) else load_manifest(manifest),
        resources if isinstance(resources, Resources) else Resources(resources),
        prompts if isinstance(prompts, Prompts) else Prompts(prompts),
    )
    app = (LaneApplication if lane else Application)(table(server.manifest), _running(server))
    app.extensions["mcp_app"] = server
    lifespan = _Lifespan(app, server)
    app.before_serving(lifespan.start)
    app.after_serving(lifespan.stop)
    return app


class _Lifespan:
    """Begins and ends with the process's serving: what needs the loop is made here."""

    def __init__(self, app: Application, server: Server) -> None:
        self._app = app
        self._server = server
        self._draining: asyncio.Task[None] | None = None
        self._drained_by = 0.0
        self._forget: Callable[[], None] = lambda: None

    async def start(self) -> None:
        for each in retired(os.environ):
            logger.warning("%s", each)
        log = MemoryLog()
        server = self._server
        runs = Runs(server.settings, log)
        server.endpoint = Endpoint(
            server.settings, server.registry, server.manifest, runs, log, server.resources, server.prompts
        )
        self._draining = None
        if self._app.on_draining is not None:
            self._forget = self._app.on_draining(self._drain)

    async def stop(self) -> None:
        self._drain()
        self._forget()
        assert self._draining is not None  # noqa: S101 - set by the line above
        left = self._drained_by - asyncio.get_running_loop().time()
        _, late = await asyncio.wait({self._draining}, timeout=max(0.0, left))
        if late:
            self._draining.cancel()
            logger.warning("some tools did not clean up within %g seconds", DRAIN_SECONDS)
        if self._server.endpoint is not None:
            self._server.endpoint.runs.close()

    def _drain(self) -> asyncio.Task[None] | None:
        """Called at once when the server is told to stop; while this lasts it still answers, "not ready" to whoever
        asks and 503 to a new call."""
        if self._draining is None and self._server.endpoint is not None:
            self._drained_by = asyncio.get_running_loop().time() + DRAIN_SECONDS
            self._draining = asyncio.create_task(self._server.endpoint.drain(), name="drain")
        return self._draining


def _running(server: Server) -> Callable[[], Respond]:
    def respond() -> Respond:
        if server.endpoint is None:
            raise RuntimeError("the app is not being served: its lifespan has not started")
        return server.endpoint.answer

    return respond


def builtin_tools() -> Iterable[Tool]:
    """The tools that come with the package."""
    from .builtin import TOOLS

    return TOOLS
