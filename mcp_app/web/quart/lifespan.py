"""Quart's ASGI lifespan, which also gets what the server has for its application. No request is answered here."""

from __future__ import annotations

import logging
from typing import Any, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, LifespanScope
from quart import Quart
from quart.asgi import ASGILifespan

from ..asgi.server_state import DRAINING_KEY, MALFORMED_KEY, PAGE_KEY, PROCESSES_KEY, STOPPING_KEY, Served

logger = logging.getLogger("mcp_app")


class Lifespan(ASGILifespan):
    """Sets the application's `on_draining`, None if the server has none: then streams end at the lifespan's shutdown.
    And what else the server knows of itself, if it does."""

    def __init__(self, app: Quart, scope: LifespanScope) -> None:
        super().__init__(app, scope)
        state = cast("dict[str, Any]", scope.get("state") or {})
        self._application = cast(Served, app)
        self._application.on_draining = state.get(DRAINING_KEY)
        self._application.malformed_requests = state.get(MALFORMED_KEY, self._application.malformed_requests)
        self._application.is_stopping = state.get(STOPPING_KEY, self._application.is_stopping)
        self._application.processes = state.get(PROCESSES_KEY, 1)
        self._application.page = state.get(PAGE_KEY)

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if self._application.on_draining is None and _is_hypercorn(receive):
            logger.warning(
                "served by Hypercorn as released, whose defects cost streams, and whose stop cuts them: call "
                "mcp_app.server.engine.install() in the module that Hypercorn serves"
            )
        await super().__call__(receive, send)


def _is_hypercorn(receive: ASGIReceiveCallable) -> bool:
    """Hypercorn does not identify itself in a lifespan's scope. Middleware that wraps `receive` hides it."""
    return type(getattr(receive, "__self__", None)).__module__.startswith("hypercorn.")
