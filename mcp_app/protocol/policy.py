"""Policy as data: the effects of leaving, resuming and the cap, one row for each way to call.

The code of runs and readers never checks which dialect or revision it serves: it reads the row. A new revision is a new
row; an `if` on a version anywhere else is a mistake. There is no behaviour here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from .event import MAX_EVENT_BYTES

WINDOW_ENTRIES = 256
"""Entries that a tool may be ahead of the reader that exerts backpressure. Enough that a fast tool and its reader
switch rarely; few enough that a batch of 256 small events delays other tasks by about a millisecond."""

WINDOW_BYTES = 1024 * 1024
"""The same limit in bytes, whichever is reached first: the memory that one slow reader may occupy."""


class OnLeave(Enum):
    """What happens to a run when the reader that started it closes its stream."""

    CANCEL = "the run is cancelled"
    LINGER = "the run waits for a reconnect, then is cancelled"
    GO_ON = "nothing"
    END_LISTENING = "the subscription ends"


class OnCap(Enum):
    """What happens when a stream reaches the cap."""

    END_RUN = "last event time_cap, and the run is cancelled"
    END_STREAM = "the stream ends without a last event, so that its reader comes back; the run goes on"
    END_LISTENING = "the empty result with its subscriptionId; the client listens again"
    PROMOTE = "a little before it the last message is a task, and the run goes on as one"


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of a run the event log keeps: the last `entries` or `bytes`, whichever is less."""

    entries: int
    bytes: int

    def for_events(self, largest: int) -> Retention:
        """The same where an event may have `largest` bytes: the one that fills the window, and the last one, fit."""
        if largest <= MAX_EVENT_BYTES:
            return self
        return Retention(self.entries, self.bytes + 2 * (largest - MAX_EVENT_BYTES))


@dataclass(frozen=True, slots=True)
class Policy:
    """One row. `retry_ms` is sent with a stream's first event as its reconnection time (WHATWG HTML 9.2.2)."""

    name: str
    on_leave: OnLeave
    on_cap: OnCap
    resumable: bool
    keep: Retention
    retry_ms: int | None = None
    keeps_result: bool = False
    """Whether the result is kept at least until the run's deadline, as announced to the caller."""
    promoted_to: Policy | None = None
    """The row that applies once the run is promoted. The run's deadline is computed from that row from the start, so
    that the tool never sees a deadline that promotion would move."""
    margin: float = 0.0
    """Seconds before the cap at which streams end, at most a tenth of the cap."""
    stream_capped: bool = True
    """Whether a stream ends at the cap. Where it does not, only the run's own deadline ends it."""
    dialect: Literal["plain", "mcp"] = "mcp"
    """For the functions around a tool; nothing is decided by it."""
    repeatable: bool = False
    """Whether the run is kept after its end for a caller that repeats its request by an idempotency key."""
    restartable: bool = False
    """Whether a run may begin again in another process: its caller is not asked by the process that is gone."""
    keyed: Policy | None = None
    """The row of a call with an idempotency key; None where this one serves, as its runs are kept anyway."""

    @property
    def long_lived(self) -> bool:
        """Whether a run lasts as long as a detached one: the cap of a stream does not end it."""
        return self.on_leave is OnLeave.GO_ON or not self.stream_capped

    @property
    def kept(self) -> bool:
        """Whether somebody may come back to a run after its end: to its events, or with its key."""
        return self.resumable or self.repeatable

    @property
    def waits(self) -> bool:
        """Whether the reader that started the run exerts backpressure: the tool waits while it is a window behind."""
        return self.on_leave is not OnLeave.GO_ON

    def stream_seconds(self, cap: float) -> float:
        """The maximum age of a stream, in seconds, for a cap of `cap` seconds."""
        if not self.stream_capped:
            return math.inf
        return cap - min(self.margin, cap / 10)


_WINDOW = Retention(entries=WINDOW_ENTRIES + 2, bytes=WINDOW_BYTES + 2 * MAX_EVENT_BYTES)
"""The window, the entry that fills it, and the last entry, which never waits. Less would purge entries before the
reader that exerts backpressure gets them; more would keep entries that cannot be requested again."""

_REPLAY = Retention(entries=1024, bytes=4 * 1024 * 1024)
"""Four windows: a reader that reconnects after a minute without network can resume, unless the tool floods."""

_RETRY_MS = 1000
"""Browsers default to 3 to 5 s; one second is short for a person and long enough for a server to restart."""

PLAIN_POST_KEYED = Policy(
    "plain, POST with Idempotency-Key",
    OnLeave.LINGER,
    OnCap.END_RUN,
    resumable=True,
    keep=_REPLAY,
    retry_ms=_RETRY_MS,
    dialect="plain",
    repeatable=True,
    restartable=True,
)
PLAIN_POST = Policy(
    "plain, POST",
    OnLeave.CANCEL,
    OnCap.END_RUN,
    resumable=False,
    keep=_WINDOW,
    dialect="plain",
    keyed=PLAIN_POST_KEYED,
)
PLAIN_EVENTSOURCE = Policy(
    "plain, EventSource GET",
    OnLeave.LINGER,
    OnCap.END_RUN,
    resumable=True,
    keep=_REPLAY,
    retry_ms=_RETRY_MS,
    dialect="plain",
    restartable=True,
)
PLAIN_DETACHED = Policy(
    "plain, detached run, followed",
    OnLeave.GO_ON,
    OnCap.END_STREAM,
    resumable=True,
    keep=_REPLAY,
    retry_ms=_RETRY_MS,
    dialect="plain",
    restartable=True,
)

# "Closing the SSE response stream MUST be treated by the server as cancellation": a client that gives its call a key of
# ours asks for another meaning. Its streams have no ids; it repeats the request.
MCP_KEYED = Policy(
    "MCP 2026-07-28 tools/call with an idempotency key",
    OnLeave.LINGER,
    OnCap.END_RUN,
    resumable=False,
    keep=_REPLAY,
    repeatable=True,
)
MCP_2026_07_28 = Policy(
    "MCP 2026-07-28 request", OnLeave.CANCEL, OnCap.END_RUN, resumable=False, keep=_WINDOW, keyed=MCP_KEYED
)

MCP_2026_07_28_LISTEN = Policy(
    "MCP 2026-07-28 subscriptions/listen",
    OnLeave.END_LISTENING,
    OnCap.END_LISTENING,
    resumable=False,
    keep=Retention(entries=0, bytes=0),
)

# In a session leaving does not cancel ("Disconnection SHOULD NOT be interpreted as the client cancelling its request").
# Only 2025-11-25 has streams that end early and are polled, with `retry_ms` as the polling interval.
MCP_2025_11_25 = Policy(
    "MCP 2025-11-25 request", OnLeave.GO_ON, OnCap.END_STREAM, resumable=True, keep=_REPLAY, retry_ms=_RETRY_MS
)
MCP_2025_06_18 = Policy(
    "MCP 2025-06-18, 2025-03-26 request", OnLeave.GO_ON, OnCap.END_RUN, resumable=True, keep=_REPLAY
)
MCP_2024_11_05_KEYED = Policy(
    "MCP 2024-11-05 tools/call with an idempotency key",
    OnLeave.CANCEL,
    OnCap.END_RUN,
    resumable=False,
    keep=_REPLAY,
    repeatable=True,
)
MCP_2024_11_05 = Policy(
    "MCP 2024-11-05 request", OnLeave.CANCEL, OnCap.END_RUN, resumable=False, keep=_WINDOW, keyed=MCP_2024_11_05_KEYED
)

# A task is polled, not read as a stream, so the cap of a stream does not apply to it.
MCP_TASK = Policy(
    "MCP task",
    OnLeave.GO_ON,
    OnCap.END_STREAM,
    resumable=True,
    keep=_REPLAY,
    keeps_result=True,
    restartable=True,
)

# Clients and proxies have the same timeout of two minutes and started it earlier: a message in the last second may
# come too late.
MCP_FOLLOWED_KEYED = Policy(
    "MCP 2026-07-28 tools/call with an idempotency key, tasks declared",
    OnLeave.LINGER,
    OnCap.PROMOTE,
    resumable=False,
    keep=_REPLAY,
    promoted_to=MCP_TASK,
    margin=5.0,
    repeatable=True,
)
MCP_2026_07_28_FOLLOWED = Policy(
    "MCP 2026-07-28 tools/call, tasks declared",
    OnLeave.CANCEL,
    OnCap.PROMOTE,
    resumable=False,
    keep=_WINDOW,
    promoted_to=MCP_TASK,
    margin=5.0,
    keyed=MCP_FOLLOWED_KEYED,
)

# One channel for all requests of one client: no proxy ends it, and no request has a stream that could be closed.
# "notifications/cancelled" and the end of standard input are how a caller leaves (2026-07-28, stdio, Cancellation).
MCP_STDIO_KEYED = Policy(
    "MCP over stdio, tools/call with an idempotency key",
    OnLeave.CANCEL,
    OnCap.END_RUN,
    resumable=False,
    keep=_REPLAY,
    stream_capped=False,
    repeatable=True,
)
MCP_STDIO = Policy(
    "MCP over stdio, every revision",
    OnLeave.CANCEL,
    OnCap.END_RUN,
    resumable=False,
    keep=_WINDOW,
    stream_capped=False,
    keyed=MCP_STDIO_KEYED,
)

ROWS = (
    PLAIN_POST,
    PLAIN_POST_KEYED,
    PLAIN_EVENTSOURCE,
    PLAIN_DETACHED,
    MCP_2026_07_28,
    MCP_2026_07_28_LISTEN,
    MCP_2025_11_25,
    MCP_2025_06_18,
    MCP_2024_11_05,
    MCP_2026_07_28_FOLLOWED,
    MCP_TASK,
    MCP_KEYED,
    MCP_FOLLOWED_KEYED,
    MCP_2024_11_05_KEYED,
    MCP_STDIO,
    MCP_STDIO_KEYED,
)
