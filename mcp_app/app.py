"""`create_app`: creates the application from all of its parts. No request is answered here."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from quart import Quart

from .authoring.completion import plans
from .authoring.dependencies import Plan
from .authoring.lengths import cut_short
from .authoring.prompt import Prompt, Prompts
from .authoring.resource import Resource, Resources
from .authoring.source import check_sendable
from .authoring.tool import Registry, Tool
from .config.retired import retired
from .config.settings import Settings
from .config.unknown import unknown
from .endpoint import Endpoint
from .eventlog.memory import MemoryLog
from .manifest import Manifest, load_manifest
from .protocol.errors import InternalError, McpAppError
from .routes import table
from .runs import MakerFailed, Runs
from .web.messages import Answer, Request, Respond, error_answer
from .web.quart.application import Application
from .web.quart.lane import LaneApplication
from .web.quart.lifespan import NotStarted

logger = logging.getLogger("mcp_app")

DRAIN_SECONDS = 4.0
"""How long tools may take for cleanup when the server stops, while it still answers: less than hypercorn.toml's
shutdown_timeout, more than a last commit. Our own server waits as long for them (server/engine/draining.py)."""


@dataclass(slots=True)
class Server:
    """The parts of an application; `app.extensions["mcp_app"]`. `endpoint` is None unless the app is being served."""

    settings: Settings
    registry: Registry
    manifest: Manifest
    resources: Resources
    prompts: Prompts
    instructions: str | None = None
    endpoint: Endpoint | None = None

    @property
    def started(self) -> Endpoint:
        """The endpoint, of an application that has been started."""
        assert self.endpoint is not None  # noqa: S101 - set by the startup
        return self.endpoint

    def cut_by_clients(self) -> list[str]:
        """A line that names the texts for models that some clients cut; none if there are no such texts."""
        texts = {"instructions": self.instructions or ""}
        for noun, items in (("tool", self.registry), ("resource", self.resources), ("prompt", self.prompts)):
            texts |= {f"{noun} {item.name}": item.description for item in items}
        return cut_short(texts)

    def plans(self) -> Iterator[Plan]:
        """What is made for the functions that are offered."""
        for item in (*self.registry, *self.resources, *self.prompts):
            yield from plans(item.signature)


def create_app(
    settings: Settings | None = None,
    tools: Iterable[Tool] | None = None,
    *,
    resources: Iterable[Resource] = (),
    prompts: Iterable[Prompt] = (),
    manifest: Manifest | Path | None = None,
    instructions: str | None = None,
    lane: bool = True,
) -> Quart:
    """Create the application, to be served by Hypercorn.

    settings: by default from the environment.
    tools: the tools that are served; by default the built-in ones.
    resources, prompts: for MCP clients.
        A Registry, Resources or Prompts is not copied: later additions and removals take effect.
    manifest: mcp.json or its path; by default that in the working directory, else the one that comes with the package.
    instructions: what the models that use the server are told of it as a whole; by default those in mcp.json.
    lane: whether requests for our paths bypass Quart, for about half of the cost. An application with the lane refuses
        what Quart would run for these requests (functions before and after a request, error handlers, signal receivers,
        sessions, ...): RuntimeError, when it is added or at the start. Without the lane all of Quart's hooks run.

    Changes nothing outside of the application. Raises ToolDefinitionError, ManifestError, and pydantic's
    ValidationError for settings.
    """
    settings = settings or Settings()
    tools = builtin_tools() if tools is None else tools
    manifest = manifest if isinstance(manifest, Manifest) else load_manifest(manifest)
    check_sendable("create_app", {"instructions": instructions})
    server = Server(
        settings,
        tools if isinstance(tools, Registry) else Registry(tools),
        manifest,
        resources if isinstance(resources, Resources) else Resources(resources),
        prompts if isinstance(prompts, Prompts) else Prompts(prompts),
        manifest.card.instructions if instructions is None else instructions or None,
    )
    app = (LaneApplication if lane else Application)(table(server.manifest), _respond(server))
    app.extensions["mcp_app"] = server
    lifespan = _Lifespan(app, server)
    app.before_serving(lifespan.start)
    app.after_serving(lifespan.stop)
    app.at_the_end = lifespan.close
    return app


class _Lifespan:
    """Startup and shutdown of the application: creates what needs the event loop."""

    def __init__(self, app: Application, server: Server) -> None:
        self._app = app
        self._server = server
        self._draining: asyncio.Task[None] | None = None
        self._drain_deadline = 0.0
        self._runs: Runs | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        server = self._server
        for each in (*retired(os.environ), *unknown(os.environ), *server.cut_by_clients()):
            logger.warning("%s", each)
        log = MemoryLog()
        runs = self._runs = Runs(server.settings, log)
        try:
            await runs.dependencies.shared.start(server.plans())
        except MakerFailed as error:
            raise NotStarted(str(error)) from error
        server.endpoint = Endpoint(
            server.settings,
            server.registry,
            server.manifest,
            runs,
            log,
            resources=server.resources,
            prompts=server.prompts,
            instructions=server.instructions,
            malformed=self._app.malformed_requests,
        )
        runs.watch.start()
        self._draining = None
        if self._app.on_draining is not None:
            self._unsubscribe = self._app.on_draining(self._drain)

    async def stop(self) -> None:
        self._drain()
        self._unsubscribe()
        assert self._draining is not None  # noqa: S101 - set by _drain
        remaining = self._drain_deadline - asyncio.get_running_loop().time()
        _, pending = await asyncio.wait({self._draining}, timeout=max(0.0, remaining))
        if pending:
            self._draining.cancel()
            logger.warning("some tools did not clean up within %g seconds", DRAIN_SECONDS)
        if self._server.endpoint is not None:
            runs = self._server.endpoint.runs
            if names := runs.threads.names:
                logger.warning("plain functions that end with the process: %s", ", ".join(names))
            await self.close()
            runs.close()

    async def close(self) -> None:
        """Close what tools share. Idempotent."""
        if self._runs is not None:
            await self._runs.dependencies.stop()

    def _drain(self) -> asyncio.Task[None] | None:
        """Called as soon as the server is to stop. Until the task is done requests are still answered: /readyz with
        "draining", new calls with 503."""
        if self._draining is None and self._server.endpoint is not None:
            self._drain_deadline = asyncio.get_running_loop().time() + DRAIN_SECONDS
            self._draining = asyncio.create_task(self._server.endpoint.drain(), name="drain")
        return self._draining


def _respond(server: Server) -> Callable[[], Respond]:
    def respond() -> Respond:
        return _not_started if server.endpoint is None else server.endpoint.answer

    return respond


async def _not_started(_: Request, __: McpAppError | None) -> Answer:
    """Mounted in another application, which passes its own lifespan on to none of those it mounts (as Starlette)."""
    error_id = secrets.token_hex(8)
    logger.error(
        "a request came before the application's lifespan, without which nothing of it runs: where it is mounted in "
        "another, that one's lifespan has to enter `async with app.test_app():`, or to await app.startup() and "
        "app.shutdown() [error_id %s]",
        error_id,
    )
    return error_answer(InternalError("The application is mounted, and has not been started.", error_id=error_id))


def builtin_tools() -> Iterable[Tool]:
    """The tools that come with the package."""
    from .builtin import TOOLS

    return TOOLS
