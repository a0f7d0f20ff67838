"""Answers ASGI's lifespan protocol with two functions. What they start and stop is not known here."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent

logger = logging.getLogger("mcp_app")


class NotStarted(Exception):
    """The application cannot start. The message is one line, which the server prints: no traceback says more."""


async def answer_lifespan(
    startup: Callable[[], Awaitable[None]],
    shutdown: Callable[[], Awaitable[None]],
    receive: ASGIReceiveCallable,
    send: ASGISendCallable,
) -> None:
    """Call `startup` and `shutdown` when the server says so. What they raise is told to the server, and logged."""
    for phase, function in (("startup", startup), ("shutdown", shutdown)):
        await receive()
        try:
            await function()
        except NotStarted as error:
            await _send(send, f"lifespan.{phase}.failed", message=str(error))
            return
        except Exception as error:
            logger.exception("the %s failed", phase)
            await _send(send, f"lifespan.{phase}.failed", message=f"{type(error).__name__}: {error}")
            return
        await _send(send, f"lifespan.{phase}.complete")


async def _send(send: ASGISendCallable, kind: str, **more: Any) -> None:
    await send(cast(ASGISendEvent, {"type": kind, **more}))
