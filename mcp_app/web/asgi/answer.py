"""Sends an answer as ASGI messages: the head, then the body at once or frame by frame.

The content of an answer is not known here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from hypercorn.typing import ASGISendCallable, ASGISendEvent

from ..frames import Frames
from ..messages import Answer
from .leaving import CancelScope
from .scope import has_content_length

ANSWER_SECONDS = 60.0
"""Time-out of an answer that is not a stream: Quart's own default. If the peer does not read it, it is reset."""

BACKSTOP_SECONDS = 5.0
"""Time after the cap for a last event that the peer does not read; then the stream is reset."""

BODY_FOLLOWS = "mcp_app.body_follows"
"""A message key known to our own server (server/engine/streams.py). Other servers ignore unknown keys."""

_CACHED_HEADS = 256
_CACHED_HEAD_CHARS = 1024
"""The number of encoded heads that are cached, and the longest total of a cached head's values: nearly all answers have
one of a dozen short heads, and the answer to an arbitrary client's preflight is not cached."""


async def send_answer(
    answer: Answer, method: str, send: ASGISendCallable, cancel_scope: CancelScope, seconds: float | None
) -> None:
    """Send `answer`; if it is not a stream, within `seconds`. A stream that is not sent completely is closed."""
    body = answer.body
    if isinstance(body, Frames):
        try:
            cancel_scope.set_timeout(body.seconds_left + BACKSTOP_SECONDS)
            await send(_response_start(answer, method))
            async for chunk in body:
                if body.over:
                    cancel_scope.begin_final_write()
                await send(_body_message(chunk, more=not body.over))
            if not body.over:  # ended without a last event
                cancel_scope.begin_final_write()
                await send(_body_message(b"", more=False))
        finally:
            body.close()
    else:
        cancel_scope.set_timeout(seconds)
        await send(_response_start(answer, method))
        cancel_scope.begin_final_write()
        await send(_body_message(body, more=False))


def _response_start(answer: Answer, method: str) -> ASGISendEvent:
    fields = answer.headers
    short = sum(len(value) for _, value in fields) <= _CACHED_HEAD_CHARS
    # A list, and one of its own: middleware adds to it (Starlette's does).
    head = [*(_encode_headers_cached(fields) if short else encode_headers(fields))]
    if has_content_length(answer, method):
        head.append((b"content-length", b"%d" % len(cast(bytes, answer.body))))
    start: dict[str, Any] = {"type": "http.response.start", "status": answer.status, "headers": head, "trailers": False}
    start[BODY_FOLLOWS] = True
    return cast(ASGISendEvent, start)


def _body_message(body: bytes, *, more: bool) -> ASGISendEvent:
    return {"type": "http.response.body", "body": body, "more_body": more}


def encode_headers(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """Header fields as ASGI has them. Raises ValueError for a value with a line break, which would inject another
    field; werkzeug does the same for Quart."""
    if any("\r" in value or "\n" in value for _, value in headers):
        raise ValueError("a header field's value has a line break in it")
    return tuple((name.lower().encode(), value.encode()) for name, value in headers)


_encode_headers_cached = lru_cache(maxsize=_CACHED_HEADS)(encode_headers)
