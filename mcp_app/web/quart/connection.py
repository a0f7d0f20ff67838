"""Quart's ASGI connection, with a cancellation that reaches the view and leaves no task behind.

As released, `ASGIHTTPConnection` waits for its two tasks with `asyncio.wait`, which does not cancel them when it is
cancelled itself: an aborted HTTP/2 connection, a rapid reset or a shutdown left both of them running to the end of the
response's generator. No routing and no policy may be in here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart import Request
from quart.asgi import ASGIHTTPConnection

from ...aio.cancelling import end
from ..frames import Frames

if TYPE_CHECKING:
    from ..asgi.lane import FastLane

FRAMES = "mcp_app.frames"
"""Where in the ASGI scope the view leaves a body of frames, so that it is closed even if nobody ever iterates it."""

NO_PATH = "/*"
"""Where a target without a path leads (`*`, `?x`, `http://[`). No route can be here: mcp.json's own must be made of
letters, digits and a few marks."""


class Connection(ASGIHTTPConnection):
    """One request. By the fast lane, where there is nothing for Quart to do; else a task that reads messages, and a
    task that answers: when one is done, or we are, so is the other."""

    def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> Coroutine[Any, Any, None]:
        lane: FastLane | None = getattr(self.app, "fast_lane", None)
        if lane is not None and type(self) is Connection and lane.takes(self.scope):
            return lane.answer(self.scope, _path(self.scope["path"]), receive, send)
        return self._by_quart(receive, send)

    async def _by_quart(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
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
            await end(tasks)
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
