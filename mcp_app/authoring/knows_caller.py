"""`KnowsCaller`: what a function may know of its call: who made it, until when it may work, whether it was ended.

Nothing is said, asked or called here: that is `Context`, which is one of these.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..protocol.http.trace import Trace
from .caller import Caller


class KnowsCaller:
    """Reads of its `Caller`, which whoever derives from it sets, what is meant for authors."""

    __slots__ = ("_caller",)

    _caller: Caller

    @property
    def cancelled(self) -> bool:
        """Whether the run was ended and the tool should stop.

        A coroutine gets CancelledError; a plain function that computes for long without sending events checks this.
        """
        return self._caller.reason is not None

    @property
    def cancel_reason(self) -> str | None:
        """Why the run was ended, as an error code: left, time_cap, shutdown, cancelled, input_required; None before."""
        return self._caller.reason

    @property
    def deadline(self) -> float:
        """The time at which the run will be ended in any case, as a time.monotonic() value in seconds."""
        return self._caller.deadline

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self._caller.deadline - self._caller.clock())

    @property
    def principal(self) -> str:
        """The caller's identity; `anonymous` while the server does not authenticate, `local` over stdio."""
        return self._caller.principal

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's header fields, names in lower case; the values of a repeated field are joined by a comma. None
        over stdio."""
        return self._caller.headers

    @property
    def trace(self) -> Trace:
        """The trace context that the caller sent: `trace_id`, `baggage`, and `headers()` to propagate it."""
        return self._caller.trace
