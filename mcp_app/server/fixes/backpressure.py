"""HTTP/2: a client that stops reading makes its tool wait, instead of making the server hold everything.

Upstream, `StreamBuffer.pop` wakes a waiting `push` whenever few bytes were *popped*; with a shut flow-control window
that is always (1.07 GB held within 2 s). Here `push` waits until the *buffer* is below the low-water mark.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, BUFFER_LOW_WATER, BufferCompleteError, StreamBuffer

from mcp_app.server.fixes.replacing import Fix, Replacement


async def push(self: StreamBuffer, data: bytes) -> None:
    """Take `data`, then wait while the buffer is full. Raises BufferCompleteError after the end, as upstream."""
    if self._complete:
        raise BufferCompleteError
    self.buffer.extend(data)
    await self._is_empty.clear()
    if len(self.buffer) >= BUFFER_HIGH_WATER:
        # Cleared before the wait: a mark left over from an earlier pop would let one more push of any size through.
        await self._paused.clear()
        await self._paused.wait()


async def pop(self: StreamBuffer, max_length: int) -> bytes:
    """Give at most `max_length` bytes; wake `push` only when what remains is below the low-water mark."""
    data = bytes(self.buffer[:max_length])
    del self.buffer[:max_length]
    if len(self.buffer) < BUFFER_LOW_WATER:
        await self._paused.set()
    if not self.buffer:
        await self._is_empty.set()
    return data


def _with(new: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return lambda old: new


FIX = Fix(
    name="backpressure",
    defect="an HTTP/2 client that stops reading makes the server hold everything its tool sends",
    upstream=("https://github.com/davidbrochart/anycorn/pull/61",),
    replacements=(
        Replacement(
            StreamBuffer, "push", "4ca8ee7b0fec5200558d7c92f251c1c5822f3589b2303c9d5d98bfbb579200b3", _with(push)
        ),
        Replacement(
            StreamBuffer, "pop", "9eb73c8833891346cbd8658fdd2ac29da8336007abab40a711db857f9c7280e6", _with(pop)
        ),
    ),
)
