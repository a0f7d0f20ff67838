"""A read-only connection to a SQLite file, by SQLite's own means; used in threads, one at a time.

What a statement does is decided by SQLite (`mode=ro`, `query_only`, an authorizer, limits), never by reading its text.
Nothing is run here.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

LENGTH_BYTES = 1_048_576
"""Of one value and of one row in a table, before it is cut to a cell. Values are made whole in memory, and a statement
may make hundreds of them at once: without it one cell could have a gigabyte."""

TEMPORARY_BYTES = 1_073_741_824
"""What one statement may write to temporary files, for sorting and DISTINCT. Without it a statement that never ends
fills the disk of everything on the machine."""

_INSTRUCTIONS = 20_000
"""Of SQLite's virtual machine between two looks whether the statement is to stop: about a millisecond."""

_DISK_SECONDS = 0.2
"""Between two looks at the disk."""

_READS = frozenset([sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE])

_FUNCTIONS_THAT_LOAD = frozenset(["load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "fsdir"])
"""They load code or touch files. Most are the shell's, and could be in a library that was built with them."""


def _authorize(action: int, first: str | None, second: str | None, schema: str | None, within: str | None) -> int:
    """Whatever only reads. All else is refused: ATTACH, PRAGMA, writing, transactions, and what SQLite may learn."""
    allowed = (
        action in _READS
        or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FUNCTIONS_THAT_LOAD)
        # A table-valued function such as json_each declares its columns so. Nothing is written: query_only, mode=ro.
        or (action == sqlite3.SQLITE_UPDATE and first in ("sqlite_master", "sqlite_schema"))
        # FTS5 asks whether its index has changed.
        or (action == sqlite3.SQLITE_PRAGMA and first == "data_version" and second is None)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


class Stop:
    """Whether a statement has to stop, and why. `asked` may be set in any thread."""

    __slots__ = ("_free", "_looked", "asked", "folder", "full")

    def __init__(self) -> None:
        self.asked = False
        self.full = False
        self.folder = temporary_folder()
        self._free = shutil.disk_usage(self.folder).free
        self._looked = time.monotonic()

    def __call__(self) -> int:
        """SQLite's progress handler: anything but 0 interrupts the statement."""
        if not self.asked and (now := time.monotonic()) - self._looked > _DISK_SECONDS:
            self._looked = now
            self.full = self._free - shutil.disk_usage(self.folder).free > TEMPORARY_BYTES
        return self.asked or self.full


def temporary_folder() -> str:
    """Where SQLite puts temporary files (https://sqlite.org/tempfiles.html, 5)."""
    usual = ["/var/tmp", "/usr/tmp", "/tmp"]  # noqa: S108 - what SQLite uses, which is looked at and not written to
    candidates = [os.environ.get("SQLITE_TMPDIR"), os.environ.get("TMPDIR"), *usual]
    return next((each for each in candidates if each and os.access(each, os.W_OK | os.X_OK)), ".")


def connect(path: Path, stop: Stop | None = None) -> sqlite3.Connection:
    """A connection on which nothing can be written. With `stop` it is for a caller's statement; without it, for ours.

    Raises sqlite3.Error.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        timeout=0,  # who waits for a lock waits on the event loop
        isolation_level=None,
        check_same_thread=False,
        cached_statements=0,
    )
    try:
        connection.execute("pragma query_only = on")
        connection.execute("pragma trusted_schema = off")
        connection.execute("pragma cell_size_check = on")
        connection.text_factory = _text
        if stop is not None:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LENGTH_BYTES)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.setlimit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)
            for name, strip in (("trim", str.strip), ("ltrim", str.lstrip), ("rtrim", str.rstrip)):
                connection.create_function(name, 2, _trimming(strip), deterministic=True)
            _open_virtual_tables(connection)
            connection.set_progress_handler(stop, _INSTRUCTIONS)
            connection.set_authorizer(_authorize)
    except BaseException:
        connection.close()
        raise
    return connection


def _open_virtual_tables(connection: sqlite3.Connection) -> None:
    """Before there is an authorizer: an R-tree that is opened prepares its statements, those that write as well."""
    found = connection.execute("select name from sqlite_master where type = 'table' and rootpage = 0").fetchall()
    for (name,) in found:
        try:
            connection.execute(f"select 1 from {quoted(name)} limit 0").close()  # noqa: S608 - a name, quoted
        except sqlite3.Error:
            continue  # of a module that is not there: who asks for the table is told so


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _text(data: bytes) -> str:
    """SQLite stores whatever it is given as text."""
    return data.decode("utf-8", "replace")


def _trimming(strip: Any) -> Any:
    """`trim(text, characters)` in one pass. SQLite's own takes text times characters, up to half an hour, and looks at
    no interrupt meanwhile."""

    def trim(value: Any, characters: Any) -> str | None:
        if value is None or characters is None:
            return None
        text, unwanted = _as_text(value), frozenset(_as_text(characters))
        start, end = 0, len(text)
        if strip is not str.rstrip:
            start = next((at for at, each in enumerate(text) if each not in unwanted), end)
        if strip is not str.lstrip:
            while end > start and text[end - 1] in unwanted:
                end -= 1
        return text[start:end]

    return trim


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
