"""What a shared log knows of a run beside its entries: its record. Plain values; how they are stored is not known
here."""

from __future__ import annotations

from dataclasses import dataclass

RECORD_FORMAT = 1
"""The format of records that this release writes. It reads this one and the one before, so that two releases can share
a log while one takes the place of the other."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, as any process that shares the log can know it.

    `owner` is the node that appends to it. Times are seconds since the epoch, by the log's clock. `policy` is the name
    of a row of protocol/policy.py. `digest` is that of the call (`call_digest`), `key` the caller's own name for it;
    None without one. `arguments` are encoded JSON, and there only where the run may begin again elsewhere. `attempt`
    counts its owners, from 1: a run that ends each process which works on it is known by it. `extra` is the dialect's
    own, encoded JSON: of a task, what it asks.

    `code` is None while it is worked on, then "complete" or the error's code; `until` is when it is forgotten, None
    while it is worked on. `last` is the number of its last entry, `end` the bytes of all entries up to it, as
    `Entry.end`.
    """

    id: str
    owner: str
    callee: str
    principal: str
    policy: str
    created: float
    deadline: float
    cap: float
    key: str | None = None
    digest: bytes = b""
    arguments: bytes | None = None
    attempt: int = 1
    extra: bytes = b""
    code: str | None = None
    until: float | None = None
    last: int = 0
    end: int = 0
    format: int = RECORD_FORMAT


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: its `code`, and the time (seconds since the epoch) until which it is kept."""

    code: str
    until: float


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A small value that outlives a process. `version` counts its changes, from 1."""

    value: bytes
    version: int
