"""The DuckDB of an analysis: what its SQL cannot reach, its bounds, its end, and what is left on the disk."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mcp_app import ToolError
from mcp_app.builtin import scratch
from mcp_app.builtin.analyze_dataset import locked
from mcp_app.builtin.analyze_dataset.data_file import open_below
from mcp_app.builtin.analyze_dataset.locked import LockedDuckDb, locked_duckdb
from mcp_app.builtin.scratch import scratch_directory

ENDLESS = "SELECT count(*) FROM range(1000000000000) a, range(1000000000000) b"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scratch directories are made, for this test alone."""
    path = tmp_path / "tmp"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


@pytest.fixture
async def database(temporary: Path, tmp_path: Path) -> AsyncIterator[LockedDuckDb]:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "other.csv").write_text("a,b\nconfidential,2\n")
    with open_below(tmp_path, "a.csv") as file:
        async with locked_duckdb(file.path, "a.csv") as database:
            assert await database.rows(f"SELECT * FROM read_csv('{file.path}')") == [(1, 2)]
            yield database


def files(root: Path, *, besides: str = "tmp") -> set[Path]:
    """All that is below it."""
    return {path for path in root.rglob("*") if besides not in path.relative_to(root).parts}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{root}/other.csv')",
        "SELECT * FROM read_csv(['{root}/a.csv', '{root}/other.csv'])",
        "SELECT * FROM read_csv('{root}/*.csv')",
        "SELECT * FROM '{root}/other.csv'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_csv('/proc/self/fd/0')",
        "SELECT * FROM read_csv('/proc/self/cwd/pyproject.toml')",
        "SELECT * FROM read_json('{root}/other.csv')",
        "SELECT * FROM read_parquet('{root}/other.csv')",
        "SELECT * FROM parquet_metadata('{root}/other.csv')",
        "SELECT * FROM sniff_csv('{root}/other.csv')",
        "SELECT * FROM glob('{root}/*')",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
        "SELECT * FROM read_csv('s3://bucket/x.csv')",
        "COPY (SELECT 1) TO '{root}/out.csv'",
        "COPY (SELECT 1) TO '/dev/stdout'",
        "EXPORT DATABASE '{root}/out'",
        "IMPORT DATABASE '{root}'",
        "ATTACH '{root}/out.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '{root}/x.duckdb_extension'",
        "CREATE SECRET (TYPE s3)",
        "CREATE PERSISTENT SECRET (TYPE http)",
        "SELECT getenv('PATH')",
        "SET enable_external_access = true",
        "SET GLOBAL allowed_directories = ['/']",
        "RESET allowed_paths",
        "SET lock_configuration = false",
        "SET memory_limit = '100GiB'",
        "SET threads = 100",
        "SET temp_directory = '{root}'",
        "SET log_query_path = '{root}/log'",
        "SET profiling_output = '{root}/profile'",
        "SET home_directory = '{root}'",
        "PRAGMA enable_profiling",
        "CALL enable_logging(storage = 'file', storage_path = '{root}/log')",
    ],
)
async def test_sql_reaches_nothing_else(database: LockedDuckDb, tmp_path: Path, sql: str) -> None:
    before = files(tmp_path)
    with pytest.raises(ToolError) as caught:
        await database.rows(sql.replace("{root}", str(tmp_path)))
    assert "confidential" not in caught.value.message
    assert files(tmp_path) == before


async def test_python_variables_are_no_tables(database: LockedDuckDb) -> None:
    temporary = [1]  # noqa: F841
    with pytest.raises(ToolError, match="does not exist"):
        await database.rows("SELECT * FROM temporary")


async def test_memory_is_bounded(database: LockedDuckDb) -> None:
    with pytest.raises(ToolError, match="needs more memory than the 400MiB"):
        await database.rows("SELECT length(list(repeat('x', 10000) || i)::VARCHAR) FROM range(10000000) t(i)")


async def test_rows_that_have_no_room_in_python_need_too_much_memory(
    database: LockedDuckDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ceiling of the process is reached there as well: by twelve texts of 8 MB below one of 200 MiB."""

    def run(self: LockedDuckDb, sql: str) -> list[tuple[object, ...]]:
        raise MemoryError

    monkeypatch.setattr(LockedDuckDb, "_run", run)
    with pytest.raises(ToolError, match="needs more memory than the 400MiB"):
        await database.rows("SELECT 1")


async def test_the_disk_is_bounded(database: LockedDuckDb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked, "DISK_BYTES", 30 * 1024 * 1024)
    with pytest.raises(ToolError, match="of disk"):
        await database.rows("CREATE TABLE big AS SELECT hash(i) AS a, hash(i + 1) AS b FROM range(1000000000) t(i)")


async def test_whoever_is_cancelled_has_stopped_the_statement(database: LockedDuckDb) -> None:
    task = asyncio.create_task(database.rows(ENDLESS))
    await asyncio.sleep(0.2)
    task.cancel()
    begun = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(20):
            await task
    assert await database.rows("SELECT 1") == [(1,)]  # nothing else is at work
    assert time.monotonic() - begun < 20


async def test_a_watch_that_fails_has_stopped_the_statement(database: LockedDuckDb) -> None:
    async def watch(percent: float) -> None:
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        async with asyncio.timeout(20):
            await database.rows(ENDLESS, watch)
    async with asyncio.timeout(20):
        assert await database.rows("SELECT 1") == [(1,)]  # nothing else is at work


async def test_a_statement_that_was_cancelled_before_it_began_is_stopped(database: LockedDuckDb) -> None:
    for _ in range(20):
        task = asyncio.create_task(database.rows(ENDLESS))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(20):
                await task


async def test_the_scratch_directory_is_gone_afterwards(database: LockedDuckDb, temporary: Path) -> None:
    with scratch_directory() as path:
        (path / "x").write_text("x")
        assert scratch.size(path) == 1
        assert {each.parent for each in files(temporary) if each.name == "lock"} > {path}  # and that of the database
    [left] = [each.parent for each in files(temporary) if each.name == "lock"]
    assert left != path


@pytest.mark.parametrize(
    ("opened", "file"),
    [
        ("mcp_app.builtin.scratch import scratch_directory", "big"),
        ("mcp_app.builtin.sample.shop import shop as scratch_directory", "shop.db"),  # a worker may have it
    ],
)
def test_what_a_killed_process_left_is_removed_by_the_next(temporary: Path, opened: str, file: str) -> None:
    code = (
        f"import os, signal\nfrom {opened}\n"
        "with scratch_directory() as path:\n"
        "    path.is_file() or (path / 'big').write_text('x')\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=False)
    [left] = temporary.iterdir()
    assert (left / file).exists()
    (temporary / "mcp-app-scratch-foreign").symlink_to(temporary.parent)
    with scratch_directory():
        assert not left.exists()
    assert temporary.parent.exists()
