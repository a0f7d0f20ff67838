"""A request's body on its way in: its parts, their bounds in bytes and time, and what is said where they are exceeded.

What a body means is not known here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent

from ...protocol.errors import BodyTimeout, BodyTooLarge, McpAppError
from .leaving import Queue

MAX_BODY_BYTES = 1024 * 1024
"""Of a request: a call's parameters, not an upload. The official SDKs take 4 MiB, Mercure 1 MiB."""

BODY_SECONDS = 10
"""For the whole body: a mebibyte over a bad mobile line; without it a peer that drips pins a stream for ever."""


def too_large() -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes.")


def too_late() -> BodyTimeout:
    return BodyTimeout(f"The body did not arrive within {BODY_SECONDS} seconds.")


class IncomingBody:
    """A request's body, of `most` bytes at most. Raises BodyTooLarge as soon as it says, or is, more."""

    __slots__ = ("_most", "_size", "complete", "given_up", "parts")

    def __init__(self, most: int | None) -> None:
        self._most = math.inf if most is None else most
        self._size = 0
        self.parts: list[bytes] = []
        self.complete = False
        """Nothing more of it will come."""
        self.given_up = False
        """The client left before its end."""

    def announce(self, headers: Mapping[str, str]) -> None:
        """What its head says of its length. RFC 9112, 6.3: where it comes in chunks, Content-Length says nothing."""
        length = headers.get("content-length", "").strip(" \t")
        if not (length.isascii() and length.isdecimal()):
            return  # none, or what is no number: what comes is counted
        # As a float, so that no count of digits is too many.
        if float(length) > self._most and "chunked" not in headers.get("transfer-encoding", "").lower():
            raise too_large()

    def add(self, part: bytes) -> None:
        self.parts.append(part)
        self._size += len(part)
        if self._size > self._most:
            raise too_large()

    def take(self, message: ASGIReceiveEvent) -> None:
        if message["type"] != "http.request":
            self.complete = self.given_up = True
            return
        self.add(message.get("body", b""))
        self.complete = not message.get("more_body", False)


async def read_body(
    headers: Mapping[str, str],
    receive: ASGIReceiveCallable,
    queue: Queue | None,
    most: int | None,
    seconds: float | None,
) -> tuple[bytes | None, McpAppError | None]:
    """The body, or None when the client left before its end; and why it could not be read, beside an empty one."""
    body = IncomingBody(most)
    try:
        body.announce(headers)
        while queue is not None and not body.complete and (message := queue.ready()) is not None:
            body.take(message)
        if not body.complete:
            async with asyncio.timeout(seconds):
                while not body.complete:
                    body.take(await receive())
    except TimeoutError:
        return b"", too_late()
    except McpAppError as error:
        return b"", error
    return None if body.given_up else b"".join(body.parts), None
