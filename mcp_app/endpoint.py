"""`answer(Request) -> Answer`: the whole server as one function of plain values.

A request passes the access control, then the table of routes, then one handler; exceptions become the error object.
Neither Quart nor ASGI is known here, and the work of the handlers is done elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial

from .access_control import AccessControl, is_public
from .administration import Administration
from .auth.audit import AuditLog
from .auth.authentication import Authentication, Identify
from .auth.metadata import ResourceMetadata
from .auth.page_sign_in import PageSignInRoutes, PageSignIns
from .auth.shared_sign_outs import SharedSignOuts
from .auth.shared_tickets import SharedTickets
from .auth.ticketing import Ticketing, TicketStore
from .auth.tickets import Tickets
from .authoring.prompt import Prompts
from .authoring.resource import Resources
from .authoring.tool import Registry
from .config.settings import Settings
from .dialects.mcp.completion import Completions
from .dialects.mcp.dispatch import SMALL_BODY, Dispatch, parse_rpc, refusal
from .dialects.mcp.offer import Offer
from .dialects.mcp.sessions.batches import Batching
from .dialects.mcp.sessions.http_sse import HttpSse
from .dialects.mcp.sessions.listening import Listening
from .dialects.mcp.sessions.register import Sessions
from .dialects.mcp.sessions.streamable import SESSION_HEADER, Streamable
from .dialects.mcp.speaker import McpSpeaker
from .dialects.plain.calls import Calls
from .dialects.plain.resuming import run_named, run_named_anywhere
from .dialects.plain.runs import RunRoutes
from .documents import Documents
from .eventlog import EventLog
from .manifest import CORS, Manifest
from .nodes import Node
from .protocol.errors import InternalError, McpAppError, MethodNotAllowed, RateLimited, UnknownRoute
from .routes import METRICS_PATH, arguments, table
from .runs import Runs
from .runs.end_line import ORIGIN
from .web.guard import Guard
from .web.links import Links
from .web.messages import Answer, Request, error_answer
from .web.metrics import Metrics
from .web.metrics_page import MetricsPage, SharedPage

logger = logging.getLogger("mcp_app.endpoint")

Handler = Callable[..., Awaitable[Answer]]
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
        is_stopping: Callable[[], bool] = lambda: False,
        page: SharedPage | None = None,
        authentication: Authentication | None = None,
        audit: AuditLog | None = None,
        node: Node | None = None,
        *,
        exposed: bool = False,
        administered: bool = False,
    ) -> None:
        """`administered`: metrics have an address of their own, and are not here."""
        authentication = Authentication(settings) if authentication is None else authentication
        resources = Resources() if resources is None else resources  # not `or`: an empty one may be filled later
        prompts = Prompts() if prompts is None else prompts
        self.runs = runs
        self._metrics = Metrics(malformed)
        self.metrics_page = MetricsPage(self._metrics, runs, page)
        guard = self._guard = Guard(settings, credentials=authentication.asks)
        links = Links(settings)
        calls = Calls(manifest.runs_path, links, settings, registry, runs, self._guard, self._metrics)
        run_routes = RunRoutes(registry, runs, log, self._guard, calls, self._metrics)
        asks, verifies = authentication.asks, authentication.verifies
        offered = (registry, resources, prompts, instructions)
        documents = Documents(settings, links, manifest, *offered, runs, self.metrics_page, is_stopping, asks=asks)
        completions = Completions(settings.cap_seconds, runs.dependencies)
        offer = Offer(
            manifest, registry, completions, resources, prompts, instructions, self._metrics.repairs, verifies
        )
        clock = asyncio.get_running_loop().time
        self.speaker = McpSpeaker(settings, offer, runs, log, self._metrics, node)
        answering = self.speaker.answering
        session_args = (
            self.speaker.sessions,
            self.speaker.methods,
            answering,
            Listening(settings, self._metrics, clock),
        )
        http_sse = HttpSse(links, *session_args) if settings.legacy_sse else None
        if node is not None and http_sse is not None:
            node.post.on("session.post", http_sse.receive_posted)
        batching = Batching(answering, clock, None if runs.charges is None else runs.charges.another)
        streamable = Streamable(*session_args, batching)
        mcp = Dispatch(self._guard, self.speaker.stateless, streamable, http_sse)
        self._plain, self._mcp = calls, mcp
        tickets: TicketStore = Tickets(partial(run_named, runs))
        if node is not None:
            run_seconds = settings.run_life_seconds + settings.keep_seconds
            tickets = SharedTickets(node.log, node.now, partial(run_named_anywhere, runs), run_seconds)
        ticketing = Ticketing(tickets, guard, authentication.ended, manifest.events_path, manifest.runs_path)
        if node is not None and (sign_ins := authentication.find(PageSignIns)) is not None:
            SharedSignOuts(node, sign_ins)
        sign_in = PageSignInRoutes(guard, authentication)
        self._control = AccessControl(settings, runs, guard, authentication, ticketing, audit, exposed=exposed)
        parts = {
            "endpoint": self,
            "calls": calls,
            "mcp": mcp,
            "runs": run_routes,
            "documents": documents,
            "metadata": ResourceMetadata(authentication.documents, CORS),
            "tickets": ticketing,
            "sign_in": sign_in,
        }
        self.administration = Administration(documents, guard)
        self._table: dict[str, Methods] = {
            path: {method: _handler(parts, name) for method, name in methods.items()}
            for path, methods in table(manifest).items()
            if not (administered and path == METRICS_PATH)
        }
        self._templates = [path for path in self._table if "<" in path]

    async def answer(
        self, request: Request, body_error: McpAppError | None = None, identify: Identify | None = None
    ) -> Answer:
        """Answer a request. Raises nothing but CancelledError: unexpected exceptions are masked and logged, even a
        SystemExit of an author's code, which is not the server's.

        `body_error` is the reason why the body could not be read; it becomes the answer unless the guard rejects the
        request first. `identify` asks the application around us who calls.
        """
        self._control.arrive(request)
        # A trailing slash is ignored: a redirect would lose a POST's body.
        if request.path.endswith("/"):
            request = replace(request, path=request.path.rstrip("/") or "/")
        ORIGIN.set((request.peer, request.http_version))
        answer: Answer | None = None
        try:
            answer = await self._dispatch(request, body_error, identify)
        except McpAppError as error:
            answer = self._refused(request, error)
            self._control.refused(request, error, answer.status)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            error_id = secrets.token_hex(8)
            logger.exception("%s %s failed [error_id %s]", request.method, request.path, error_id, exc_info=error)
            answer = self._error_answer(InternalError("The server failed to answer.", error_id=error_id))
        finally:
            self._control.settle(request, answer)
        headers = self._control.fields(request, answer, identify)
        if request.method == "HEAD" and isinstance(answer.body, bytes) and answer.body:
            # RFC 9110, 8.6: the length of GET's body, or no Content-Length.
            return Answer(answer.status, (*headers, ("Content-Length", str(len(answer.body)))))
        return Answer(answer.status, headers, answer.body)

    def _refused(self, request: Request, error: McpAppError) -> Answer:
        """The error, which a message of MCP gets as its response where a limit was reached before it was read."""
        if isinstance(error, RateLimited) and len(request.body) <= SMALL_BODY:
            parsed = parse_rpc(request.body)
            if parsed is not None:
                self._metrics.count_refusal(error.code)
                return refusal(error, parsed)
        return self._error_answer(error)

    def _error_answer(self, error: McpAppError) -> Answer:
        self._metrics.count_refusal(error.code)
        return error_answer(error)

    async def drain(self) -> None:
        """Shut down: end every stream with its last event and accept nothing new."""
        await self.speaker.drain()
        self._control.close()

    @property
    def sessions(self) -> Sessions:
        """The open sessions of MCP."""
        return self.speaker.sessions

    def post(self, request: Request) -> Awaitable[Answer]:
        """A call at the SSE route: the body's shape chooses the dialect."""
        parsed = parse_rpc(request.body)
        return self._plain.post(request) if parsed is None else self._mcp.post(request, parsed)

    def get(self, request: Request) -> Awaitable[Answer]:
        """A GET at the SSE route: a stream of a session, a call by EventSource, or a new session of MCP 2024-11-05."""
        return (self._mcp if self._is_mcp(request) else self._plain).get(request)

    def head(self, request: Request) -> Awaitable[Answer]:
        """The header fields that GET would have."""
        return (self._mcp if self._is_mcp(request) else self._plain).head(request)

    def _is_mcp(self, request: Request) -> bool:
        if SESSION_HEADER in request.headers:
            return True
        return not request.query and self._mcp.opens(request)

    async def _dispatch(self, request: Request, body_error: McpAppError | None, identify: Identify | None) -> Answer:
        if (checking := self._control.check(request, body_error, identify)) is not None:
            await checking
        methods, found = self._route(request.path)
        if request.method == "OPTIONS":
            fields = (*(CORS if is_public(request) else ()), *self._guard.preflight(request.headers))
            return Answer(204, (("Allow", _allow(methods)), *fields))
        handler = methods.get(request.method)
        if handler is None and request.method == "HEAD":
            # Documents are rendered and their body omitted. A GET that starts or follows a run has a HEAD of its own.
            handler = methods.get("GET")
        if handler is None:
            raise MethodNotAllowed("This route does not have that method.", headers={"Allow": _allow(methods)})
        return await self._control.answered(request, handler(request, **found))

    def _route(self, path: str) -> tuple[Methods, dict[str, str]]:
        if path in self._table and "<" not in path:
            return self._table[path], {}
        for template in self._templates:
            found = arguments(template, path)
            if found is not None:
                return self._table[template], found
        raise UnknownRoute("There is nothing at this path.")


def _handler(parts: Mapping[str, object], name: str) -> Handler:
    part, _, method = name.partition(".")
    handler: Handler = getattr(parts[part], method)
    return handler


def _allow(methods: Methods) -> str:
    names = set(methods) | {"OPTIONS"}
    if "GET" in names:
        names.add("HEAD")
    return ", ".join(sorted(names))
