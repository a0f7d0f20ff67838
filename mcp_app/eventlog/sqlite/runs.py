"""The statements about runs and their entries. Each function is a job of one of the two threads; times are arguments.

Those that write raise before they write. What an event or a record looks like in bytes is known to `coding`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import accumulate
from typing import Any

from ...protocol.errors import Fenced, Gap, LogUnavailable, Purged, UnknownRun
from ...protocol.event import Entry, Event
from ...protocol.policy import Retention
from .. import READ_BYTES, READ_ENTRIES
from ..coding import decode_event, decode_record, encode_event, encode_record
from ..records import Ending, RunRecord
from .commits import Transaction
from .forgetting import TRIM_ENTRIES, end_run, forget_expired, remove, trim

EXPIRED_AT_ONCE = 4
"""Runs whose time is over that the beginning of one run removes: more than the one that it adds."""

_KNOWN = "id = ? AND (until IS NULL OR max(until, read_until) > ?)"
_COLUMNS = "record, owner, attempt, policy, extra, code, until, number, first, first_end"


def create(transaction: Transaction, record: RunRecord, keep: Retention, now: float) -> None:
    """Raises ValueError if the id is taken by another owner."""
    connection = transaction.connection
    there = connection.execute(f"SELECT owner FROM run WHERE {_KNOWN}", (record.id, now)).fetchone()
    if there is not None:
        if there[0] != record.owner:
            raise ValueError(f"run {record.id} has a log already")
        return
    encoded = encode_record(record)
    forget_expired(transaction, now, EXPIRED_AT_ONCE)
    remove(transaction, "id = ?", record.id)  # its time is over, and nobody has removed it yet
    connection.execute(
        "INSERT INTO run (id, owner, attempt, policy, extra, read_until, principal, first, first_end, keep_entries,"
        " keep_bytes, record) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?)",
        (
            *(record.id, record.owner, record.attempt, record.policy, record.extra, record.principal),
            *(record.last, record.end, keep.entries, keep.bytes, encoded),
        ),
    )
    transaction.changed.add(record.id)


def append(
    transaction: Transaction,
    run: str,
    owner: str,
    first: int,
    events: Sequence[Event],
    ending: Ending | None,
    now: float,
) -> None:
    """Raises UnknownRun, Fenced, Gap; ValueError for events behind the last of a run that has ended."""
    connection = transaction.connection
    row = connection.execute(
        f"SELECT owner, code, number, first, first_end, keep_entries, keep_bytes FROM run WHERE {_KNOWN}",
        (run, now),
    ).fetchone()
    if row is None:
        raise unknown()
    its_owner, code, number, before, before_end, keep_entries, keep_bytes = row
    if its_owner != owner:
        raise Fenced(f"run {run} belongs to node {its_owner}")
    last, end = _last(connection, number, before, before_end)
    if first > last + 1:
        raise Gap(last)
    new = events[last - first + 1 :]
    if code is not None:
        if new:
            raise ValueError(f"run {run} has ended: nothing follows")
        return
    if new:
        ends = accumulate((event.size for event in new), initial=end)
        next(ends)
        rows = [
            (number, at, its_end, event.size, encode_event(event))
            for at, (event, its_end) in enumerate(zip(new, ends, strict=True), last + 1)
        ]
        connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", rows)
        last, end = rows[-1][1], rows[-1][2]
        if last - before >= keep_entries + TRIM_ENTRIES or end - before_end > keep_bytes:
            trim(connection, number, last, end, Retention(keep_entries, keep_bytes))
    if ending is not None:
        end_run(connection, number, ending, end)
    transaction.changed.add(run)


def read(connection: sqlite3.Connection, run: str, after: int, now: float) -> list[Entry]:
    """The entries that follow number `after`; none if there are none yet. Raises UnknownRun, Purged."""
    row = connection.execute(
        f"SELECT number, code, first, first_end, keep_entries, keep_bytes FROM run WHERE {_KNOWN}",
        (run, now),
    ).fetchone()
    if row is None:
        raise unknown()
    number, code, before, before_end, keep_entries, keep_bytes = row
    last, end = _last(connection, number, before, before_end)
    if last <= after:
        if code is not None:
            raise Purged(f"Event {after} of this run has been lost, and nothing follows it.")
        return []
    oldest = max(before, last - keep_entries) + 1
    if after + 1 < oldest:
        raise Purged(f"Events {after + 1} to {oldest - 1} of this run are no longer kept.")
    entries: list[Entry] = []
    size = 0
    cursor = connection.execute(
        'SELECT number, "end", size, event FROM entry WHERE run = ? AND number > ? ORDER BY number LIMIT ?',
        (number, after, READ_ENTRIES),
    )
    with closing(cursor):  # what is not closed keeps its snapshot, and an error that is raised here keeps the cursor
        for at, its_end, its_size, event in cursor:
            if not entries and (at != after + 1 or (at != last and its_end - its_size < end - keep_bytes)):
                raise Purged(f"Event {after + 1} of this run is no longer kept.")
            size += its_size
            if entries and size > READ_BYTES:
                break
            entries.append(Entry(at, decode_event(event), its_end))
    return entries


def record_of(connection: sqlite3.Connection, run: str, now: float) -> RunRecord:
    """Raises UnknownRun; LogUnavailable for a record in a newer format."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM run WHERE {_KNOWN}", (run, now)).fetchone()
    if row is None:
        raise unknown()
    return _record(connection, row)


def amend(transaction: Transaction, run: str, owner: str, policy: str | None, extra: bytes | None, now: float) -> None:
    """Raises UnknownRun, Fenced."""
    connection = transaction.connection
    row = connection.execute(f"SELECT owner FROM run WHERE {_KNOWN}", (run, now)).fetchone()
    if row is None:
        raise unknown()
    if row[0] != owner:
        raise Fenced(f"run {run} belongs to node {row[0]}")
    connection.execute(
        "UPDATE run SET policy = coalesce(?, policy), extra = coalesce(?, extra) WHERE id = ?", (policy, extra, run)
    )


def keep(transaction: Transaction, run: str, until: float, now: float) -> None:
    """Raises UnknownRun."""
    connection = transaction.connection
    if connection.execute(f"SELECT 1 FROM run WHERE {_KNOWN}", (run, now)).fetchone() is None:
        raise unknown()
    connection.execute("UPDATE run SET read_until = ? WHERE id = ? AND read_until < ?", (until, run, until))


def take_over(transaction: Transaction, node: str, most: int, living: frozenset[str]) -> list[RunRecord]:
    """`living` are the nodes that have a lease, of which `node` is one."""
    connection = transaction.connection
    owners = connection.execute("SELECT DISTINCT owner FROM run WHERE code IS NULL").fetchall()
    taken: list[RunRecord] = []
    for (owner,) in owners:
        if owner in living:
            continue
        for row in connection.execute(
            f"SELECT {_COLUMNS} FROM run WHERE owner = ? AND code IS NULL ORDER BY number",
            (owner,),
        ).fetchall():
            if len(taken) >= most:
                break
            try:
                record = _record(connection, row)
            except LogUnavailable:
                continue  # in a newer format: those who can read it take it
            taken.append(replace(record, owner=node, attempt=record.attempt + 1))
    connection.executemany(
        "UPDATE run SET owner = ?, attempt = ? WHERE id = ?", [(node, each.attempt, each.id) for each in taken]
    )
    return taken


def unknown() -> UnknownRun:
    return UnknownRun("This run is not known.")


def _record(connection: sqlite3.Connection, row: Sequence[Any]) -> RunRecord:
    data, owner, attempt, policy, extra, code, until, number, first, first_end = row
    last, end = _last(connection, number, first, first_end)
    return replace(
        decode_record(data),
        owner=owner,
        attempt=attempt,
        policy=policy,
        extra=extra,
        code=code,
        until=until,
        last=last,
        end=end,
    )


def _last(connection: sqlite3.Connection, number: int, before: int, before_end: int) -> tuple[int, int]:
    """The number of the last entry, and its end: those before the first where there is none yet."""
    row: tuple[int, int] | None = connection.execute(
        'SELECT number, "end" FROM entry WHERE run = ? ORDER BY number DESC LIMIT 1', (number,)
    ).fetchone()
    return (before, before_end) if row is None else row
