"""The statements about nodes and the messages for them. Each function is a job of one of the two threads.

A lease is counted by the machine's uptime, which no setting of the clock moves. An uptime from before a start of the
machine would be one that no lease can have, or is over.
"""

from __future__ import annotations

import secrets
import sqlite3

from ...protocol.errors import Fenced
from ..shared import LEASE_SECONDS, MAX_MESSAGES, RECEIVE_MESSAGES
from .commits import Transaction

_ALIVE = f"until > ?1 AND until <= ?1 + {LEASE_SECONDS + 1}"


def join(transaction: Transaction, uptime: float) -> str:
    remove_dead(transaction, uptime)
    node = secrets.token_hex(16)
    transaction.connection.execute("INSERT INTO node VALUES (?, ?)", (node, uptime + LEASE_SECONDS))
    return node


def renew(transaction: Transaction, node: str, uptime: float) -> None:
    """Raises Fenced."""
    renewed = transaction.connection.execute(
        f"UPDATE node SET until = ?1 + {LEASE_SECONDS} WHERE id = ?2 AND {_ALIVE}",
        (uptime, node),
    )
    if not renewed.rowcount:
        raise Fenced(f"node {node} has lost its lease")


def leave(transaction: Transaction, node: str, uptime: float) -> None:
    transaction.connection.execute("DELETE FROM node WHERE id = ?", (node,))
    remove_dead(transaction, uptime)


def living(connection: sqlite3.Connection, uptime: float) -> frozenset[str]:
    rows = connection.execute(f"SELECT id FROM node WHERE {_ALIVE}", (uptime,))
    return frozenset(node for (node,) in rows)


def remove_dead(transaction: Transaction, uptime: float) -> None:
    """The nodes without a lease, and what was left for them."""
    connection = transaction.connection
    connection.execute(f"DELETE FROM node WHERE NOT ({_ALIVE})", (uptime,))
    connection.execute("DELETE FROM message WHERE node NOT IN (SELECT id FROM node)")


def deliver(transaction: Transaction, nodes: frozenset[str], message: bytes) -> list[str]:
    """Leave a message for each of these nodes, which live. Returns those for which too many are waiting."""
    connection = transaction.connection
    full = [node for node in nodes if _is_full(connection, node)]
    ready = nodes.difference(full)
    connection.executemany("INSERT INTO message (node, body) VALUES (?, ?)", [(node, message) for node in ready])
    transaction.changed.update(ready)
    return full


def messages(connection: sqlite3.Connection, node: str, after: int, uptime: float) -> list[tuple[int, bytes]]:
    """Those for a node that lives, with their numbers, from number `after` on."""
    return connection.execute(
        "SELECT number, body FROM message WHERE node = ?2 AND number > ?3 AND"
        f" EXISTS (SELECT 1 FROM node WHERE id = ?2 AND {_ALIVE}) ORDER BY number LIMIT ?4",
        (uptime, node, after, RECEIVE_MESSAGES),
    ).fetchall()


def acknowledge(transaction: Transaction, node: str, through: int) -> None:
    transaction.connection.execute("DELETE FROM message WHERE node = ? AND number <= ?", (node, through))


def _is_full(connection: sqlite3.Connection, node: str) -> bool:
    query = "SELECT 1 FROM message WHERE node = ? LIMIT 1 OFFSET ?"
    return connection.execute(query, (node, MAX_MESSAGES - 1)).fetchone() is not None
