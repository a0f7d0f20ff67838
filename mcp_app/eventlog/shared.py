"""The shared log: what several processes know of their runs, and what outlives each of them.

The interface is defined here; `memory` shares between the nodes of one process (for tests), `sqlite` between the
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
from .records import Document, Ending, RunRecord

LEASE_SECONDS = 15.0
"""How long a node that does not renew is still taken for alive. A pause of the whole machine that is shorter costs
nothing."""

RENEW_SECONDS = 5.0
"""Between two renewals: two may be lost."""

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
        """Let go of everything. Idempotent."""

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
        taken by one node. Returns them as they now are."""

    # --- messages ----------------------------------------------------------------------------------------------------

    async def send(self, node: str, message: bytes) -> bool:
        """Leave a message for a node; False when it has no lease. Messages of one sender arrive in order."""

    async def publish(self, sender: str, message: bytes) -> None:
        """Leave a message for every node that has a lease, but the sender."""

    async def receive(self, node: str, until: float) -> list[bytes]:
        """The messages that have come for this node: at least one, or none when the event loop's clock says `until`.
        Asking again acknowledges those before; a message that was not acknowledged may come twice."""

    # --- runs --------------------------------------------------------------------------------------------------------

    async def create(self, record: RunRecord, keep: Retention, first: int = 1) -> None:
        """Begin the log of a run at number `first`: entries before it are purged. Raises ValueError if the id is taken
        by another owner; repeated by the same owner it does nothing."""

    async def append(
        self, run: str, owner: str, first: int, events: Sequence[Event], ending: Ending | None = None
    ) -> Entry:
        """Store the events under the numbers from `first` on, in order and atomically; with `ending`, the last of them
        ends the run in the same step. They can be read when this returns, by every node. Returns the entry of the last
        one.

        What is there already under these numbers is taken as done, so that it can be repeated when its answer was lost.
        Raises Fenced if another node owns the run, ValueError for a gap, UnknownRun when the run was forgotten.
        """

    async def read(self, run: str, after: int, until: float) -> list[Entry]:
        """The entries that follow number `after`, as `EventLog.read`: it waits, woken by an append of any node. Raises
        Purged, UnknownRun. Where the log has lost what an owner had shown, Purged as well: never a hole."""

    async def record(self, run: str) -> RunRecord:
        """Raises UnknownRun."""

    async def amend(self, run: str, owner: str, *, policy: str | None = None, extra: bytes | None = None) -> None:
        """Change the row, or the dialect's own, of a run that is worked on. Raises Fenced, UnknownRun."""

    async def forget(self, run: str) -> None:
        """Forget the run now; pending reads raise UnknownRun. Does nothing for unknown runs."""

    # --- documents ---------------------------------------------------------------------------------------------------

    async def get(self, name: str) -> Document | None:
        """The document of that name, unless its time is over."""

    async def put(self, name: str, value: bytes, until: float, version: int | None = None) -> Document | None:
        """Store a document until that time, of the log's clock. `version` is that of the one it replaces, 0 for none,
        None for whichever there is. Returns None once stored; the document that stands in the way otherwise. Exactly
        one of concurrent calls with the same version is stored."""

    async def delete(self, name: str) -> None:
        """Does nothing for unknown names."""
