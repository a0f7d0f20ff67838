"""The statements about documents. Each function is a job of one of the two threads; times are arguments."""

from __future__ import annotations

import sqlite3

from ..records import StoredDocument
from .commits import Transaction

EXPIRED_AT_ONCE = 16
"""Documents whose time is over that one which is stored removes: more than the one that it adds."""

_NONE = StoredDocument(b"", 0)


def get(connection: sqlite3.Connection, name: str, now: float) -> StoredDocument | None:
    row = connection.execute("SELECT value, version FROM document WHERE name = ? AND until > ?", (name, now)).fetchone()
    return None if row is None else StoredDocument(*row)


def put(
    transaction: Transaction, name: str, value: bytes, until: float, version: int | None, now: float
) -> StoredDocument | None:
    """The document that stands in the way, if one does."""
    there = get(transaction.connection, name, now) or _NONE
    if version is not None and version != there.version:
        return there
    remove_expired(transaction, now, EXPIRED_AT_ONCE)
    transaction.connection.execute(
        "INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?)", (name, value, there.version + 1, until)
    )
    return None


def delete(transaction: Transaction, name: str) -> None:
    transaction.connection.execute("DELETE FROM document WHERE name = ?", (name,))


def remove_expired(transaction: Transaction, now: float, most: int) -> int:
    """At most so many of those whose time is over; how many there were."""
    removed = transaction.connection.execute(
        "DELETE FROM document WHERE rowid IN (SELECT rowid FROM document WHERE until <= ? LIMIT ?)", (now, most)
    )
    return removed.rowcount
