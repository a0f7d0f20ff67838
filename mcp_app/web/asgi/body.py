"""Reads a request's body: its chunks, their limits in bytes and time, and the errors for exceeding those.

The meaning of a body is not known here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

from hypercorn.typing import ASGIReceiveCallable, ASGIReceiveEvent

from ...protocol.errors import BodyTimeout, BodyTooLarge, McpAppError, Overloaded
from .leaving import Queue

MAX_BODY_BYTES = 1024 * 1024
"""Limit of a request's body: a call's parameters, not an upload. The official SDKs take 4 MiB, Mercure 1 MiB."""

BODY_SECONDS = 10
"""Limit for the whole body: a mebibyte over a bad mobile connection; without it a peer that sends a byte now and then
holds a stream forever."""


MAX_BODIES_BYTES = 128 * 1024 * 1024
"""Of all bodies that have begun and are not complete: 128 of the largest. One HTTP/2 connection could hold as much, and
somebody can have a thousand. What is complete becomes a run, which counts what it holds."""


def too_large(max_bytes: float | None = MAX_BODY_BYTES) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {max_bytes} bytes.")


def too_late(seconds: float | None = BODY_SECONDS) -> BodyTimeout:
    return BodyTimeout(f"The body did not arrive within {seconds:g} seconds.")


class IncompleteBodies:
    """The bytes of a process's bodies that are not complete."""

    __slots__ = ("held", "most")

    def __init__(self, most: int = MAX_BODIES_BYTES) -> None:
        self.held = 0
        self.most = most

    def add(self, size: int) -> None:
        """Count received bytes. Raises Overloaded for too many."""
        self.held += size
        if self.held > self.most:
            raise Overloaded("The server is receiving as many bytes as it may hold.", headers={"Retry-After": "5"})


ALL_BODIES = IncompleteBodies()
"""Of this process, whichever way they come in."""


class IncomingBody:
    """A request's body, up to `max_bytes`. Raises BodyTooLarge as soon as its declared or received length exceeds
    that, and Overloaded where all together hold too much."""

    __slots__ = ("_all", "_max_bytes", "_size", "complete", "disconnected", "parts")

    def __init__(self, max_bytes: int | None, all_bodies: IncompleteBodies = ALL_BODIES) -> None:
        self._all = all_bodies
        self._max_bytes = math.inf if max_bytes is None else max_bytes
        self._size = 0
        self.parts: list[bytes] = []
        self.complete = False
        """No more of the body will be received."""
        self.disconnected = False
        """The client disconnected before the end of the body."""

    def check_content_length(self, headers: Mapping[str, str]) -> None:
        """Reject a declared length over the limit. RFC 9112, 6.3: with a chunked body, Content-Length is ignored."""
        length = headers.get("content-length", "").strip(" \t")
        if not (length.isascii() and length.isdecimal()):
            return  # none, or not a number: the received bytes are counted
        # As a float, so that no number of digits is too many.
        if float(length) > self._max_bytes and "chunked" not in headers.get("transfer-encoding", "").lower():
            raise too_large(self._max_bytes)

    def add(self, part: bytes) -> None:
        self.parts.append(part)
        self._size += len(part)
        self._all.add(len(part))
        if self._size > self._max_bytes:
            raise too_large(self._max_bytes)

    def feed(self, message: ASGIReceiveEvent) -> None:
        if message["type"] != "http.request":
            self.complete = self.disconnected = True
            return
        self.add(message.get("body", b""))
        self.complete = not message.get("more_body", False)

    def close(self) -> None:
        """It is read no further."""
        self._all.held -= self._size


async def read_body(
    headers: Mapping[str, str],
    receive: ASGIReceiveCallable,
    queue: Queue | None,
    max_bytes: int | None,
    seconds: float | None,
) -> tuple[bytes | None, McpAppError | None]:
    """The body, or None if the client disconnected before its end; and the error if it could not be read, with an empty
    body."""
    body = IncomingBody(max_bytes)
    try:
        body.check_content_length(headers)
        while queue is not None and not body.complete and (message := queue.poll()) is not None:
            body.feed(message)
        if not body.complete:
            async with asyncio.timeout(seconds):
                while not body.complete:
                    body.feed(await receive())
    except TimeoutError:
        return b"", too_late(seconds)
    except McpAppError as error:
        return b"", error
    finally:
        body.close()
    return None if body.disconnected else b"".join(body.parts), None
