"""Quart's ASGI connection, with a cancellation that reaches the view and leaves no task behind.

As released, `ASGIHTTPConnection` waits for its two tasks with `asyncio.wait`, which does not cancel them when it is
cancelled itself: an aborted HTTP/2 connection, a rapid reset or a shutdown left both of them running to the end of the
response's generator. No routing and no policy may be in here.
"""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart import Request
from quart.asgi import ASGIHTTPConnection

from .frames import Frames

logger = logging.getLogger("mcp_app.connection")

FRAMES = "mcp_app.frames"
"""Where in the ASGI scope the view leaves a body of frames, so that it is closed even if nobody ever iterates it."""

NO_PATH = "/*"
"""Where a target without a path leads (`*`, `?x`, `http://[`). No route can be here: mcp.json's own must be made of
letters, digits and a few marks."""

CANCEL_SECONDS = 0.1
"""How long a cancelled task has before it is cancelled again: `asyncio.wait_for` of Python 3.11 loses a cancel that
arrives together with a result, and Quart waits with it for the body and for the response."""

CANCEL_TRIES = 100
"""Ten seconds of trying: what still runs then is a defect, and is logged rather than waited for without end."""


class Connection(ASGIHTTPConnection):
    """One request: a task that reads messages, a task that answers; when one is done, or we are, so is the other."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        request = self._create_request_from_scope(send)
        tasks = {
            asyncio.ensure_future(self.handle_messages(request, receive)),
            asyncio.ensure_future(self.handle_request(request, send)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            frames = self.scope.get(FRAMES)
            if isinstance(frames, Frames):
                frames.close()
            await _end(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    def _create_request_from_scope(self, send: ASGISendCallable) -> Request:
        self.scope["path"] = _path(self.scope["path"])
        return super()._create_request_from_scope(send)


def _path(target: str) -> str:
    """The path in a request target (RFC 9112, 3.2), of which Quart itself expects that there is one."""
    if target.startswith("/"):
        return target
    try:
        parts = urlsplit(target)
    except ValueError:
        return NO_PATH
    return (parts.path or "/") if parts.scheme and parts.netloc else NO_PATH


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel until all are done, also when we are cancelled meanwhile: that is passed on at the end."""
    cancelled: asyncio.CancelledError | None = None
    for _ in range(CANCEL_TRIES):
        pending = {task for task in tasks if not task.done()}
        if not pending:
            break
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=CANCEL_SECONDS)
        except asyncio.CancelledError as error:
            cancelled = error
    else:
        logger.error("a request's task does not end when it is cancelled: %s", [t for t in tasks if not t.done()])
    if cancelled is not None:
        raise cancelled
