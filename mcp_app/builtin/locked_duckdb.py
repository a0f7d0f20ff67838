"""How DuckDB is opened for what others say: it loads nothing, reaches no file but those it is given, and stays so.

What is asked of it, and what an error of it becomes, is not known here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import duckdb

MAX_THREADS = 4
"""More would read one file little faster, and take it from others. Each has a buffer of 32 MiB while a CSV is read."""


def connect_locked(
    file: Path,
    *,
    read_only: bool,
    memory: str,
    spill: Path | None,
    disk: str,
    settings: Sequence[str] = (),
) -> duckdb.DuckDBPyConnection:
    """Open the database `file`. Raises duckdb.Error.

    memory: of DuckDB's own buffers, as it writes sizes.
    spill: an empty directory for what does not fit that, `disk` at most; without one nothing is written.
    settings: further ones, set before the configuration is locked: SQL behind `SET`.
    """
    connection = duckdb.connect(
        file,
        read_only=read_only,
        config={
            "memory_limit": memory,
            "threads": str(min(os.cpu_count() or 1, MAX_THREADS)),
            "temp_directory": "" if spill is None else str(spill),
            "max_temp_directory_size": disk,
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
            "python_enable_replacements": "false",  # else a Python variable of ours would be a table
        },
    )
    try:
        for each in (
            "TimeZone = 'UTC'",
            "enable_progress_bar_print = false",  # else it is drawn into the log: it is on where Python runs no file
            "home_directory = '/nonexistent'",  # where the server's account has its own, nobody has to know
            "secret_directory = '/nonexistent'",
            *settings,
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {each}")
    except BaseException:
        connection.close()
        raise
    return connection
