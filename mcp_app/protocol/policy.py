"""Policy as data: what leaving, resuming and the cap mean, one row for each way to call.

The code that runs and reads never asks which dialect or revision it serves: it asks the row. A new revision is a new
row; an `if` on a version anywhere else is a mistake. Nothing here acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .event import MAX_EVENT_BYTES

WINDOW_ENTRIES = 256
"""Entries that a tool may be ahead of the reader it waits for. Enough that a fast tool and its reader take turns
rarely; few enough that a turn of 256 small events stays near a millisecond for everybody else."""

WINDOW_BYTES = 1024 * 1024
"""The same in bytes, whichever comes first: what one slow reader may cost in memory."""


class OnLeave(Enum):
    """What happens to a run when the reader that it belongs to closes its stream."""

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
    """How much of a run the event log keeps: the last `entries` and `bytes`, whichever is less."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One row. `retry_ms` goes out with a stream's first event as its reconnection time (WHATWG HTML 9.2.2)."""

    name: str
    on_leave: OnLeave
    on_cap: OnCap
    resumable: bool
    keep: Retention
    retry_ms: int | None = None
    keeps_result: bool = False
    """Whether its result is kept, once there, for what is left of the run's life: its caller was told so."""
    promoted_to: Policy | None = None
    """The row that a run goes on under when it is promoted. Its life is that row's from the start, so that a tool is
    not told of an end that will not come."""
    margin: float = 0.0
    """Seconds before the cap at which streams end; a tenth of a cap that is too short for it."""

    @property
    def waits(self) -> bool:
        """Whether the tool waits when the reader that started the run is a window behind."""
        return self.on_leave is not OnLeave.GO_ON

    def stream_seconds(self, cap: float) -> float:
        """How old a stream may get where the cap is `cap` seconds."""
        return cap - min(self.margin, cap / 10)


_WINDOW = Retention(entries=WINDOW_ENTRIES + 2, bytes=WINDOW_BYTES + 2 * MAX_EVENT_BYTES)
"""The window, the entry that filled it, and the last one, which never waits: less would purge a reader that is waited
for, more would keep what nobody may ask for again."""

_REPLAY = Retention(entries=1024, bytes=4 * 1024 * 1024)
"""Four windows: a reader that comes back after a minute without network finds its place in all but a flood."""

_RETRY_MS = 1000
"""Browsers wait 3 to 5 s by themselves; one second is short for a person and long for a server that restarts."""

PLAIN_POST = Policy("plain, POST", OnLeave.CANCEL, OnCap.END_RUN, resumable=False, keep=_WINDOW)
PLAIN_EVENTSOURCE = Policy(
    "plain, EventSource GET", OnLeave.LINGER, OnCap.END_RUN, resumable=True, keep=_REPLAY, retry_ms=_RETRY_MS
)
PLAIN_DETACHED = Policy(
    "plain, detached run, followed", OnLeave.GO_ON, OnCap.END_STREAM, resumable=True, keep=_REPLAY, retry_ms=_RETRY_MS
)

MCP_2026_07_28 = Policy("MCP 2026-07-28 request", OnLeave.CANCEL, OnCap.END_RUN, resumable=False, keep=_WINDOW)

MCP_2026_07_28_LISTEN = Policy(
    "MCP 2026-07-28 subscriptions/listen",
    OnLeave.END_LISTENING,
    OnCap.END_LISTENING,
    resumable=False,
    keep=Retention(entries=0, bytes=0),
)

# In a session leaving is not cancelling ("Disconnection SHOULD NOT be interpreted as the client cancelling its
# request"). Only 2025-11-25 knows a stream that ends early and is polled, which is what `retry_ms` says.
MCP_2025_11_25 = Policy(
    "MCP 2025-11-25 request", OnLeave.GO_ON, OnCap.END_STREAM, resumable=True, keep=_REPLAY, retry_ms=_RETRY_MS
)
MCP_2025_06_18 = Policy(
    "MCP 2025-06-18, 2025-03-26 request", OnLeave.GO_ON, OnCap.END_RUN, resumable=True, keep=_REPLAY
)
MCP_2024_11_05 = Policy("MCP 2024-11-05 request", OnLeave.CANCEL, OnCap.END_RUN, resumable=False, keep=_WINDOW)

# Nobody reads a task as a stream: it is polled, and the cap of a stream says nothing of it.
MCP_TASK = Policy("MCP task", OnLeave.GO_ON, OnCap.END_STREAM, resumable=True, keep=_REPLAY, keeps_result=True)

# Clients and proxies count the same two minutes, and began earlier: what comes in the last second may come too late.
MCP_2026_07_28_FOLLOWED = Policy(
    "MCP 2026-07-28 tools/call, tasks declared",
    OnLeave.CANCEL,
    OnCap.PROMOTE,
    resumable=False,
    keep=_WINDOW,
    promoted_to=MCP_TASK,
    margin=5.0,
)

ROWS = (
    PLAIN_POST,
    PLAIN_EVENTSOURCE,
    PLAIN_DETACHED,
    MCP_2026_07_28,
    MCP_2026_07_28_LISTEN,
    MCP_2025_11_25,
    MCP_2025_06_18,
    MCP_2024_11_05,
    MCP_2026_07_28_FOLLOWED,
    MCP_TASK,
)
