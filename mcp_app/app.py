"""`create_app`: creates the application from all of its parts. No request is answered here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from quart import Quart

from .auth.verifier import Verifier, Verify, as_verifier
from .authoring.around import Around, in_order
from .authoring.prompt import Prompt, Prompts
from .authoring.resource import Resource, Resources
from .authoring.source import check_sendable
from .authoring.tool import Registry, Tool
from .config.settings import Settings
from .life import Life, Server
from .manifest import Manifest, load_manifest
from .routes import table
from .starting import Starting
from .web.messages import Respond
from .web.quart.application import Application
from .web.quart.lane import LaneApplication

if TYPE_CHECKING:
    from .builtin import Offer as Offer


def create_app(
    settings: Settings | None = None,
    tools: Iterable[Tool] | None = None,
    *,
    resources: Iterable[Resource] | None = None,
    prompts: Iterable[Prompt] | None = None,
    manifest: Manifest | Path | None = None,
    instructions: str | None = None,
    around: Iterable[Around] = (),
    verifiers: Iterable[Verifier | Verify] = (),
    lane: bool = True,
) -> Quart:
    """Create the application, to be served by Hypercorn.

    settings: by default from the environment.
    tools: the tools that are served; by default the built-in ones.
    resources, prompts: for MCP clients; by default none, or with the built-in tools those that belong to them.
        A Registry, Resources or Prompts is not copied: later additions and removals take effect.
    manifest: mcp.json or its path; by default that in the working directory, else the one that comes with the package.
    instructions: what the models that use the server are told of it as a whole; by default those in mcp.json.
    around: functions around every call of a tool, made by `@around`; the first is outermost.
    verifiers: what knows who calls, beside what the settings name, and after it: a function of the request that returns
        a name, an `Access`, or None for somebody whom it does not know; or a `Verifier`.
    lane: whether requests for our paths bypass Quart, for about half of the cost. An application with the lane refuses
        what Quart would run for these requests (functions before and after a request, error handlers, signal receivers,
        sessions, ...): RuntimeError, when it is added or at the start. Without the lane all of Quart's hooks run.

    Changes nothing outside of the application. Raises ToolDefinitionError, ManifestError, and pydantic's
    ValidationError for settings.
    """
    settings = settings or Settings()
    if tools is None:
        shipped = builtin()
        tools = shipped.tools
        resources = shipped.resources if resources is None else resources
        prompts = shipped.prompts if prompts is None else prompts
    manifest = manifest if isinstance(manifest, Manifest) else load_manifest(manifest)
    check_sendable("create_app", {"instructions": instructions})
    server = Server(
        settings,
        tools if isinstance(tools, Registry) else Registry(tools),
        manifest,
        resources if isinstance(resources, Resources) else Resources(resources or ()),
        prompts if isinstance(prompts, Prompts) else Prompts(prompts or ()),
        manifest.card.instructions if instructions is None else instructions or None,
        in_order(around),
        tuple(as_verifier(each) for each in verifiers),
    )
    app = (LaneApplication if lane else Application)(table(server.manifest), _respond(server))
    app.extensions["mcp_app"] = server
    life = Life(server, app)
    app.before_serving(life.start)
    app.after_serving(life.stop)
    app.at_the_end = life.stop
    return app


def _respond(server: Server) -> Callable[[], Respond]:
    # Mounted in another application, which passes its own lifespan on to none of those it mounts (as Starlette), our
    # part starts by itself. What the owner has registered with Quart (before_serving) is run by Quart alone.
    starting = Starting(server)

    def respond() -> Respond:
        return starting.answer if server.endpoint is None else server.endpoint.answer

    return respond


def builtin() -> Offer:
    """What comes with the package, and has what it needs."""
    from .builtin import OFFERED

    return OFFERED
