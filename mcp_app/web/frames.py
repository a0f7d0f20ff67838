"""Batches become bytes: the body of one event stream, one write for all that is there.

The first byte goes out at once, and every path ends with a last event or the comment of the cap. Who reads, and over
which HTTP, is not known here.
"""

from __future__ import annotations

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
    """How one dialect looks on the wire: whole frames, or comment lines."""

    def opening(self) -> bytes:
        """The first bytes, at once."""

    def entries(self, entries: Sequence[Entry]) -> list[bytes]:
        """What each of them looks like."""

    def heartbeat(self) -> bytes: ...
    def cap(self) -> bytes:
        """What ends a stream whose run goes on."""

    def error(self, error: McpAppError) -> bytes:
        """What ends a stream that lost its place."""


class Frames:
    """An async iterator of chunks. `close` ends it from outside, at any time, and any number of times."""

    __slots__ = (
        *("_batches", "_clock", "_closed", "_lost", "_on_close"),
        *("_opened", "_rendering", "_run", "_stream"),
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
        self._lost = False
        self._closed = False

    @property
    def seconds_left(self) -> float:
        """Until the stream ends by itself, if its reader takes what is written."""
        return self._stream.cap_at - self._clock()

    @property
    def over(self) -> bool:
        """Whether no chunk follows those that were given out."""
        return self._stream.state is StreamState.ENDED

    def __aiter__(self) -> Frames:
        return self

    async def __anext__(self) -> bytes:
        if self._closed or self._lost:
            raise StopAsyncIteration
        opening = b"" if self._opened else self._open()
        try:
            # The first byte never waits for a tool: it takes along the events that are there already.
            batch = await self._batches.next(self._clock() if opening else math.inf)
            while batch is not None and not batch and not opening:
                batch = await self._batches.next(math.inf)
        except McpAppError as error:
            return opening + self._last_word(error)
        except Exception as error:
            error_id = secrets.token_hex(8)
            logger.exception("the stream of run %s failed [error_id %s]", self._run, error_id, exc_info=error)
            return opening + self._last_word(InternalError("The server failed to go on.", error_id=error_id))
        if batch is None:
            raise StopAsyncIteration
        return opening + self._bytes(batch)

    async def aclose(self) -> None:
        """What an async generator has, and Quart calls when it is done with a body."""
        self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._batches.close()
            self._on_close()

    def _open(self) -> bytes:
        self._opened = True
        self._stream.step(Input.OPEN, self._clock())
        return self._rendering.opening()

    def _bytes(self, batch: Batch) -> bytes:
        if not batch:
            return b""
        mark = batch[-1]
        if not isinstance(mark, Mark):
            return b"".join(self._rendering.entries(cast(Sequence[Entry], batch)))
        frames = self._rendering.entries(cast(Sequence[Entry], batch[:-1])) if len(batch) > 1 else []
        frames.append(self._rendering.heartbeat() if mark is Mark.HEARTBEAT else self._rendering.cap())
        return b"".join(frames)

    def _last_word(self, error: McpAppError) -> bytes:
        """The reader lost its place, or we did: it is told, and does not get a hole. No id, as nothing can be resumed.

        An exception instead would be a cut on HTTP/1.1, and on HTTP/2 as released a silence without end.
        """
        self._lost = True
        self._stream.step(Input.LOST, self._clock())
        return self._rendering.error(error)
