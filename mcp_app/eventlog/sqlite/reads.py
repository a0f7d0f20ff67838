"""The thread that reads: each job has a snapshot of its own, taken after the job was submitted, so that what this
process has committed is in it. Nothing waits here for a writer.
"""

from __future__ import annotations

import sqlite3

from .address import SqliteAddress
from .jobs import DatabaseThread, Job
from .opening import connect_to_read
from .outage import Outage

MOST_JOBS = 64
"""Delivered together, so that one turn of the event loop takes them all; more would keep the first of them waiting."""


class ReadThread(DatabaseThread[sqlite3.Connection]):
    """Its file has been opened before, by the thread that writes."""

    def __init__(self, address: SqliteAddress) -> None:
        super().__init__("eventlog-reads")
        self._address = address
        self._connection: sqlite3.Connection | None = None
        self._outage = Outage(f"the event log {address.path} cannot be read")

    def _open(self) -> None:
        try:
            self._connection = connect_to_read(self._address)
        except sqlite3.Error as error:
            raise self._outage.of(error) from error

    def _perform(self, first: Job[sqlite3.Connection]) -> None:
        jobs = []
        job: Job[sqlite3.Connection] | None = first
        while job is not None:
            if not job.future.done():  # whoever asked may have left
                self._read(job)
            jobs.append(job)
            job = self._waiting() if len(jobs) < MOST_JOBS else None
        self._deliver(jobs)

    def _read(self, job: Job[sqlite3.Connection]) -> None:
        try:
            if self._connection is None:
                self._connection = connect_to_read(self._address)
            self._connection.execute("BEGIN")
            job.run(self._connection)
            self._connection.execute("COMMIT")
            self._outage.over()
        except sqlite3.Error as error:
            job.error = self._outage.of(error)
            self._end()

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
