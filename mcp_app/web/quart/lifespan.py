"""Quart's side of ASGI's lifespan, which also finds what the server says of its stop. No request is answered here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, LifespanScope
from quart.asgi import ASGILifespan

if TYPE_CHECKING:
    from .application import Application

logger = logging.getLogger("mcp_app")

DRAINING = "mcp_app.draining"
"""In the lifespan's state: how to have something called when the server begins to stop. Ours says so in
server/engine/draining.py."""


class Lifespan(ASGILifespan):
    """Gives the application the server's `on_draining`, None where it has none: there, streams end at the shutdown."""

    app: Application

    def __init__(self, app: Application, scope: LifespanScope) -> None:
        super().__init__(app, scope)
        app.on_draining = cast("dict[str, object]", scope.get("state") or {}).get(DRAINING)  # type: ignore[assignment]

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if self.app.on_draining is None and _is_hypercorns(receive):
            logger.warning(
                "served by Hypercorn as released, whose defects cost streams, and whose stop cuts them: call "
                "mcp_app.server.engine.install() in the module that Hypercorn serves"
            )
        await super().__call__(receive, send)


def _is_hypercorns(receive: ASGIReceiveCallable) -> bool:
    """Hypercorn says nothing of itself in a lifespan's scope. Middleware that wraps `receive` hides it."""
    return type(getattr(receive, "__self__", None)).__module__.startswith("hypercorn.")
