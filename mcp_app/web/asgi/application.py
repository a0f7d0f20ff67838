"""The lane: one ASGI application from `Request` to `Answer`, in the task that the server calls it in.

It knows a function that answers, and no framework: `create_app` hands it our paths, and it can be served by itself.
Routes, Host, Origin and what a body means belong to the function. No policy may be in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable

from ..messages import Respond
from .answer import ANSWER_SECONDS, send_answer
from .body import BODY_SECONDS, MAX_BODY_BYTES, read_body
from .leaving import QUEUE, Leaving, Queue
from .scope import headers_in, path_in, request_in
from .websocket import refuse_handshake


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take; None is no limit."""

    body_bytes: int | None = MAX_BODY_BYTES
    body_seconds: float | None = BODY_SECONDS
    answer_seconds: float | None = ANSWER_SECONDS
    """Of an answer that is not a stream, from when it is made to when it is written."""


class Lane:
    """An ASGI 3 application. Whatever `respond` needs is started and stopped by who serves it: a lifespan is not
    supported, which a server learns by the error that ASGI asks for."""

    __slots__ = ("_limits", "_respond")

    def __init__(self, respond: Respond, limits: Limits | None = None) -> None:
        self._respond = respond
        self._limits = limits or Limits()

    async def __call__(self, scope: Mapping[str, Any], receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http":
            await self.answer(scope, path_in(scope), receive, send)
        elif scope["type"] == "websocket":
            await refuse_handshake(scope, receive, send)
        else:
            raise ValueError(f"the ASGI scope {scope['type']!r} is not supported")

    async def answer(
        self, scope: Mapping[str, Any], path: str, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer the request of an HTTP scope; `path` is what `path_in` says of it."""
        limits = self._limits
        queue: Queue | None = scope.get("extensions", {}).get(QUEUE)
        headers = headers_in(scope)
        body, unread = await read_body(headers, receive, queue, limits.body_bytes, limits.body_seconds)
        if body is None:
            return  # the client left before it had said what it wants
        request = request_in(scope, path, headers, body)
        async with Leaving(receive, queue, at_once=unread is not None) as leaving:
            answer = await self._respond(request, unread)
            del request, body, headers  # a stream lives longer than what it was asked for with
            await send_answer(answer, scope["method"], send, leaving, limits.answer_seconds)
