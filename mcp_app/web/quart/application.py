"""Quart's application, with a connection that ends what it began and a routing that no header can break.

No route is added and no request answered here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from quart import Quart
from quart.routing import QuartMap
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.routing import MapAdapter, RuleFactory

from ..asgi.lane import FastLane
from ..asgi.no_websocket import NoWebsocket
from .connection import Connection
from .lifespan import Lifespan

OnDraining = Callable[[Callable[[], Awaitable[object] | None]], Callable[[], None]]
"""Takes what to call when the server begins to stop, and returns what takes that back."""


class CountedMap(QuartMap):
    """Routes, and how often some were added."""

    additions = 0

    def add(self, rulefactory: RuleFactory) -> None:
        super().add(rulefactory)
        self.additions += 1


class Application(Quart):
    """Quart as released asks werkzeug to encode the Host as IDNA and decodes the query as UTF-8 to find a route; what
    is neither raised through to the server. Our routes are paths, and the endpoint looks at host and query itself."""

    asgi_http_class = Connection
    asgi_lifespan_class = Lifespan
    url_map_class = CountedMap
    url_map: CountedMap
    asgi_websocket_class = NoWebsocket

    fast_lane: FastLane | None = None
    """The way to the endpoint for requests in which Quart has nothing to do; None where the setting is off."""

    on_draining: OnDraining | None = None
    """The server's, since its lifespan has begun; None where the server has none."""

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
