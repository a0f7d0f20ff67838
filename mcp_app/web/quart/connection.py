"""Quart's ASGI connection: a target without a path has one, what was begun ends, and no body stays open.

No routing and no policy may be in here.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart.asgi import ASGIHTTPConnection

from ...aio.cancelling import end
from ..asgi.scope import target_path
from ..frames import Frames

FRAMES = "mcp_app.frames"
"""Where in the ASGI scope the view leaves a body of frames, so that it is closed even if nobody ever iterates it."""

QUART = tuple(int(part) for part in version("quart").split(".")[:2])


class _WithTaskGroup(ASGIHTTPConnection):
    """Quart 0.23 and newer. As released it waits for the client to leave when the answer is over, too: one that was
    given up because nobody read it was never reset."""

    # mypy reads 0.22, which hands over no task.
    async def handle_messages(  # type: ignore[override]
        self, request: Any, receive: Any, request_task: asyncio.Task[None]
    ) -> None:
        reading = asyncio.current_task()
        assert reading is not None  # noqa: S101 - a coroutine is run by a task
        request_task.add_done_callback(lambda _: reading.cancel())
        await super().handle_messages(request, receive, request_task)  # type: ignore[call-arg]


class _WithTwoTasks(ASGIHTTPConnection):
    """Quart 0.22. As released it waits for its two tasks with `asyncio.wait`, which does not cancel them when it is
    cancelled itself: an aborted HTTP/2 connection, a rapid reset or a shutdown left both of them running to the end of
    the response's generator."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        request = self._create_request_from_scope(send)
        tasks = {
            asyncio.ensure_future(self.handle_messages(request, receive)),
            asyncio.ensure_future(self.handle_request(request, send)),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error


if TYPE_CHECKING:
    _Ending = ASGIHTTPConnection
else:
    _Ending = _WithTwoTasks if QUART < (0, 23) else _WithTaskGroup


class Connection(_Ending):
    """One request by Quart: when it has been answered, or its client or we are gone, nothing of it is left."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        # Quart itself expects that there is a path.
        self.scope["path"] = target_path(self.scope["path"])
        try:
            await super().__call__(receive, send)
        finally:
            frames = self.scope.get(FRAMES)
            if isinstance(frames, Frames):
                frames.close()
