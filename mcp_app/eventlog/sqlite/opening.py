"""Decides whether a file can be the log, makes its tables, and connects to it. Runs in the thread that connects.

What cannot be used is refused with the reason and the remedy. No statement of the log itself is here.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path, PurePosixPath

from ...protocol.errors import LogRefused
from .address import SqliteAddress, Survives
from .filesystem import NETWORK, file_system
from .turn import Locked, Turn

APPLICATION = 0x6D637065
"""`PRAGMA application_id`, in which SQLite keeps whose file it is: "mcpe"."""

SCHEMA = 1
"""`PRAGMA user_version`: the tables below. A release reads its own and the one before."""

LOCK_SECONDS = 0.05
"""How long SQLite itself waits for a lock before we look whether to go on waiting."""

SMALLEST_BYTES = 512
"""Of a database that is not empty. SQLite takes a shorter file for an empty one, and writes over it."""

LOST_NUMBERS = 2**20
"""By which the numbers of a run go on after a loss of power: more than its readers can have seen since the disk was
last waited for, as that happens every few megabytes."""

WAL_BYTES = 64 * 1024 * 1024
"""To which the WAL is cut after it has grown, as it may while somebody copies the file."""

TABLES = """
CREATE TABLE message (number INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, body BLOB NOT NULL);
CREATE INDEX message_of_node ON message (node);

CREATE TABLE run (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    policy TEXT NOT NULL,
    extra BLOB NOT NULL,
    code TEXT,
    until REAL,
    ended INTEGER,                  -- how many had ended before it
    bytes INTEGER,                  -- of its entries, once it has ended
    read_until REAL NOT NULL,
    principal TEXT NOT NULL,
    first INTEGER NOT NULL,         -- the number before its first entry
    first_end INTEGER NOT NULL,     -- and the bytes of all before it
    keep_entries INTEGER NOT NULL,
    keep_bytes INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX run_worked_on ON run (owner) WHERE code IS NULL;
CREATE INDEX run_until ON run (until) WHERE until IS NOT NULL;
CREATE INDEX run_ended ON run (ended) WHERE ended IS NOT NULL;

-- The last number of a run is that of its last entry: an append changes nothing else.
CREATE TABLE entry (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    size INTEGER NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (run, number)
) WITHOUT ROWID;

CREATE TABLE document (name TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, until REAL NOT NULL);
CREATE INDEX document_until ON document (until);

-- Which start of the machine the log was written in, and whether what was written may be lost with its power.
CREATE TABLE machine (boot TEXT NOT NULL, may_lose INTEGER NOT NULL);
"""


def prepared_folder(address: SqliteAddress) -> Path:
    """The folder beside the file, for the sockets and leases of its processes, made if need be. Raises LogRefused."""
    path = address.path
    if not path.parent.is_dir():
        raise LogRefused(
            f"MCP_APP_EVENT_LOG: the folder {path.parent} is not there. Create it, or name a file in another one: "
            "sqlite:///var/lib/mcp-app/events.db is the file /var/lib/mcp-app/events.db."
        )
    if path.exists() and not path.is_file():
        raise LogRefused(f"MCP_APP_EVENT_LOG: {path} is not a file. Name a file.")
    if path.exists() and 0 < path.stat().st_size < SMALLEST_BYTES:
        raise _garbage(address, "it is too short")
    if (kind := _file_system(path)) in NETWORK:
        raise LogRefused(
            f"MCP_APP_EVENT_LOG: {path} is on a network file system ({kind}), where SQLite cannot share it between "
            "processes. Name a file on a local disk, or use redis:// for several machines."
        )
    folder = path.with_name(path.name + "-processes")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not path.exists():
            # For its owner only: parameters and results are in it. SQLite gives its other files the same rights.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:  # made by another process at this moment; or the folder is a file
        if not folder.is_dir():
            raise LogRefused(f"MCP_APP_EVENT_LOG: {folder} has to be a folder. Move the file away.") from None
    except OSError as error:
        raise _refused(address, error.strerror or str(error)) from error
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK | os.X_OK):
        raise _refused(address, "no permission to write")
    return folder


def connect(address: SqliteAddress) -> sqlite3.Connection:
    """To write. Raises LogRefused, or sqlite3.OperationalError when the file is locked."""
    connection = sqlite3.connect(address.path, timeout=LOCK_SECONDS, isolation_level=None)
    try:
        _check(connection, address)
        connection.execute(f"PRAGMA synchronous={address.survives.value}")
        connection.execute(
            f"PRAGMA fullfsync={int(address.survives is Survives.POWER)}"
        )  # of macOS, whose fsync is none
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(address: SqliteAddress) -> sqlite3.Connection:
    """Raises sqlite3.Error."""
    connection = sqlite3.connect(address.path, timeout=5.0, isolation_level=None)
    connection.execute("PRAGMA query_only=1")
    return connection


def prepare(connection: sqlite3.Connection, address: SqliteAddress, turn: Turn, until: float) -> None:
    """Make the tables where there are none, and see to what a start of the machine means. Raises Locked, or
    sqlite3.Error."""
    begin(connection, turn, until)
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION}")
            connection.execute(f"PRAGMA user_version={SCHEMA}")
        _note_boot(connection, may_lose=address.survives is Survives.KILL)
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def begin(connection: sqlite3.Connection, turn: Turn, until: float) -> None:
    """Begin to write. Raises Locked if another program has locked the file until then, or sqlite3.Error."""
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if turn.over(until):
                raise Locked("another program has locked the file") from error
        else:
            return


def roll_back(connection: sqlite3.Connection) -> None:
    """Some errors have done so already (https://sqlite.org/lang_transaction.html, 3)."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _note_boot(connection: sqlite3.Connection, *, may_lose: bool) -> None:
    """After a start of the machine no node is alive. Where the power may have taken what readers have seen, runs that
    were worked on go on at numbers that nobody has seen: their readers get `purged`, never a hole."""
    boot = _boot()
    there = connection.execute("SELECT boot, may_lose FROM machine").fetchone()
    if there is None:
        connection.execute("INSERT INTO machine VALUES (?, ?)", (boot, may_lose))
    elif there[0] == boot:
        connection.execute("UPDATE machine SET may_lose = max(may_lose, ?)", (may_lose,))
    else:
        connection.execute("DELETE FROM message")
        if there[1]:
            _leave_numbers_out(connection)
        connection.execute("UPDATE machine SET boot = ?, may_lose = ?", (boot, may_lose))


def _leave_numbers_out(connection: sqlite3.Connection) -> None:
    last = "SELECT max(number) FROM entry WHERE entry.run = run.number"
    end = 'SELECT max("end") FROM entry WHERE entry.run = run.number'
    connection.execute(
        f"UPDATE run SET first = coalesce(({last}), first) + ?, first_end = coalesce(({end}), first_end)"
        " WHERE code IS NULL",
        (LOST_NUMBERS,),
    )
    connection.execute("DELETE FROM entry WHERE run IN (SELECT number FROM run WHERE code IS NULL)")


def _boot() -> str:
    """Which start of the machine this is; "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _check(connection: sqlite3.Connection, address: SqliteAddress) -> None:
    path = address.path
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not (empty and version == application == 0) and application != APPLICATION:
            raise LogRefused(
                f"MCP_APP_EVENT_LOG: {path} is the database of another program. Name a file of its own for the log."
            )
        if version > SCHEMA:
            raise LogRefused(
                f"MCP_APP_EVENT_LOG: {path} was written by a newer release (schema {version}, this one knows {SCHEMA})."
                " Start that release, or name another file."
            )
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    except sqlite3.DatabaseError as error:
        code = error.sqlite_errorcode & 0xFF
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise _garbage(address, str(error)) from error
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
            raise _refused(address, str(error)) from error
        raise
    if mode != "wal":
        raise LogRefused(
            f"MCP_APP_EVENT_LOG: {path} cannot be used by several processes: SQLite has no WAL on its file system. Name"
            " a file on a local disk."
        )


def _garbage(address: SqliteAddress, reason: str) -> LogRefused:
    return LogRefused(
        f"MCP_APP_EVENT_LOG: {address.path} is not a database: {reason}. Move it away, or name another file."
    )


def _refused(address: SqliteAddress, reason: str) -> LogRefused:
    return LogRefused(
        f"MCP_APP_EVENT_LOG: {address.path} cannot be written: {reason}. The file and its folder have to be writable "
        "for the user that the server runs as."
    )


def _file_system(path: Path) -> str | None:
    if sys.platform != "linux":
        return None
    try:
        mountinfo = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return None
    return file_system(PurePosixPath(path.parent.resolve()), mountinfo)
