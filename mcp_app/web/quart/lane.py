"""The application whose paths are answered by the lane, as it is decided when it is made.

The lane is there while the application is served. Other paths, and Quart's test client, go Quart's way. What of Quart's
would have to run for our paths is refused by hooks.py. No request is answered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

from hypercorn.typing import HTTPScope
from quart import Quart
from quart.typing import ASGIHTTPProtocol

from ..asgi.application import Lane, Limits
from ..asgi.scope import path_in
from ..messages import Respond
from .application import Application
from .connection import Connection
from .hooks import INSTEAD, GuardedMap, KeylessConfig, Signals, empty_for_good, refuse, refuse_hooks

_TEST_CLIENT = "_quart._preserve_context"
"""In the scope of each request of Quart's test client, which may be asked for `request` and `g` afterwards."""


class LaneApplication(Application):
    """Raises RuntimeError, naming it, for whatever is added to it that Quart would run for our paths.

    In a tool there is no `quart.request` and no `current_app`. The limits of a body and an answer are read from the
    config when serving starts.
    """

    config_class = KeylessConfig
    url_map_class = GuardedMap
    url_map: GuardedMap

    lane: Lane | None = None

    def __init__(self, paths: Iterable[str], respond: Callable[[], Respond]) -> None:
        super().__init__(paths, respond)
        self._respond = respond
        self._signals = Signals(self)
        empty_for_good(self)
        self.url_map.ours = self.paths
        self._complete = True

    def asgi_http_class(self, app: Quart, scope: HTTPScope) -> ASGIHTTPProtocol:  # type: ignore[override]
        """What Quart's `asgi_app` asks for what is to answer a request."""
        if self.lane is not None and _TEST_CLIENT not in scope:
            path = path_in(scope)
            if path in self.paths:
                return cast(ASGIHTTPProtocol, partial(self.lane.answer, scope, path))
        return Connection(self, scope)

    async def startup(self) -> None:
        refuse_hooks(self)
        self._signals.refuse_receivers()
        try:
            await super().startup()
        except BaseException:
            self._signals.forget()
            raise
        of = self.config
        self.lane = Lane(self._respond(), Limits(of["MAX_CONTENT_LENGTH"], of["BODY_TIMEOUT"], of["RESPONSE_TIMEOUT"]))

    async def shutdown(self) -> None:
        self._signals.forget()
        await super().shutdown()

    def __setattr__(self, name: str, value: Any) -> None:
        if name in INSTEAD and "_complete" in vars(self):
            refuse(f"another {name}")
        super().__setattr__(name, value)
