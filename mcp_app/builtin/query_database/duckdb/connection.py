"""A connection that reads one DuckDB file and reaches nothing else, with its memory, threads and disk bounded.

What is asked of it is not known here.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

MEMORY = "512MiB"
"""Of DuckDB's own buffers: beyond it sorts, joins and groups go to the disk."""

MAX_THREADS = 4

SPILLED = "4GiB"
"""On disk, of one statement."""


def connect(path: Path, spill: Path | None) -> duckdb.DuckDBPyConnection:
    """Open the file. `spill` is an empty directory for what does not fit memory; without one nothing is written.

    Raises duckdb.Error. One process opens a file once at a time: the settings belong to all connections to it.
    """
    connection = duckdb.connect(
        path,
        read_only=True,
        config={
            "memory_limit": MEMORY,
            "threads": str(min(os.cpu_count() or 1, MAX_THREADS)),
            "temp_directory": "" if spill is None else str(spill),
            "max_temp_directory_size": SPILLED,
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
            "python_enable_replacements": "false",  # else a Python variable of ours would be a table
        },
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        for each in (
            "home_directory",
            "secret_directory",
        ):  # where the server's account has its own, nobody has to know
            connection.execute(f"SET {each} = '/nonexistent'")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection
