"""The body of one event stream: renders batches to bytes, one write per batch.

The first byte is sent at once, and every path ends with a last event or the comment of the cap. The client and its
version of HTTP are not known here.
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from ..middleware import Batch, Batches, Mark
from ..protocol.errors import InternalError, McpAppError
from ..protocol.event import Entry
from ..protocol.stream import Input, Stream, StreamState

logger = logging.getLogger("mcp_app.frames")


class Rendering(Protocol):
    """A dialect's format on the wire: complete frames, or comment lines."""

    def opening(self) -> bytes:
        """The first bytes of the stream."""

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        """One frame for each entry."""

    def heartbeat(self) -> bytes: ...
    def cap(self) -> bytes:
        """The end of a stream whose run continues."""

    def error(self, error: McpAppError) -> bytes:
        """The end of a stream that failed or lost its position."""


class Frames:
    """An async iterator of chunks. `close` ends it from outside, at any time, and may be called repeatedly."""

    __slots__ = (
        *("_batches", "_clock", "_closed", "_end", "_failed", "_forget", "_on_close"),
        *("_opened", "_rendering", "_run", "_stream", "_task"),
    )

    def __init__(
        self,
        batches: Batches,
        stream: Stream,
        clock: Callable[[], float],
        *,
        run: str,
        rendering: Rendering,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._batches = batches
        self._stream = stream
        self._clock = clock
        self._run = run
        self._rendering = rendering
        self._on_close = on_close
        self._opened = False
        self._failed = False
        self._closed = False
        self._forget: Callable[[Frames], None] | None = None
        self._end: McpAppError | None = None
        self._task: asyncio.Task[object] | None = None

    @property
    def seconds_left(self) -> float:
        """Seconds until the stream ends by itself, if its reader keeps up."""
        return self._stream.cap_at - self._clock()

    @property
    def over(self) -> bool:
        """Whether the final chunk has been returned."""
        return self._stream.state is StreamState.ENDED

    def __aiter__(self) -> Frames:
        return self

    async def __anext__(self) -> bytes:
        if self._closed or self._failed:
            raise StopAsyncIteration
        opening = b"" if self._opened else self._opening()
        try:
            # The first byte never waits for the tool: it is sent with the events that are already available.
            next_batch = self._batches.next if self._forget is None else self._next_unless_ended
            batch = await next_batch(self._clock() if opening else math.inf)
            while batch is not None and not batch and not opening:
                batch = await next_batch(math.inf)
        except McpAppError as error:
            return opening + self._final_error(error)
        except Exception as error:
            error_id = secrets.token_hex(8)
            logger.exception("the stream of run %s failed [error_id %s]", self._run, error_id, exc_info=error)
            return opening + self._final_error(InternalError("The server failed to go on.", error_id=error_id))
        if batch is None:
            raise StopAsyncIteration
        return opening + self._render(batch)

    def watch(self, forget: Callable[[Frames], None]) -> None:
        """From now on somebody may `end` it, and is told by `forget` when it is closed. Before its first chunk."""
        self._forget = forget

    def end(self, error: McpAppError) -> None:
        """End it with this error, of one that is watched: what it waits for is given up."""
        if self._end is None and not self.over:
            self._end = error
            if self._task is not None:
                self._task.cancel()

    async def _next_unless_ended(self, until: float) -> Batch | None:
        if self._end is not None:
            raise self._end
        task = self._task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by a task
        before = task.cancelling()
        try:
            return await self._batches.next(until)
        except asyncio.CancelledError:
            if self._end is None or task.uncancel() > before:  # somebody else cancels it, too
                raise
            raise self._end from None
        finally:
            self._task = None

    async def aclose(self) -> None:
        """The method of async generators that Quart calls when it has finished a body."""
        self.close()

    def after_close(self, then: Callable[[], object]) -> None:
        """Call this as well when it is closed."""
        before = self._on_close

        def both() -> None:
            before()
            then()

        self._on_close = both

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._forget is not None:
                self._forget(self)
            self._batches.close()
            self._on_close()

    def _opening(self) -> bytes:
        self._opened = True
        self._stream.step(Input.OPEN, self._clock())
        return self._rendering.opening()

    def _render(self, batch: Batch) -> bytes:
        if not batch:
            return b""
        mark = batch[-1]
        if not isinstance(mark, Mark):
            return b"".join(self._rendering.entries(cast(Sequence[Entry], batch)))
        frames = self._rendering.entries(cast(Sequence[Entry], batch[:-1])) if len(batch) > 1 else []
        frames.append(self._rendering.heartbeat() if mark is Mark.HEARTBEAT else self._rendering.cap())
        return b"".join(frames)

    def _final_error(self, error: McpAppError) -> bytes:
        """The final event of a failed stream, or one that lost its position.

        An exception would cut the connection on HTTP/1.1; on HTTP/2 with the released Hypercorn the client would wait
        forever.
        """
        self._failed = True
        self._stream.step(Input.LOST, self._clock())
        return self._rendering.error(error)
