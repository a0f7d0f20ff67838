"""`KnowsCaller`: what a function may know of its call: who made it, until when it may work, whether it was ended.

Nothing is said, asked or called here: that is `Context`, which is one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
        """Who calls, the same whatever credentials it shows; `anonymous` for nobody in particular, `local` over
        stdio."""
        return self._caller.principal

    @property
    def scopes(self) -> frozenset[str] | None:
        """The scopes that the caller was granted, with all that these imply. None for whatever there is: where callers
        are not asked who they are, over stdio, and for whom the application around the server has signed in."""
        return self._caller.access.scopes

    @property
    def claims(self) -> Mapping[str, Any]:
        """What the caller's token says of it; empty without one. It may be personal, and is not for logs."""
        return self._caller.access.claims

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's header fields, names in lower case; the values of a repeated field are joined by a comma. None
        over stdio."""
        return self._caller.headers

    @property
    def trace(self) -> Trace:
        """The trace context that the caller sent: `trace_id`, `baggage`, and `headers()` to propagate it."""
        return self._caller.trace
