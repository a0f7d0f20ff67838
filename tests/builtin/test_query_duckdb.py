"""query_database on a DuckDB file: what it reads and how it spells it, what it refuses and bounds, how it is left."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psutil
import pytest
from live_server import serving

import mcp_app
from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset.tool import analyze_dataset
from mcp_app.builtin.memory import CEILING_BYTES
from mcp_app.builtin.query_database.database import CannotOpen, Column, Row
from mcp_app.builtin.query_database.duckdb.engine import DuckDb, open_database
from mcp_app.builtin.query_database.settings import parse
from mcp_app.builtin.query_database.tool import describe_table, list_tables, query_database
from mcp_app.testing import ProgressEvent, client

ENDLESS = "select count(*) from range(1000000000000) a, range(1000000000000) b"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "lake.duckdb"
    with duckdb.connect(path) as writer:
        writer.execute(
            """
            CREATE TABLE ships (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL DEFAULT 'none', built DATE);
            COMMENT ON TABLE ships IS 'what floats';
            CREATE TABLE voyages (ship INTEGER REFERENCES ships (id), days DECIMAL(6, 2));
            CREATE INDEX by_name ON ships (name);
            CREATE SCHEMA "old ones";
            CREATE TABLE "old ones"."the list" (a INTEGER);
            CREATE VIEW long_ones AS SELECT * FROM voyages WHERE days > 100;
            INSERT INTO ships VALUES (1, 'Pamir', '1905-07-29'), (2, 'Passat', NULL);
            INSERT INTO voyages VALUES (1, 120.50), (2, 78);
            """
        )
    return path


@pytest.fixture
async def database(path: Path) -> AsyncIterator[DuckDb]:
    [named] = parse(f"lake=duckdb:///{path}")
    database = await open_database(named)
    yield database
    await database.close()


async def answered(
    database: DuckDb, sql: str, parameters: Any = (), batch: int = 100
) -> tuple[list[Column], list[Row]]:
    columns: list[Column] = []
    rows: list[Row] = []
    async for item in database.rows(sql, parameters, batch=batch):
        if item and isinstance(item[0], Column):
            columns = item  # type: ignore[assignment]
        else:
            rows += item  # type: ignore[arg-type]
    return columns, rows


async def test_rows_come_with_their_types(database: DuckDb) -> None:
    columns, rows = await answered(database, "SELECT * FROM ships ORDER BY id -- all of them")
    assert [(each.name, each.type) for each in columns] == [("id", "INTEGER"), ("name", "VARCHAR"), ("built", "DATE")]
    assert rows == [[1, "Pamir", "1905-07-29"], [2, "Passat", None]]


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT name FROM ships WHERE id = $1 AND name = $2", [1, "Pamir"]),
        ("SELECT name FROM ships WHERE id = ? AND name = ?;", [1, "Pamir"]),
        ("SELECT name FROM ships WHERE id = $id", {"id": 1}),
        ("SELECT name FROM ships WHERE id = list_sum($1)", [[1, 0]]),
        ("FROM (SELECT name, built FROM ships WHERE id = $1) SELECT name", [1]),
    ],
)
async def test_parameters_are_bound(database: DuckDb, sql: str, parameters: Any) -> None:
    assert (await answered(database, sql, parameters))[1] == [["Pamir"]]


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        ("170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727"),
        ("1.50::DECIMAL(6, 2)", 1.5),
        ("'NaN'::DOUBLE", "NaN"),
        ("'-Infinity'::FLOAT", "-Infinity"),
        ("'\\xAB'::BLOB", "\\xab"),
        ("DATE '2024-02-29'", "2024-02-29"),
        ("DATE 'infinity'", "infinity"),
        ("DATE '290000-01-01'", "290000-01-01"),
        ("TIMESTAMP '2024-02-29 10:00:00.5'", "2024-02-29T10:00:00.5"),
        ("TIMESTAMP 'infinity'", "infinity"),
        ("TIMESTAMP_NS '2024-02-29 10:00:00.123456789'", "2024-02-29T10:00:00.123456789"),
        ("TIMESTAMPTZ '2024-02-29 10:00:00+02'", "2024-02-29T08:00:00+00:00"),
        ("TIME '10:00:00'", "10:00:00"),
        ("INTERVAL '13 months 2 days 03:04:05.5'", "P1Y1M2DT3H4M5.5S"),
        ("INTERVAL '-1 month'", "P-1M"),
        ("[1, 2, NULL]", [1, 2, None]),
        ("{'a': 1, 'b': [DATE '2024-01-01']}", {"a": 1, "b": ["2024-01-01"]}),
        ("MAP {'k': 1}", {"k": 1}),
        ("'{\"a\": [1, null]}'::JSON", {"a": [1, None]}),
        ("'101'::BIT", "101"),
        ("'00000000-0000-0000-0000-000000000001'::UUID", "00000000-0000-0000-0000-000000000001"),
        ("true", True),
        ("NULL", None),
    ],
)
async def test_how_a_value_is_spelt(database: DuckDb, value: str, spelt: object) -> None:
    _, rows = await answered(database, f"SELECT {value} AS x, 1 AS x")
    assert rows == [[spelt, 1]]


@pytest.mark.parametrize(
    "sql", ["DESCRIBE ships", "SHOW TABLES", "SUMMARIZE ships", "EXPLAIN SELECT 1", "VALUES (1)", "TABLE ships"]
)
async def test_what_else_reads(database: DuckDb, sql: str) -> None:
    columns, rows = await answered(database, sql)
    assert columns
    assert rows


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO ships VALUES (3, 'x', NULL)",
        "UPDATE ships SET name = 'x'",
        "DELETE FROM ships",
        "DROP TABLE ships",
        "CREATE TABLE x (a INTEGER)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "WITH x AS (SELECT 1) INSERT INTO ships SELECT 3, 'x', NULL",
        "EXPLAIN ANALYZE INSERT INTO ships VALUES (3, 'x', NULL)",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE ships",
        "",
        "-- nothing",
        "BEGIN",
        "COMMIT",
        "CHECKPOINT",
        "VACUUM",
        "USE memory",
        "SET threads = 100",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CALL enable_logging(storage = 'file', storage_path = '{root}/log')",
        "PREPARE p AS SELECT 1",
        "ATTACH '{root}/other.duckdb'",
        "ATTACH ':memory:' AS m",
        "DETACH lake",
        "INSTALL httpfs",
        "LOAD httpfs",
        "COPY ships TO '{root}/out.csv'",
        "COPY ships FROM '{root}/secret.csv'",
        "EXPORT DATABASE '{root}/out'",
        "IMPORT DATABASE '{root}'",
        "CREATE SECRET (TYPE s3)",
        "SELECT * FROM read_csv('{root}/secret.csv')",
        "SELECT * FROM '{root}/secret.csv'",
        "SELECT * FROM read_text('{root}/secret.csv')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_json('{root}/secret.csv')",
        "SELECT * FROM read_parquet('{root}/secret.csv')",
        "SELECT * FROM parquet_metadata('{root}/secret.csv')",
        "SELECT * FROM read_csv('http://127.0.0.1:1/x')",
        "SELECT * FROM sniff_csv('{root}/secret.csv')",
        "SELECT * FROM glob('{root}/*')",
        "SELECT * FROM query('DROP TABLE ships')",
        "SELECT * FROM query('SELECT * FROM read_text(''{root}/secret.csv'')')",
        "SELECT getenv('PATH')",
        "SELECT nextval('x')",
    ],
)
async def test_nothing_else_does_anything(database: DuckDb, path: Path, sql: str) -> None:
    (path.parent / "secret.csv").write_text("confidential\n1\n")
    before = sorted(path.parent.iterdir())
    with pytest.raises(ToolError) as caught:
        await answered(database, sql.replace("{root}", str(path.parent)))
    assert "confidential" not in caught.value.message
    assert sorted(path.parent.iterdir()) == before
    with duckdb.connect(path, read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM ships").fetchone() == (2,)


async def test_an_error_is_duckdbs_own_and_names_no_file(database: DuckDb, path: Path) -> None:
    with pytest.raises(ToolError, match=r"Table with name shipz does not exist! Did you mean .ships") as caught:
        await answered(database, "SELECT * FROM shipz")
    assert "list_tables" in (caught.value.hint or "")
    with pytest.raises(ToolError, match="parameter") as caught:
        await answered(database, "SELECT $1, $2", [1])
    assert "parameters has a value" in (caught.value.hint or "")
    path.unlink()  # noqa: ASYNC240
    with pytest.raises(ToolError) as caught:
        await answered(database, "SELECT 1")
    assert str(path.parent) not in caught.value.message


async def test_another_program_that_writes_is_said_to(database: DuckDb, path: Path) -> None:
    code = f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('open', flush=True); sys.stdin.read()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"open\n"
        with pytest.raises(ToolError, match="Another program is writing to the database"):
            await answered(database, "SELECT 1")
        process.stdin.close()
        await process.wait()
    assert (await answered(database, "SELECT 1"))[1] == [[1]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 1500000000) AS x",
        "SELECT list(i) FROM range(1000000000) t(i)",
        "SELECT repeat('x', 100000000) || i FROM range(100) t(i)",
    ],
)
async def test_a_value_of_a_gigabyte_is_an_error(database: DuckDb, sql: str) -> None:
    with pytest.raises(ToolError, match="needs more memory than the 512MiB"):
        await answered(database, sql)
    assert (await answered(database, "SELECT 1"))[1] == [[1]]
    assert psutil.Process().memory_info().rss < 2 * CEILING_BYTES


async def test_many_rows_are_read_as_they_are_asked_for(database: DuckDb) -> None:
    rows = database.rows("SELECT i, 'text ' || i FROM range(100000000000) t(i)", [], batch=10)
    async with asyncio.timeout(30):
        assert len(await anext(rows)) == 2
        assert await anext(rows) == [[number, f"text {number}"] for number in range(10)]
        await rows.aclose()


async def test_whoever_closes_or_cancels_has_stopped_the_statement(database: DuckDb) -> None:
    for pause in (0.0, 0.3):
        task = asyncio.create_task(answered(database, ENDLESS))
        await asyncio.sleep(pause)
        task.cancel()
        begun = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(20):
                await task
        assert time.monotonic() - begun < 20
    assert (await answered(database, "SELECT 1"))[1] == [[1]]  # the file is closed, and can be opened again


async def test_tables_and_what_they_are_made_of(database: DuckDb) -> None:
    tables = {each.name: each for each in await database.tables()}
    assert set(tables) == {"ships", "voyages", "long_ones", '"old ones"."the list"'}
    assert (tables["ships"].rows, tables["ships"].comment, tables["long_ones"].kind) == (2, "what floats", "view")
    ships = await database.table("SHIPS")
    assert [(each.name, each.type, each.nullable) for each in ships.columns] == [
        ("id", "INTEGER", False),
        ("name", "VARCHAR", False),
        ("built", "DATE", True),
    ]
    assert ships.columns[1].default == "'none'"
    assert ships.primary_key == ["id"]
    assert [(each.name, each.columns, each.unique) for each in ships.indexes] == [("by_name", ["name"], False)]
    [key] = (await database.table("voyages")).foreign_keys
    assert (key.columns, key.table, key.references) == (["ship"], "ships", ["id"])
    assert [each.name for each in (await database.table('"old ones"."the list"')).columns] == ["a"]
    with pytest.raises(ToolError, match="There is no table"):
        await database.table("shipz")


async def test_two_names_may_be_those_of_one_file(path: Path) -> None:
    opened = [await open_database(each) for each in parse(f"lake=duckdb:///{path},pond=duckdb:///{path}")]
    found = await asyncio.gather(*(each.tables() for each in opened * 10))
    assert {len(tables) for tables in found} == {4}


async def test_what_is_no_database_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "text.duckdb").write_text("not a database at all " * 1000)
    for name in ("text.duckdb", "missing.duckdb"):
        [named] = parse(f"lake=duckdb:///{tmp_path / name}")
        with pytest.raises(CannotOpen, match="MCP_APP_DATABASES: lake: "):
            await open_database(named)


@pytest.fixture
def named(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCP_APP_DATABASES", f"lake=duckdb:///{path}")
    return path


@pytest.mark.parametrize("era", ["plain", "2026-07-28", "2025-11-25"])
async def test_by_the_tools_of_the_server(named: Path, era: str) -> None:
    async with client([query_database, list_tables, describe_table, analyze_dataset], era=era) as c:
        run = c.run(query_database, sql="SELECT name FROM ships WHERE id = $1", parameters=[2])
        table = await run
        assert (table["columns"], table["rows"]) == ([{"name": "name", "type": "VARCHAR"}], [["Passat"]])
        if era == "plain":
            shown = [event.raw for event in run.events if isinstance(event, ProgressEvent)]
            assert [each["data"]["kind"] for each in shown] == ["columns", "rows"]
            assert shown[0]["metadata"]["path"] == ["query_duckdb"]
        assert (await c.run(list_tables))["databases"][0]["engine"] == "DuckDB"
        assert (await c.run(describe_table, table="ships"))["primary_key"] == ["id"]
        with pytest.raises(ToolError, match=r"read-only mode|does not only read"):
            await c.run(query_database, sql="DROP TABLE ships")
        analysis = await c.run(analyze_dataset, sql="SELECT * FROM voyages")
        assert (analysis["source"], analysis["row_count"]) == ("a query of lake", 2)


async def test_leaving_stops_the_statement_in_its_process(named: Path) -> None:
    app = mcp_app.create_app(tools=[query_database])
    call = {"tool": "query_database", "params": {"sql": ENDLESS}}
    async with serving(app) as server, httpx.AsyncClient(timeout=30) as http:
        async with http.stream(
            "POST", f"{server.url}/api/v1/mcp/sse", json=call, headers={"Accept": "text/event-stream"}
        ) as response:
            lines = response.aiter_lines()  # kept: a generator that is forgotten closes the response
            async for line in lines:
                if line.startswith("data: ") and json.loads(line[6:])["type"] == "started":
                    break
            async with asyncio.timeout(30):
                while not _open(named):  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            while _open(named):  # noqa: ASYNC110 - nor of this
                await asyncio.sleep(0.05)


STUBBORN = "select length(repeat('x', 1000000000 + range)) from range(8)"
"""Each value takes DuckDB a second or more, in which it looks at no interrupt."""


async def test_a_statement_that_does_not_stop_does_not_meet_the_next_call(named: Path) -> None:
    async with client([query_database]) as c:
        with pytest.raises(ToolError, match="was stopped"):
            await c.run(query_database, sql=STUBBORN, seconds=0.5)
        for _ in range(3):
            assert (await c.run(query_database, sql="SELECT 1"))["rows"] == [[1]]


def _open(path: Path) -> list[psutil.Process]:
    """Processes of ours that have the file open: those in which a statement runs on it."""
    return [each for each in psutil.Process().children() if str(path) in {file.path for file in each.open_files()}]
