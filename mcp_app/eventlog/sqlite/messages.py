"""The statements about messages for nodes. Each function is a job of one of the two threads. Which nodes live is an
argument.
"""

from __future__ import annotations

import sqlite3

from ..shared import MAX_MESSAGES, RECEIVE_MESSAGES
from .commits import Transaction


def deliver(transaction: Transaction, nodes: frozenset[str], message: bytes) -> list[str]:
    """Leave a message for each of these nodes. Returns those for which too many are waiting."""
    connection = transaction.connection
    full = [node for node in nodes if _is_full(connection, node)]
    ready = nodes.difference(full)
    connection.executemany("INSERT INTO message (node, body) VALUES (?, ?)", [(node, message) for node in ready])
    transaction.changed.update(ready)
    return full


def waiting(connection: sqlite3.Connection, node: str, after: int) -> list[tuple[int, bytes]]:
    """Those for a node, with their numbers, from number `after` on."""
    return connection.execute(
        "SELECT number, body FROM message WHERE node = ? AND number > ? ORDER BY number LIMIT ?",
        (node, after, RECEIVE_MESSAGES),
    ).fetchall()


def acknowledge(transaction: Transaction, node: str, through: int) -> None:
    transaction.connection.execute("DELETE FROM message WHERE node = ? AND number <= ?", (node, through))


def remove_undeliverable(transaction: Transaction, living: frozenset[str]) -> None:
    """What was left for nodes that are dead."""
    rows = transaction.connection.execute("SELECT DISTINCT node FROM message").fetchall()
    dead = [(node,) for (node,) in rows if node not in living]
    transaction.connection.executemany("DELETE FROM message WHERE node = ?", dead)


def _is_full(connection: sqlite3.Connection, node: str) -> bool:
    query = "SELECT 1 FROM message WHERE node = ? LIMIT 1 OFFSET ?"
    return connection.execute(query, (node, MAX_MESSAGES - 1)).fetchone() is not None
