"""How long a request's body is still read after its response, on either version of HTTP. The bytes are not known here.

A client that is sending may not read: one that is cut off loses the response (over HTTP/1.1 by a TCP reset: RFC 9112,
9.6), and several libraries wait over HTTP/2 for a flow-control window that a reset stream never gets. So the body is
read and discarded for a while: in bytes, in seconds, and as long as it comes at all.
"""

from __future__ import annotations

LINGER_BYTES = 16 * 1024 * 1024
"""Bytes discarded: sixteen times the largest body that is accepted, so that a client that is somewhat over the limit
can finish, and reads 413. An accepted body costs the server more than a discarded one."""

LINGER_SECONDS = 10.0
"""The time an accepted body may take, too."""

PIECE_BYTES = 1024
"""A smaller piece, a DATA frame or a chunk, counts as so many bytes: it takes as long to discard."""

SILENCE_SECONDS = 2.0
"""Without a byte for this long, the client is reading the response or gone: several round trips to the far side of the
world."""


class Lingering:
    """One request's body after its response. The times are those of a monotonic clock."""

    __slots__ = ("_bytes_left", "_end", "deadline")

    def __init__(self, now: float) -> None:
        self._bytes_left = LINGER_BYTES
        self._end = now + LINGER_SECONDS
        self.deadline = min(self._end, now + SILENCE_SECONDS)
        """When the body is not read any more, unless more of it comes."""

    def discard(self, size: int, now: float, pieces: int = 1) -> bool:
        """Count `size` discarded bytes, in so many pieces. Returns whether more may be read."""
        self._bytes_left -= max(size, pieces * PIECE_BYTES)
        self.deadline = min(self._end, now + SILENCE_SECONDS)
        return self._bytes_left >= 0 and now < self._end
