"""A connection that reads one DuckDB file and reaches nothing else, with its memory, threads and disk bounded.

What is asked of it is not known here.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from mcp_app.builtin.locked_duckdb import connect_locked

MEMORY = "512MiB"
"""Of DuckDB's own buffers: beyond it sorts, joins and groups go to the disk."""

SPILLED = "4GiB"
"""On disk, of one statement."""


def connect(path: Path, spill: Path | None) -> duckdb.DuckDBPyConnection:
    """Open the file. `spill` is an empty directory for what does not fit memory; without one nothing is written.

    Raises duckdb.Error. One process opens a file once at a time: the settings belong to all connections to it.
    """
    return connect_locked(path, read_only=True, memory=MEMORY, spill=spill, disk=SPILLED)
