"""An answer on its way out: its head as ASGI has it, its body at once or frame by frame.

What it says is not known here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from hypercorn.typing import ASGISendCallable, ASGISendEvent

from ..frames import Frames
from ..messages import Answer
from .leaving import Leaving
from .scope import says_length

ANSWER_SECONDS = 60.0
"""For an answer that is not a stream: Quart's own default. A peer that does not read it is reset then."""

BACKSTOP_SECONDS = 5.0
"""After the cap, for a last event that a peer does not read: then the stream is reset."""

BODY_FOLLOWS = "mcp_app.body_follows"
"""Said to a server that knows it: server/engine/streams.py. Others pass over what they do not know."""

_HEADS = 256
_HEAD_CHARS = 1024
"""Heads of answers that are kept encoded, and how long the values of one may be: nearly all answers have one of a dozen
short ones, and what a stranger's preflight is answered with is not kept."""


async def send_answer(
    answer: Answer, method: str, send: ASGISendCallable, leaving: Leaving, seconds: float | None
) -> None:
    """Send it, in `seconds` at most where it is not a stream. A stream that is not sent to its end is closed."""
    body = answer.body
    if isinstance(body, Frames):
        try:
            leaving.end_after(body.seconds_left + BACKSTOP_SECONDS)
            await send(_start(answer, method))
            async for chunk in body:
                if body.over:
                    leaving.last_word()
                await send(_part(chunk, more=not body.over))
            if not body.over:  # it stopped without a last event
                leaving.last_word()
                await send(_part(b"", more=False))
        finally:
            body.close()
    else:
        leaving.end_after(seconds)
        await send(_start(answer, method))
        leaving.last_word()
        await send(_part(body, more=False))


def _start(answer: Answer, method: str) -> ASGISendEvent:
    fields = answer.headers
    short = sum(len(value) for _, value in fields) <= _HEAD_CHARS
    head = _kept_encoded(fields) if short else encoded(fields)
    if says_length(answer, method):
        head = (*head, (b"content-length", b"%d" % len(cast(bytes, answer.body))))
    start: dict[str, Any] = {"type": "http.response.start", "status": answer.status, "headers": head, "trailers": False}
    start[BODY_FOLLOWS] = True
    return cast(ASGISendEvent, start)


def _part(body: bytes, *, more: bool) -> ASGISendEvent:
    return {"type": "http.response.body", "body": body, "more_body": more}


def encoded(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[bytes, bytes], ...]:
    """As ASGI has them. Raises ValueError for what would be another field, as werkzeug does for Quart."""
    if any("\r" in value or "\n" in value for _, value in headers):
        raise ValueError("a header field's value has a line break in it")
    return tuple((name.lower().encode(), value.encode()) for name, value in headers)


_kept_encoded = lru_cache(maxsize=_HEADS)(encoded)
