"""Quart's ASGI lifespan, which also gets the server's subscribe function for its shutdown. No request is answered
here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, LifespanScope
from quart.asgi import ASGILifespan

if TYPE_CHECKING:
    from .application import Application

logger = logging.getLogger("mcp_app")

DRAINING_KEY = "mcp_app.draining"
"""The key of the lifespan state under which a server provides a function to subscribe to its shutdown. Ours does:
server/engine/draining.py."""


class Lifespan(ASGILifespan):
    """Sets the application's `on_draining`; None if the server has none: then streams end at the lifespan's
    shutdown."""

    app: Application

    def __init__(self, app: Application, scope: LifespanScope) -> None:
        super().__init__(app, scope)
        app.on_draining = cast("dict[str, object]", scope.get("state") or {}).get(DRAINING_KEY)  # type: ignore[assignment]

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if self.app.on_draining is None and _is_hypercorn(receive):
            logger.warning(
                "served by Hypercorn as released, whose defects cost streams, and whose stop cuts them: call "
                "mcp_app.server.engine.install() in the module that Hypercorn serves"
            )
        await super().__call__(receive, send)


def _is_hypercorn(receive: ASGIReceiveCallable) -> bool:
    """Hypercorn does not identify itself in a lifespan's scope. Middleware that wraps `receive` hides it."""
    return type(getattr(receive, "__self__", None)).__module__.startswith("hypercorn.")
