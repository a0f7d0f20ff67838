"""The thread that writes: what has come while it waited for its turn, or for the disk, becomes one transaction.

Jobs check before they write, so that one that is refused changes nothing for the others of its transaction. What the
statements are is not known here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ...protocol.errors import LogUnavailable
from .address import SqliteAddress
from .doorbell import Doorbell
from .jobs import DatabaseThread, Job
from .opening import begin, connect, prepare, roll_back
from .outage import Outage
from .turn import Locked, Turn

TRANSACTION_SECONDS = 0.05
"""After which a transaction takes no more jobs: others wait for their turn, and nothing of it is seen before."""

RING_AGAIN_SECONDS = 0.02
"""After which a process whose socket was full is told again: its event loop was busy for as long as it takes to write
ten datagrams."""


@dataclass(slots=True)
class Transaction:
    """What a job that writes is given. Who waits for one of the ids in `changed` is woken once it is committed."""

    connection: sqlite3.Connection
    changed: set[str] = field(default_factory=set)


class CommitThread(DatabaseThread[Transaction]):
    """`changed` is called on the event loop with the ids that a transaction of this process has changed; the doorbell
    tells the others."""

    def __init__(self, address: SqliteAddress, doorbell: Doorbell, changed: Callable[[set[str]], None]) -> None:
        super().__init__("eventlog-commits")
        self._address = address
        self._doorbell = doorbell
        self._changed = changed
        self._turn = Turn(doorbell.folder, lambda: self._closing)
        self._connection: sqlite3.Connection | None = None
        self._outage = Outage(f"the event log {address.path} cannot be written")
        self.transactions = 0

    def _open(self) -> None:
        """Raises LogRefused; LogUnavailable if it cannot be opened now."""
        try:
            self._connect()
        except (sqlite3.Error, Locked) as error:
            raise self._outage.of(error) from error

    def _connect(self) -> sqlite3.Connection:
        with self._turn.taken() as until:
            connection = _retried(lambda: connect(self._address), self._turn, until)
            try:
                prepare(connection, self._address, self._turn, until)
            except BaseException:
                connection.close()
                raise
        self._connection = connection
        return connection

    def _perform(self, first: Job[Transaction]) -> None:
        jobs = [first]
        try:
            connection = self._connection or self._connect()
            transaction = Transaction(connection)
            with self._turn.taken() as until:
                begin(connection, self._turn, until)
                before = connection.total_changes
                try:
                    self._run(jobs, transaction)
                    connection.execute("COMMIT")
                except BaseException:
                    roll_back(connection)
                    raise
        except Locked as error:
            while (job := self._waiting()) is not None:  # they have waited as well
                jobs.append(job)
            self._fail(jobs, error)
        except Exception as error:  # of the database, or of the file
            self._drop_connection(error)
            self._fail(jobs, error)
        else:
            if connection.total_changes != before:  # what writes nothing says nothing of the disk
                self._outage.over()
            self.transactions += 1
            changed = transaction.changed
            self._deliver(jobs, (lambda: self._changed(changed)) if changed else None)
            if changed:
                self._doorbell.ring(changed)

    def _run(self, jobs: list[Job[Transaction]], transaction: Transaction) -> None:
        """The first of the jobs, and those that come meanwhile."""
        until = time.monotonic() + TRANSACTION_SECONDS
        job: Job[Transaction] | None = jobs[0]
        while job is not None:
            before = transaction.connection.total_changes
            job.run(transaction)
            if job.error is not None and transaction.connection.total_changes != before:
                raise sqlite3.ProgrammingError("a job wrote before it failed") from job.error
            if time.monotonic() >= until:
                return
            job = self._waiting()
            if job is not None:
                jobs.append(job)

    def _fail(self, jobs: list[Job[Transaction]], error: Exception) -> None:
        unavailable = self._outage.of(error)
        for job in jobs:
            job.error = LogUnavailable(unavailable.message, error_id=unavailable.error_id, headers=unavailable.headers)
        self._deliver(jobs)

    def _drop_connection(self, error: Exception) -> None:
        """Connect again next time, but for a full disk, which a connection outlives."""
        if self._connection is None or getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            return
        self._connection.close()
        self._connection = None

    def _idle(self) -> float | None:
        if self._doorbell.unheard:
            self._doorbell.ring_again()
        return RING_AGAIN_SECONDS if self._doorbell.unheard else None

    def _end(self) -> None:
        if self._connection is not None:
            try:
                with self._turn.taken():
                    self._connection.close()  # the last of all processes checkpoints
            except Locked:
                self._connection.close()


def _retried(connecting: Callable[[], sqlite3.Connection], turn: Turn, until: float) -> sqlite3.Connection:
    """Raises sqlite3.Error, Locked, LogRefused."""
    while True:
        try:
            return connecting()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if turn.over(until):
                raise Locked("another program has locked the file") from error
