"""Quart's application with our routes, and whatever its owner adds: every request goes Quart's way, with every hook.

No request is answered here, and no policy may be in here. Who takes the lane instead is in lane.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, WebsocketScope
from quart import Quart
from quart.asgi import ASGIWebsocketConnection
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.routing import BaseConverter, MapAdapter

from ..asgi.body import BODY_SECONDS, MAX_BODY_BYTES
from ..asgi.scope import path_in
from ..asgi.websocket import refuse_handshake
from ..messages import Respond
from .blueprint import NAME, OurPaths, blueprint, view_of
from .connection import Connection
from .lifespan import Lifespan

OnDraining = Callable[[Callable[[], Awaitable[object] | None]], Callable[[], None]]
"""Takes what to call when the server begins to stop, and returns what takes that back."""


class Anything(BaseConverter):
    """Any rest of a path, slashes and nothing included; of the rules that match, the last."""

    regex = ".*"
    part_isolating = False
    weight = 1000  # the heaviest of werkzeug's own is a path's 200


class Handshake:
    """A WebSocket: ours are refused, and all of them where the owner has added none."""

    def __init__(self, app: Application, scope: WebsocketScope) -> None:
        self._app = app
        self._scope = scope

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        theirs = any(rule.websocket for rule in self._app.url_map.iter_rules())
        if theirs and path_in(self._scope) not in self._app.paths:
            await ASGIWebsocketConnection(self._app, self._scope)(receive, send)
        else:
            await refuse_handshake(self._scope, receive, send)


class Application(Quart):
    """Quart as released asks werkzeug to encode the Host as IDNA, and decodes the query as UTF-8, to find a route; what
    is neither raised through to the server. Our routes are paths, and the endpoint looks at host and query itself."""

    asgi_http_class = Connection
    asgi_lifespan_class = Lifespan
    asgi_websocket_class = Handshake

    on_draining: OnDraining | None = None
    """The server's, since its lifespan has begun; None where the server has none."""

    def __init__(self, paths: Iterable[str], respond: Callable[[], Respond]) -> None:
        """`respond` gives the running server's function, and raises when there is none."""
        super().__init__("mcp_app", static_folder=None)
        paths = list(paths)
        self.paths = OurPaths(paths)
        self.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        self.config["BODY_TIMEOUT"] = BODY_SECONDS
        view = view_of(respond)
        self.register_blueprint(blueprint(paths, view))
        # Every other path, and every other method, get the error object, too. Quart's own way to add a rule insists on
        # naming the methods, and a method can be any token (RFC 9110, 9.1).
        self.url_map.converters["anything"] = Anything
        self.url_map.merge_slashes = False
        self.url_map.add(self.url_rule_class("/<anything:path>", endpoint=f"{NAME}.anything", methods=None))
        self.view_functions[f"{NAME}.anything"] = view

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
