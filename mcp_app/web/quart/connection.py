"""Quart's ASGI connection: gives a request target without a path one, and ends its tasks.

No routing and no policy may be in here.
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable
from quart.asgi import ASGIHTTPConnection

from ...aio.cancelling import end
from ..asgi.scope import target_authority, target_path

QUART = tuple(int(part) for part in version("quart").split(".")[:2])


class _TaskGroupConnection(ASGIHTTPConnection):
    """Quart 0.23 and newer. As released it waits for the client to disconnect even after the response has ended: a
    response that was given up because the client did not read it was never reset."""

    # mypy checks against 0.22, which passes no task.
    async def handle_messages(  # type: ignore[override]
        self, request: Any, receive: Any, request_task: asyncio.Task[None]
    ) -> None:
        reader_task = asyncio.current_task()
        assert reader_task is not None  # noqa: S101 - a coroutine is run by a task
        request_task.add_done_callback(lambda _: reader_task.cancel())
        await super().handle_messages(request, receive, request_task)  # type: ignore[call-arg]


class _TwoTaskConnection(ASGIHTTPConnection):
    """Quart 0.22. As released it waits for its two tasks with `asyncio.wait`, which does not cancel them when it is
    cancelled itself: after an aborted HTTP/2 connection, a rapid reset or a shutdown both ran on to the end of the
    response's generator."""

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
    _CancellingConnection = ASGIHTTPConnection
else:
    _CancellingConnection = _TwoTaskConnection if QUART < (0, 23) else _TaskGroupConnection


class QuartConnection(_CancellingConnection):
    """One request by Quart: when it is answered, its client disconnects or the server stops, none of its tasks are
    left."""

    async def __call__(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        target = self.scope["path"]
        if (authority := target_authority(target)) is not None:
            fields = [(name, value) for name, value in self.scope["headers"] if name != b"host"]
            self.scope["headers"] = [(b"host", authority.encode()), *fields]
        self.scope["path"] = target_path(target)  # Quart requires a path
        await super().__call__(receive, send)
