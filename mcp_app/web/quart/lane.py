"""The Quart application whose paths are answered by the lane; that is decided when the application is created.

The lane exists while the application is served. Other paths, and Quart's test client, use Quart. hooks.py rejects what
Quart would have to run for our paths. No request is answered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

from hypercorn.typing import HTTPScope
from quart import Quart
from quart.typing import ASGIHTTPProtocol

from ..asgi.application import Lane, Limits
from ..asgi.scope import request_path
from ..messages import Respond
from .application import Application
from .connection import QuartConnection
from .hooks import (
    REQUEST_ATTRIBUTES,
    GuardedMap,
    SessionlessConfig,
    Signals,
    forbid_hooks,
    refuse,
    refuse_existing_hooks,
)

_TEST_CLIENT = "_quart._preserve_context"
"""In the scope of each request by Quart's test client, which may access `request` and `g` afterwards."""


class LaneApplication(Application):
    """Raises RuntimeError, naming it, for anything added to it that Quart would run for our paths.

    In a tool there is no `quart.request` and no `current_app`. The limits of a body and an answer are read from the
    config when serving starts.
    """

    config_class = SessionlessConfig
    url_map_class = GuardedMap
    url_map: GuardedMap

    lane: Lane | None = None

    def __init__(self, paths: Iterable[str], respond: Callable[[], Respond]) -> None:
        super().__init__(paths, respond)
        self._respond = respond
        self._signals = Signals(self)
        forbid_hooks(self)
        self.url_map.our_paths = self.paths
        self._complete = True

    def asgi_http_class(self, app: Quart, scope: HTTPScope) -> ASGIHTTPProtocol:  # type: ignore[override]
        """Called by Quart's `asgi_app` to get the connection that answers a request."""
        if self.lane is not None and _TEST_CLIENT not in scope:
            path = request_path(scope)
            if path in self.paths:
                return cast(ASGIHTTPProtocol, partial(self.lane.answer, scope, path))
        return QuartConnection(self, scope)

    async def startup(self) -> None:
        refuse_existing_hooks(self)
        self._signals.refuse_receivers()
        try:
            await super().startup()
        except BaseException:
            self._signals.detach()
            raise
        config = self.config
        self.lane = Lane(
            self._respond(), Limits(config["MAX_CONTENT_LENGTH"], config["BODY_TIMEOUT"], config["RESPONSE_TIMEOUT"])
        )

    async def shutdown(self) -> None:
        self._signals.detach()
        await super().shutdown()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in REQUEST_ATTRIBUTES and "_complete" in vars(self):
            refuse(f"another {name}")
        super().__setattr__(name, value)
