"""`answer(Request) -> Answer`: the whole server as one function of plain values.

A request passes the guard, then the table of routes, then one handler; exceptions become the error object. Neither
Quart nor ASGI is known here, and the work of the handlers is done elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from .authoring.prompt import Prompts
from .authoring.resource import Resources
from .authoring.tool import Registry
from .config.settings import Settings
from .dialects.mcp.completion import Completions
from .dialects.mcp.dispatch import Dispatch, parse_rpc
from .dialects.mcp.offer import Offer
from .dialects.mcp.sessions.batches import Batching
from .dialects.mcp.sessions.http_sse import HttpSse
from .dialects.mcp.sessions.listening import Listening
from .dialects.mcp.sessions.register import Sessions
from .dialects.mcp.sessions.streamable import SESSION_HEADER, Streamable
from .dialects.mcp.speaker import McpSpeaker
from .dialects.plain.calls import Calls
from .dialects.plain.runs import RunRoutes
from .documents import Documents
from .eventlog import EventLog
from .manifest import CORS, DOCUMENT_PATHS, Manifest
from .protocol.errors import InternalError, McpAppError, MethodNotAllowed, UnknownRoute
from .routes import HEALTH_PATHS, RESULT, RUN, table
from .runs import Runs
from .runs.end_line import ORIGIN
from .web.guard import Guard
from .web.links import Links
from .web.messages import Answer, Request, error_answer
from .web.metrics import Metrics

logger = logging.getLogger("mcp_app.endpoint")

Handler = Callable[..., Awaitable[Answer]]
Identify = Callable[[], Awaitable[str]]
"""Returns the principal of a request's caller. Raises Unauthorized for a caller who is nobody."""
Methods = Mapping[str, Handler]


class Endpoint:
    """Dispatches requests to all handlers. Must be created inside the event loop that it runs on."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        manifest: Manifest,
        runs: Runs,
        log: EventLog,
        resources: Resources | None = None,
        prompts: Prompts | None = None,
        instructions: str | None = None,
        malformed: Callable[[], int] = lambda: 0,
    ) -> None:
        resources = Resources() if resources is None else resources  # not `or`: an empty one may be filled later
        prompts = Prompts() if prompts is None else prompts
        self.runs = runs
        self._metrics = Metrics(malformed)
        self._guard = Guard(settings)
        links = Links(settings)
        calls = Calls(manifest.runs_path, links, settings, registry, runs, self._guard, self._metrics)
        run_routes = RunRoutes(registry, runs, log, self._guard, calls, self._metrics)
        documents = Documents(
            settings, links, manifest, registry, resources, prompts, instructions, runs, self._metrics
        )
        completions = Completions(settings.cap_seconds, runs.dependencies)
        offer = Offer(manifest, registry, completions, resources, prompts, instructions, self._metrics.repairs)
        clock = asyncio.get_running_loop().time
        self.speaker = McpSpeaker(settings, offer, runs, log, self._metrics)
        answering = self.speaker.answering
        session_args = (
            self.speaker.sessions,
            self.speaker.methods,
            answering,
            Listening(settings, self._metrics, clock),
        )
        http_sse = HttpSse(links, *session_args) if settings.legacy_sse else None
        streamable = Streamable(*session_args, Batching(answering, clock))
        mcp = Dispatch(self._guard, self.speaker.stateless, streamable, http_sse)
        self._plain, self._mcp = calls, mcp
        parts = {"endpoint": self, "calls": calls, "mcp": mcp, "runs": run_routes, "documents": documents}
        self._runs_path = manifest.runs_path
        self._table: dict[str, Methods] = {
            path: {method: _handler(parts, name) for method, name in methods.items()}
            for path, methods in table(manifest).items()
        }

    async def answer(
        self, request: Request, body_error: McpAppError | None = None, identify: Identify | None = None
    ) -> Answer:
        """Answer a request. Raises nothing but CancelledError: unexpected exceptions are masked and logged, even a
        SystemExit of an author's code, which is not the server's.

        `body_error` is the reason why the body could not be read; it becomes the answer unless the guard rejects the
        request first. `identify` is asked who calls; without it everybody is anonymous.
        """
        # A trailing slash is ignored: a redirect would lose a POST's body.
        if request.path.endswith("/"):
            request = replace(request, path=request.path.rstrip("/") or "/")
        ORIGIN.set((request.peer, request.http_version))
        try:
            answer = await self._dispatch(request, body_error, identify)
        except McpAppError as error:
            answer = self._error_answer(error)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            error_id = secrets.token_hex(8)
            logger.exception("%s %s failed [error_id %s]", request.method, request.path, error_id, exc_info=error)
            answer = self._error_answer(InternalError("The server failed to answer.", error_id=error_id))
        headers = (*answer.headers, ("Vary", "Accept"), *self._cors(request))
        if request.method == "HEAD" and isinstance(answer.body, bytes) and answer.body:
            # RFC 9110, 8.6: the length of GET's body, or no Content-Length.
            return Answer(answer.status, (*headers, ("Content-Length", str(len(answer.body)))))
        return Answer(answer.status, headers, answer.body)

    def _error_answer(self, error: McpAppError) -> Answer:
        self._metrics.count_refusal(error.code)
        return error_answer(error)

    async def drain(self) -> None:
        """Shut down: end every stream with its last event and accept nothing new."""
        await self.speaker.drain()

    @property
    def sessions(self) -> Sessions:
        """The open sessions of MCP."""
        return self.speaker.sessions

    async def post(self, request: Request) -> Answer:
        """A call at the SSE route: the body's shape chooses the dialect."""
        parsed = parse_rpc(request.body)
        return await (self._plain.post(request) if parsed is None else self._mcp.post(request, parsed))

    async def get(self, request: Request) -> Answer:
        """A GET at the SSE route: a stream of a session, a call by EventSource, or a new session of MCP 2024-11-05."""
        return await (self._mcp if self._is_mcp(request) else self._plain).get(request)

    async def head(self, request: Request) -> Answer:
        """The header fields that GET would have."""
        return await (self._mcp if self._is_mcp(request) else self._plain).head(request)

    def _is_mcp(self, request: Request) -> bool:
        if SESSION_HEADER in request.headers:
            return True
        return not request.query and self._mcp.opens(request)

    async def _dispatch(self, request: Request, body_error: McpAppError | None, identify: Identify | None) -> Answer:
        if identify is None:
            self._guard.check_address(request)
        if request.path not in HEALTH_PATHS:
            self._guard.check_host(request)
        if not _is_public(request):
            self._guard.check_origin(request)
        if body_error is not None:
            raise body_error
        if identify is not None and not _asks_nothing(request):
            request = replace(request, principal=await identify())
        methods, arguments = self._route(request.path)
        if request.method == "OPTIONS":
            fields = (*(CORS if _is_public(request) else ()), *self._guard.preflight(request.headers))
            return Answer(204, (("Allow", _allow(methods)), *fields))
        handler = methods.get(request.method)
        if handler is None and request.method == "HEAD":
            # Documents are rendered and their body omitted. A GET that starts or follows a run has a HEAD of its own.
            handler = methods.get("GET")
        if handler is None:
            raise MethodNotAllowed("This route does not have that method.", headers={"Allow": _allow(methods)})
        return await handler(request, **arguments)

    def _cors(self, request: Request) -> tuple[tuple[str, str], ...]:
        """CORS fields; none for the discovery documents, which have their own: a repeated field allows no origin."""
        return () if _is_public(request) else self._guard.cors(request.headers)

    def _route(self, path: str) -> tuple[Methods, dict[str, Any]]:
        if path in self._table and "<" not in path:
            return self._table[path], {}
        below = path.removeprefix(f"{self._runs_path}/")
        if below != path:
            run, _, rest = below.partition("/")
            template = f"{self._runs_path}/{RUN}/{rest}" if rest else f"{self._runs_path}/{RUN}"
            if template in self._table:
                return self._table[template], {"run": run}
            kind, _, result = rest.partition("/")
            template = f"{self._runs_path}/{RUN}/{kind}/{RESULT}"
            if result and template in self._table:
                return self._table[template], {"run": run, "result": result}
        raise UnknownRoute("There is nothing at this path.")


def _handler(parts: Mapping[str, object], name: str) -> Handler:
    part, _, method = name.partition(".")
    handler: Handler = getattr(parts[part], method)
    return handler


def _asks_nothing(request: Request) -> bool:
    """Whether it is answered whoever asks: balancers have no credentials, and browsers send none with a preflight."""
    return request.path in HEALTH_PATHS or request.method == "OPTIONS"


def _is_public(request: Request) -> bool:
    """Whether pages of any origin may read the answer: the discovery documents, which contain nothing secret."""
    return request.path in DOCUMENT_PATHS


def _allow(methods: Methods) -> str:
    names = set(methods) | {"OPTIONS"}
    if "GET" in names:
        names.add("HEAD")
    return ", ".join(sorted(names))
