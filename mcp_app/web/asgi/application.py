"""The lane: an ASGI application from `Request` to `Answer`, in the task in which the server calls it.

It calls one function, `respond`, and knows no framework: `create_app` routes our paths to it, and it can be served by
itself. Routes, Host, Origin and the meaning of a body belong to that function. No policy may be in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable

from ..messages import Respond
from .answer import ANSWER_SECONDS, send_answer
from .body import BODY_SECONDS, MAX_BODY_BYTES, read_body
from .leaving import QUEUE_KEY, CancelScope, Queue
from .scope import build_request, note_client, request_headers, request_path
from .websocket import refuse_handshake


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request; None is no limit."""

    body_bytes: int | None = MAX_BODY_BYTES
    body_seconds: float | None = BODY_SECONDS
    answer_seconds: float | None = ANSWER_SECONDS
    """For an answer that is not a stream: from its creation until it is written."""


class Lane:
    """An ASGI 3 application. The caller starts and stops what `respond` needs: the lifespan protocol is not supported,
    which is signalled to the server by the exception that ASGI requires."""

    __slots__ = ("_limits", "_respond")

    def __init__(self, respond: Respond, limits: Limits | None = None) -> None:
        self._respond = respond
        self._limits = limits or Limits()

    async def __call__(self, scope: Mapping[str, Any], receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "http":
            await self.answer(scope, request_path(scope), receive, send)
        elif scope["type"] == "websocket":
            await refuse_handshake(scope, receive, send)
        else:
            raise ValueError(f"the ASGI scope {scope['type']!r} is not supported")

    async def answer(
        self, scope: Mapping[str, Any], path: str, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        """Answer the request of an HTTP scope; `path` is the `request_path` of it."""
        limits = self._limits
        queue: Queue | None = scope.get("extensions", {}).get(QUEUE_KEY)
        if queue is not None and getattr(receive, "__self__", None) is not queue:
            queue = None  # middleware stands before it, and may have read the body, or changed it
        headers = request_headers(scope)
        body, unread = await read_body(headers, receive, queue, limits.body_bytes, limits.body_seconds)
        if body is None:
            return  # the client disconnected before its request was complete
        request = build_request(scope, path, headers, body)
        async with CancelScope(receive, queue, listen_now=unread is not None) as leaving:
            answer = await self._respond(request, unread)
            note_client(scope, request)
            del request, body, headers  # not kept in memory for the life of a stream
            await send_answer(answer, scope["method"], send, leaving, limits.answer_seconds)
