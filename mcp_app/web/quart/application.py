"""A Quart application with our routes, and whatever its owner adds: every request passes through Quart and all its
hooks.

No request is answered here, and no policy may be in here. The variant that uses the lane is in lane.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope
from quart import Quart
from quart.asgi import ASGIWebsocketConnection
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.routing import BaseConverter, MapAdapter

from ..asgi.body import BODY_SECONDS, MAX_BODY_BYTES
from ..asgi.lifespan import NotStarted
from ..asgi.scope import request_path
from ..asgi.server_state import OnDraining
from ..asgi.websocket import refuse_handshake
from ..messages import Respond
from ..metrics_page import SharedPage
from .blueprint import NAME, RoutePaths, blueprint, make_view
from .connection import QuartConnection
from .lifespan import Lifespan


async def _nothing() -> None:
    """There is nothing to end."""


class AnyPath(BaseConverter):
    """Matches any rest of a path, slashes and the empty string included; has the lowest priority of the matching
    rules."""

    regex = ".*"
    part_isolating = False
    weight = 1000  # the highest of werkzeug's own converters is path's, 200


class WebsocketConnection:
    """A WebSocket request: rejected on our paths, and on all paths unless the owner has added a WebSocket route."""

    def __init__(self, app: Application, scope: WebsocketScope) -> None:
        self._app = app
        self._scope = scope

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        owner_has_websockets = any(rule.websocket for rule in self._app.url_map.iter_rules())
        if owner_has_websockets and request_path(self._scope) not in self._app.paths:
            await ASGIWebsocketConnection(self._app, self._scope)(receive, send)
        else:
            await refuse_handshake(self._scope, receive, send)


class Application(Quart):
    """Quart as released asks werkzeug to encode the Host as IDNA, and to decode the query as UTF-8, to find a route; a
    value that is neither raised an exception through to the server. Our routes are paths only, and the endpoint checks
    host and query itself."""

    asgi_http_class = QuartConnection
    asgi_lifespan_class = Lifespan
    asgi_websocket_class = WebsocketConnection

    on_draining: OnDraining | None = None
    """The server's subscribe function, set when its lifespan begins; None if the server has none."""

    malformed_requests: Callable[[], int]
    """The number of requests that the server refused without asking the application."""

    is_stopping: Callable[[], bool]
    """Whether the server was ordered to stop."""

    processes = 1
    """How many processes serve it, none of which knows of the others."""

    page: SharedPage | None = None
    """What the server's processes say to each other, where they can."""

    at_the_end: Callable[[], Awaitable[None]]
    """Awaited last, also when the owner's functions for start and stop raise, behind which Quart calls no other."""

    def __init__(self, paths: Iterable[str], respond: Callable[[], Respond]) -> None:
        """`respond` returns the running server's function, and raises if no server is running."""
        super().__init__("mcp_app", static_folder=None)
        self.malformed_requests = lambda: 0
        self.is_stopping = lambda: False
        self.at_the_end = _nothing
        paths = list(paths)
        self.paths = RoutePaths(paths)
        self.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        self.config["BODY_TIMEOUT"] = BODY_SECONDS
        view = make_view(respond)
        self.register_blueprint(blueprint(paths, view))
        # Every other path, and every other method, gets the error object, too. Quart's own way to add a rule requires
        # a list of methods, and a method can be any token (RFC 9110, 9.1).
        self.url_map.converters["anything"] = AnyPath
        self.url_map.merge_slashes = False
        self.url_map.add(self.url_rule_class("/<anything:path>", endpoint=f"{NAME}.anything", methods=None))
        self.view_functions[f"{NAME}.anything"] = view

    async def startup(self) -> None:
        try:
            await super().startup()
        except BaseException:
            await self.at_the_end()
            raise

    async def shutdown(self) -> None:
        try:
            await super().shutdown()
        finally:
            await self.at_the_end()

    def log_exception(self, *arguments: Any) -> None:  # Quart 0.23 has the request's context before the error
        if not isinstance(arguments[-1][1], NotStarted):
            super().log_exception(*arguments)

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        if request is None:
            return super().create_url_adapter(None)
        return self.url_map.bind(
            "localhost",
            request.root_path,
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
        )
