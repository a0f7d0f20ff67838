"""`asgi_app` and `blueprint`: our routes in an application that exists, in one line of it.

What is mounted starts by itself (starting.py), and asks its host who calls. Quart is imported for its blueprint only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .auth.host import HostSignIn, Principal
from .auth.verifier import Verifier, Verify, as_verifier
from .authoring.around import Around
from .authoring.prompt import Prompt, Prompts
from .authoring.resource import Resource, Resources
from .authoring.tool import Registry, Tool
from .config.settings import Settings
from .life import Server
from .loading import definitions
from .loading.toolfile import ToolFileError, is_file, split
from .manifest import load_manifest
from .protocol.errors import McpAppError
from .routes import table
from .starting import Starting
from .web.asgi.application import Lane
from .web.asgi.lifespan import answer_lifespan
from .web.asgi.scope import request_path
from .web.asgi.websocket import refuse_handshake
from .web.messages import Answer, Request, Respond

if TYPE_CHECKING:
    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
    from quart import Blueprint

Message = MutableMapping[str, Any]
"""A scope, or a message, as Starlette and FastAPI type it."""

Offered = str | PathLike[str] | Tool | Resource | Prompt | Around | Registry | Resources | Prompts
"""What names tools: `FILE.py`, `module` or either with `:NAME`, as `mcp-app serve` takes them; or the things
themselves."""


def asgi_app(
    *tools: Offered,
    settings: Settings | None = None,
    principal: Principal | None = None,
    verifiers: Iterable[Verifier | Verify] = (),
) -> MountedApp:
    """An ASGI application with our routes: `app.mount("/tools", asgi_app("tools.py"))` in FastAPI and Starlette.

    tools: what is offered. A file's path is relative to the working directory; a Registry may change later.
    settings: by default from the environment.
    principal: says who calls, from the ASGI scope: a name or an `Access`, or None for nobody, who gets 401. Runs,
        sessions and tasks are their caller's alone. May be a coroutine function. What it raises is masked. Without it,
        and without verifiers, everybody is "anonymous", and only this machine is served, unless
        `settings.allow_anonymous`.
    verifiers: know who calls by the request, as those of `create_app`; they are asked before `principal`.

    It starts at its first request and ends with the event loop; `lifespan()` starts and ends it earlier. Raises
    ToolFileError, ToolDefinitionError, ManifestError, and pydantic's ValidationError for settings.
    """
    server = _server(tools, settings, verifiers, hosted=principal is not None)
    return MountedApp(server, None if principal is None else HostSignIn(principal))


def blueprint(
    *tools: Offered,
    settings: Settings | None = None,
    principal: Principal | None = None,
    verifiers: Iterable[Verifier | Verify] = (),
) -> Blueprint:
    """Our routes as a blueprint: `app.register_blueprint(blueprint("tools.py"), url_prefix="/tools")` in Quart.

    The arguments and errors are those of `asgi_app`; `principal` is called in Quart's request context. It starts and
    ends with the application. Of that nothing is changed: no other path, no error handler, no configuration.
    """
    from .web.quart.blueprint import hosted_blueprint

    server = _server(tools, settings, verifiers, hosted=principal is not None)
    starting = Starting(server)
    answer = partial(_answer, starting, None if principal is None else HostSignIn(principal))

    def respond(scope: Mapping[str, Any]) -> Respond:
        return partial(answer, scope)

    return hosted_blueprint(table(server.manifest), respond, starting.startup, starting.shutdown)


class MountedApp:
    """An ASGI 3 application below the path at which its host mounts it."""

    def __init__(self, server: Server, sign_in: HostSignIn | None) -> None:
        self._starting = Starting(server)
        self._answer = partial(_answer, self._starting, sign_in)

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        hear, say = cast("ASGIReceiveCallable", receive), cast("ASGISendCallable", send)
        if scope["type"] == "http":
            await Lane(partial(self._answer, scope)).answer(scope, request_path(scope), hear, say)
        elif scope["type"] == "websocket":
            await refuse_handshake(scope, hear, say)
        elif scope["type"] == "lifespan":  # served by itself
            startup = partial(self._starting.startup, scope.get("state") or {})
            await answer_lifespan(startup, self._starting.shutdown, hear, say)
        else:
            raise ValueError(f"the ASGI scope {scope['type']!r} is not supported")

    def lifespan(self, app: object = None) -> AbstractAsyncContextManager[None]:
        """Start and stop around the block of an `async with`, in the host's own lifespan; itself a lifespan that
        `FastAPI(lifespan=…)` and `Starlette(lifespan=…)` take. Raises what prevents the start."""
        return self._starting.lifespan(app)

    async def startup(self) -> None:
        """Start now, on this event loop, instead of at the first request. Raises what prevents it."""
        await self._starting.startup()

    async def shutdown(self) -> None:
        """Stop now: streams end with their last event. Later calls get 503, until another `startup`."""
        await self._starting.shutdown()


async def _answer(
    starting: Starting,
    sign_in: HostSignIn | None,
    scope: Mapping[str, Any],
    request: Request,
    body_error: McpAppError | None,
) -> Answer:
    identify = None if sign_in is None else partial(sign_in.access, scope)
    return await starting.answer(request, body_error, identify, scope.get("state") or {})


def _server(
    offered: tuple[Offered, ...], settings: Settings | None, verifiers: Iterable[Verifier | Verify], *, hosted: bool
) -> Server:
    if not offered:
        raise TypeError('what is to be offered? Name a file of tools, "tools.py", or give tools')
    named = [_named(each) if isinstance(each, str | PathLike) else each for each in offered]
    tools, resources, prompts, arounds, _ = definitions.load(*named)
    manifest = load_manifest()
    own = definitions.instructions(*(each for each in named if isinstance(each, str)))
    return Server(
        Settings() if settings is None else settings,
        tools,
        manifest,
        resources,
        prompts,
        manifest.card.instructions or own,
        arounds,
        tuple(as_verifier(each) for each in verifiers),
        hosted,
    )


def _named(name: str | PathLike[str]) -> str:
    """Raises ToolFileError for a relative path of no file: it is the host's server that decides to what it relates."""
    text = fspath(name)
    path = Path(split(text)[0])
    if is_file(str(path)) and not path.is_absolute() and not path.exists():
        raise ToolFileError(
            f"{path}: no such file in {Path.cwd()}, the working directory: Path(__file__).with_name({path.name!r}) "
            "finds one beside the module that says so"
        )
    return text
