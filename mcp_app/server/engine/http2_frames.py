"""Frames received on an HTTP/2 connection: so many in a turn of the loop, and a budget for those that ask for nothing.

A frame of 9 bytes costs as much as a good part of a request: without a bound, one client that sends nothing else holds
all others up for seconds (CVE-2019-9512, -9515, -9518). What a frame means is h2's business; nothing is sent here.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from h2.exceptions import DenialOfServiceError
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes
from hypercorn.events import Closed
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, SettingsFrame

FRAMES_PER_TURN = 64
"""Frames handled before other tasks get a turn of the loop: some 2 ms. An ordinary read has fewer than ten."""

MAX_CREDIT = 1000
"""Frames without a request or data that a client may send at once; nghttp2 has the same limit for what it has to
acknowledge."""

MAX_EARNED = 10_000
"""As far as requests and data raise it: a client that has slept acknowledges at once what was sent meanwhile, with one
stream of small events some 2,000 frames."""

CREDIT_PER_SECOND = 10
"""Given back with time: no client pings more often."""

CREDIT_PER_WORK = 2
"""Given back for each request and each DATA frame, in either direction: a client acknowledges what it reads with a
WINDOW_UPDATE for the stream and one for the connection."""

SMALL_DATA = 16
"""Bytes of a DATA frame below which it asks for nothing, unless it ends its stream or is a WebSocket's: a body of a
mebibyte in frames of one byte is a million of them. Nor does one of an ended stream ask for anything."""

BYTES_OF_A_FRAME = 64
"""A longer frame is that many frames: one SETTINGS frame can have 2,730 settings."""

HEAD_BYTES_OF_A_FRAME = 16
"""So many bytes of a header block take as much of a turn as a frame: each can be a field, which takes 2 us to decode
and to check. They take nothing of the credit: a request may have a long head."""

MALFORMED_COST = 5
"""Of a malformed request, whose answer costs about as much as that many frames."""

MAX_HEAD_BYTES = 256 * 1024
"""Bytes of a head that is not complete, in any number of frames: h2 keeps a mebibyte. As much as would be decoded."""

_KNOWN_SETTINGS = frozenset(int(code) for code in SettingCodes)

TOO_LARGE_COST = 100
"""Of a head over the limit, of which up to 256 KiB are decoded: 50 ms."""


class Broken(Closed):
    """The connection has been ended by an error of the peer's, who may go on sending."""


class FrameBudget:
    """One connection's credit."""

    __slots__ = ("_clock", "_refilled_at", "credit")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.credit = MAX_CREDIT
        self._refilled_at = clock()

    def earn(self) -> None:
        """A request, or data."""
        if self.credit < MAX_EARNED:
            self.credit += CREDIT_PER_WORK

    def earn_data(self) -> None:
        """A DATA frame that is one, for which the cost of a frame has been spent."""
        if self.credit < MAX_EARNED:
            self.credit += 1 + CREDIT_PER_WORK

    def spend(self, cost: int) -> None:
        """A frame without either. The budget may be overdrawn: `check` finds it before the next frame."""
        self.credit -= cost

    def check(self) -> None:
        """Raise DenialOfServiceError, which h2 answers with GOAWAY ENHANCE_YOUR_CALM, if the budget is overdrawn."""
        if self.credit >= 0:
            return
        now = self._clock()
        self.credit = min(MAX_CREDIT, self.credit + int((now - self._refilled_at) * CREDIT_PER_SECOND))
        self._refilled_at = now
        if self.credit < 0:
            raise DenialOfServiceError("too many frames without a request")


class InboundFrames(FrameBuffer):
    """In place of h2's buffer. Iterating stops after FRAMES_PER_TURN frames, until the next turn begins."""

    def __init__(self, budget: FrameBudget) -> None:
        super().__init__(server=True)
        self._budget = budget
        self._left_in_turn = FRAMES_PER_TURN
        self._head_bytes = 0
        self.is_interrupted = False
        """More frames may have been received."""

    def begin_turn(self) -> None:
        self._left_in_turn = FRAMES_PER_TURN
        self.is_interrupted = False

    def discard(self) -> None:
        """The connection has ended: nothing more is read."""
        self._data.clear()
        self.is_interrupted = False

    def __next__(self) -> Frame:
        """As h2, which calls it once more after each part of a header block but the last."""
        if self._left_in_turn <= 0:
            self.is_interrupted = True
            raise StopIteration
        return super().__next__()

    def _update_header_buffer(self, f: Any) -> Frame | None:
        """As h2, which calls it with each frame that was sent, and gets None for a part of a header block but the last.

        Here each is counted; what `__next__` returns has no CONTINUATION (CVE-2024-27316). Raises DenialOfServiceError
        if the budget is overdrawn.
        """
        self._left_in_turn -= 1
        budget = self._budget
        if budget.credit < 0:
            budget.check()
        kind = type(f)
        joined: Frame | None = f
        if kind is HeadersFrame or kind is ContinuationFrame or self._headers_buffer:
            self._left_in_turn -= f.body_len // HEAD_BYTES_OF_A_FRAME
            joined = super()._update_header_buffer(f)
            cost = 0 if joined is not None else 1
            self._count_head(f.body_len if cost else None)
        else:
            cost = 1 + (0 if kind is DataFrame else f.body_len // BYTES_OF_A_FRAME)  # what it is worth is seen later
            if kind is SettingsFrame:
                # RFC 9113, 6.5.2: an unknown one must be ignored. h2 keeps each, which is 50 MB for all numbers.
                f.settings = {code: value for code, value in f.settings.items() if code in _KNOWN_SETTINGS}
        if cost:
            budget.spend(cost)
        elif budget.credit < MAX_EARNED:  # inline, as is the check: two calls less for each frame
            budget.earn()
        return joined

    def _count_head(self, size: int | None) -> None:
        """Count a part of a head that is not complete; None completes it. Raises DenialOfServiceError if it is too
        long."""
        if size is None:
            self._head_bytes = 0
            return
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            raise DenialOfServiceError("the head is too long")
