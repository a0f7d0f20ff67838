"""The statements by which entries and runs leave the file: retention, age, quotas. Each function is a job of one of the
two threads, or a part of one; times are arguments. Which runs are beyond a quota is known to `quota`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ...protocol.policy import Retention
from ..quota import KeptRun
from ..records import Ending
from .commits import Transaction

TRIM_ENTRIES = 32
"""Entries that are dropped together. Until then they cannot be read."""


def trim(connection: sqlite3.Connection, number: int, last: int, end: int, keep: Retention) -> None:
    """Drop the oldest entries beyond the retention, but never the last one, when there are enough of them."""
    oldest, start = _oldest(connection, number)
    if last - oldest < keep.entries + TRIM_ENTRIES - 1 and end - start <= keep.bytes:
        return
    enough = connection.execute(
        'SELECT number FROM entry WHERE run = ? AND number < ? AND "end" - size >= ? ORDER BY number LIMIT 1',
        (number, last, end - keep.bytes),
    ).fetchone()
    through = max(last - keep.entries, (last if enough is None else enough[0]) - 1)
    connection.execute("DELETE FROM entry WHERE run = ? AND number <= ?", (number, through))


def end_run(connection: sqlite3.Connection, number: int, ending: Ending, end: int) -> None:
    """Note how a run with entries ended, and what it takes from then on."""
    (before,) = connection.execute("SELECT coalesce(max(ended), 0) FROM run WHERE ended IS NOT NULL").fetchone()
    _, start = _oldest(connection, number)
    connection.execute(
        "UPDATE run SET code = ?, until = ?, ended = ?, bytes = ? WHERE number = ?",
        (ending.code, ending.until, before + 1, end - start, number),
    )


def forget(transaction: Transaction, run: str) -> None:
    remove(transaction, "id = ?", run)


def forget_expired(transaction: Transaction, now: float, most: int) -> int:
    """At most so many of the runs whose time is over; how many there were."""
    return len(
        remove(
            transaction, "number IN (SELECT number FROM run WHERE until <= ?1 AND read_until <= ?1 LIMIT ?2)", now, most
        )
    )


def forget_unread(transaction: Transaction, runs: Sequence[str], now: float) -> list[str]:
    """Those of these runs that nobody has begun to read meanwhile."""
    return [run for run in runs if remove(transaction, "id = ? AND read_until <= ?", run, now)]


def kept(connection: sqlite3.Connection, now: float) -> tuple[int, list[KeptRun]]:
    """How many runs are worked on; and those that have ended, in the order of their ends."""
    (working,) = connection.execute("SELECT count(*) FROM run WHERE code IS NULL").fetchone()
    rows = connection.execute(
        "SELECT id, principal, bytes, read_until > ? FROM run WHERE ended IS NOT NULL ORDER BY ended", (now,)
    )
    return working, [KeptRun(run, principal, size, bool(read)) for run, principal, size, read in rows]


def remove(transaction: Transaction, which: str, *values: object) -> list[str]:
    """The runs of which a condition holds, and their entries; returns their ids."""
    connection = transaction.connection
    rows = connection.execute(f"SELECT number, id FROM run WHERE {which}", values).fetchall()
    connection.executemany("DELETE FROM entry WHERE run = ?", [(number,) for number, _ in rows])
    connection.executemany("DELETE FROM run WHERE number = ?", [(number,) for number, _ in rows])
    ids = [run for _, run in rows]
    transaction.changed.update(ids)
    return ids


def _oldest(connection: sqlite3.Connection, number: int) -> tuple[int, int]:
    """The number of the oldest entry that is there, and the bytes of all before it."""
    row: tuple[int, int] = connection.execute(
        'SELECT number, "end" - size FROM entry WHERE run = ? ORDER BY number LIMIT 1', (number,)
    ).fetchone()
    return row
