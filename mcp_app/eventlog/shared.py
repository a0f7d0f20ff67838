"""The shared log: what several processes know of their runs, and what outlives each of them.

The interface is defined here; `shared_memory` shares between the nodes of one process (for tests), `sqlite` between the
processes of one machine, `redis` between machines. No implementation imports another, or knows tools, HTTP or the
meaning of an event.

A **node** is one process, from `join` to `leave`; its id is random and never used again. It has a **lease**, which it
renews; who has lost it is dead for all others, and what it still appends is refused once another node owns the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..protocol.event import Entry, Event
from ..protocol.policy import Retention
from .quota import Quota, Usage
from .records import Ending, RunRecord, StoredDocument

LEASE_SECONDS = 15.0
"""How long a node that does not renew is still taken for alive. A pause of the whole machine that is shorter costs
nothing."""

RENEW_SECONDS = 5.0
"""Between two renewals: two may be lost."""

RECEIVE_MESSAGES = 256
"""Maximum messages of one `receive`, so that one batch does not hold the event loop for long."""

MAX_MESSAGES = 10_000
"""Maximum messages that wait for one node: seconds of work for a node that lives, and a bound on what one that hangs,
while its thread renews its lease, makes the log hold."""

RETRY_SECONDS = 1.0
"""After which a log that could not be reached is tried again."""


class SharedLog(Protocol):
    """All implementations pass tests/eventlog/shared_contract.py.

    Every method but `renew` runs on the event loop and does not block it. All raise LogUnavailable when the log cannot
    be reached: what was asked may have been done, and every method can be repeated without doing it twice. The clock
    is the log's own (`now`): those of the nodes may differ.
    """

    async def open(self) -> None:
        """Connect, and check that the log is one that can be used. Raises LogRefused with the reason and the remedy."""

    async def close(self) -> None:
        """Let go of everything; what waits, and what is asked afterwards, raises LogUnavailable. Idempotent."""

    async def now(self) -> float:
        """The log's clock: seconds since the epoch."""

    # --- nodes -------------------------------------------------------------------------------------------------------

    async def join(self) -> str:
        """Begin a node with a lease of LEASE_SECONDS, and return its id."""

    def renew(self, node: str) -> None:
        """Renew the lease. Blocks, on a connection of its own: a thread calls it, as a tool may hold the event loop.
        Raises Fenced once the lease has been lost: the node cannot come back, only join again as another one."""

    async def leave(self, node: str) -> None:
        """End the lease now. Its runs that are worked on can be taken over at once."""

    async def nodes(self) -> frozenset[str]:
        """The nodes that have a lease."""

    async def take_over(self, node: str, most: int) -> list[RunRecord]:
        """Make `node` the owner of at most so many runs that are worked on and whose owner has no lease. Each run is
        taken by one node, and its `attempt` is one more. Returns them as they now are; raises Fenced if the node itself
        has no lease. A record in a newer format is left to those who can read it."""

    # --- messages ----------------------------------------------------------------------------------------------------

    async def send(self, node: str, message: bytes) -> bool:
        """Leave a message for a node; False when it has no lease. Messages of one sender arrive in order. Raises
        LogUnavailable when MAX_MESSAGES wait there: the node does not read them."""

    async def publish(self, sender: str, message: bytes) -> None:
        """Leave a message for every node that has a lease, but the sender. Raises LogUnavailable as `send` does, once
        all other nodes have it."""

    async def receive(self, node: str, until: float) -> list[bytes]:
        """The messages that have come for this node: at least one, at most RECEIVE_MESSAGES, or none when the event
        loop's clock says `until`. Asking again acknowledges those before; a message that was not acknowledged comes
        again, so that one may come twice. A node without a lease gets none: `renew` tells it."""

    # --- runs --------------------------------------------------------------------------------------------------------

    async def create(self, record: RunRecord, keep: Retention) -> None:
        """Begin the log of a run behind number `record.last`, where all entries so far had `record.end` bytes: what
        came before is purged. Raises ValueError if the id is taken by another owner, Fenced if the owner has no lease:
        nobody would take the run over. Repeated by the same owner it does nothing."""

    async def append(
        self, run: str, owner: str, first: int, events: Sequence[Event], ending: Ending | None = None
    ) -> None:
        """Store one or more events under the numbers from `first` on, in order and atomically; with `ending`, the last
        of them ends the run in the same step. They can be read when this returns, by every node.

        What is there already under these numbers is taken as done, so that it can be repeated when its answer was lost,
        also in one batch with what follows. Raises Fenced if another node owns the run, Gap if the log ends before
        `first - 1`, ValueError for an event behind the last of a run that has ended, UnknownRun when the run was
        forgotten.
        """

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        """The entries that follow number `after`, as `EventLog.read`: it waits, woken by an append of any node. Raises
        Purged, UnknownRun.

        Purged also, and at once, when the run has ended and nothing follows: who saw its last event does not ask, so
        this reader saw entries that the log has lost in a failover. Never a hole, never a wait for nothing.
        """

    async def record(self, run: str) -> RunRecord:
        """Raises UnknownRun."""

    async def amend(self, run: str, owner: str, *, policy: str | None = None, extra: bytes | None = None) -> None:
        """Change the row, or the dialect's own, of a run; None leaves it. Raises Fenced, UnknownRun."""

    async def keep(self, run: str, until: float) -> None:
        """Somebody reads the run: it is not forgotten before that time, of the log's clock, by its age or by a quota.
        Shortens nothing, and `record.until` stays as it is. Raises UnknownRun."""

    async def sweep(self, quota: Quota) -> Usage:
        """Forget the runs that have ended and whose time is over, and those beyond the quota, chosen by
        `quota.beyond`; what has been forgotten wakes its readers with UnknownRun. Every node calls it now and then."""

    async def forget(self, run: str) -> None:
        """Forget the run now; pending reads raise UnknownRun. Does nothing for unknown runs."""

    # --- documents ---------------------------------------------------------------------------------------------------

    async def get(self, name: str) -> StoredDocument | None:
        """The document of that name, unless its time is over."""

    async def put(self, name: str, value: bytes, until: float, version: int | None = None) -> StoredDocument | None:
        """Store a document until that time, of the log's clock. `version` is that of the one it replaces, 0 for none,
        None for whichever there is. Returns None once stored, with the next version; otherwise the document that stands
        in the way, an empty one of version 0 where there is none. Exactly one of concurrent calls with the same version
        is stored."""

    async def delete(self, name: str) -> None:
        """Does nothing for unknown names."""
