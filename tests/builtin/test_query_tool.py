"""query_database, list_tables and describe_table as callers meet them: by every dialect, and when they leave."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from query_world import COUNTING, ENDLESS, at_work, until_none_is_at_work, until_one_is_at_work, write

import mcp_app
from mcp_app import ToolError, builtin, errors
from mcp_app.builtin.query_database.database import ColumnDescription, ForeignKey, Index
from mcp_app.builtin.query_database.sqlite import statement as sqlite_statement
from mcp_app.builtin.query_database.tool import describe_table, list_tables, query_database
from mcp_app.builtin.sample import DATA
from mcp_app.testing import ERAS, Client, ProgressEvent, client

TOOLS = (query_database, list_tables, describe_table)


def partials(run: Any) -> list[dict[str, Any]]:
    return [event.data for event in run.events if isinstance(event, ProgressEvent)]


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One database, `mine`."""
    path = write(tmp_path / "mine.db")
    monkeypatch.setenv("MCP_APP_DATABASES", f"mine=sqlite:///{path}")
    return path


# --- the sample ------------------------------------------------------------------------------------------------------


async def test_while_no_database_is_named_the_sample_is_there() -> None:
    async with client(*TOOLS) as c:
        run = c.run(query_database, sql="select count(*) as orders from orders", database="shop")
        result = await run
        assert result["rows"] == [[2000]]
        assert [each["kind"] for each in partials(run)] == ["columns", "rows"]
        assert result == {
            "kind": "table",
            "columns": [{"name": "orders", "type": "INTEGER"}],
            "rows": [[2000]],
            "row_count": 1,
            "truncated": False,
            "notice": None,
        }


def files(folder: Path, pattern: str) -> list[str]:
    return [each.name for each in folder.glob(pattern)]


async def test_the_sample_is_removed_with_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    async with client(*TOOLS) as c:
        await c.run(list_tables)
        assert "shop.db" in files(tmp_path, "*/*")
    assert files(tmp_path, "*") == []


async def test_a_server_that_can_write_nowhere_starts_without_the_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    async with client(*TOOLS) as c:
        assert (await c.run(list_tables))["databases"] == []
        with pytest.raises(ToolError, match="This server has no database") as raised:
            await c.run(query_database, sql="select 1")
        assert "MCP_APP_DATABASES" in raised.value.hint
    assert "the sample database shop is not there" in caplog.text


async def test_an_example_of_each_tool_works_on_the_sample() -> None:
    async with client(*TOOLS) as c:
        for tool in TOOLS:
            properties = tool.input_schema["properties"]
            examples = {name: properties[name]["examples"][0] for name in tool.input_schema.get("required", ())}
            assert await c.run(tool, **examples)


FLAWS = {
    "values that are missing": ("customers", "email = ''", range(10, 60)),
    "a day that no calendar has": (
        "customers",
        "signed_up_on <> '' and date(signed_up_on, '+0 days') <> signed_up_on",
        1,
    ),
    "months and days that none has": ("orders", "date(ordered_on, '+0 days') is not ordered_on", 2),
    "what is no day": ("orders", "shipped_on = 'soon'", 1),
    "a price with its point in the wrong place": ("orders", "cast(unit_price as real) > 1000", 1),
    "a total to match": ("orders", "abs(quantity * unit_price - total) > 0.011", 0),
}


@pytest.mark.parametrize(("table", "flaw", "rows"), FLAWS.values(), ids=FLAWS)
def test_the_sample_has_its_flaws(table: str, flaw: str, rows: int | range) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        header, *lines = (DATA / f"{table}.csv").read_text(encoding="utf-8").splitlines()
        connection.execute(f"create table {table} ({header})")
        places = ", ".join("?" * len(header.split(",")))
        connection.executemany(f"insert into {table} values ({places})", (line.split(",") for line in lines))
        [found] = connection.execute(f"select count(*) from {table} where {flaw}").fetchone()
    assert found in rows if isinstance(rows, range) else found == rows


@pytest.mark.parametrize(("table", "twice"), [("customers", 1), ("products", 0), ("orders", 8)])
def test_the_sample_has_rows_twice(table: str, twice: int) -> None:
    _, *lines = (DATA / f"{table}.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) - len(set(lines)) == twice


# --- dialects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ERAS)
async def test_rows_are_streamed_and_returned_in_every_dialect(named: Path, era: str) -> None:
    async with client(*TOOLS, era=era) as c:
        run = c.run("query_database", sql="select n from numbers where n <= $1", parameters=[250])
        assert "250" in str(await run)
        assert [(each["kind"], len(each.get("rows", ()))) for each in partials(run)] == [
            ("columns", 0),
            ("rows", 100),
            ("rows", 100),
            ("rows", 50),
        ]


async def test_an_event_source_can_ask() -> None:
    async with client(*TOOLS, by="get") as c:
        result = await c.run(query_database, sql="select $1 + $2 as sum", parameters=[20, 22])
        assert result["rows"] == [[42]]


# --- what is asked and answered --------------------------------------------------------------------------------------


async def test_a_database_is_named_by_its_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (write(tmp_path / name, f"create table {name} (a)") for name in ("one", "two"))
    monkeypatch.setenv("MCP_APP_DATABASES", f"first=sqlite:///{one},second=sqlite:///{two}")
    async with client(*TOOLS) as c:
        listed = await c.run(list_tables)
        assert [(each["name"], [table["name"] for table in each["tables"]]) for each in listed["databases"]] == [
            ("first", ["one"]),
            ("second", ["two"]),
        ]
        assert str(tmp_path) not in str(listed)
        assert (await c.run(query_database, sql="select * from two", database="second"))["row_count"] == 0
        for wrong, said in ((None, "Say which database"), ("secnd", "There is no database 'secnd'")):
            with pytest.raises(ToolError, match=said) as raised:
                await c.run(query_database, sql="select 1", database=wrong)
            assert "The databases: first, second." in raised.value.hint
        assert "Did you mean second?" in raised.value.hint


async def test_a_caller_is_told_what_the_database_says(named: Path) -> None:
    said = {
        "select * from nobody": ("no such table: nobody", "list_tables names all of them."),
        "select height from people": ("no such column: height", "describe_table names all of them."),
        "delete from people": ("not authorized", "Databases are read only here"),
        "select load_extension('x')": ("not authorized to use function", "Databases are read only here"),
        "select 1; select 2": ("one statement", "Databases are read only here"),
        "select $1": ("binding parameter", "parameters has a value for each $1"),
        "selec 1": ("syntax error", ""),
    }
    async with client(*TOOLS) as c:
        for sql, (message, hint) in said.items():
            with pytest.raises(ToolError, match=message) as raised:
                await c.run(query_database, sql=sql)
            assert raised.value.hint.startswith(hint)
            assert bool(raised.value.hint) == bool(hint)


WRONG: dict[str, dict[str, Any]] = {
    "no statement": {"sql": ""},
    "too long": {"sql": "select 1 --" + "x" * 50_000},
    "no rows": {"sql": "select 1", "max_rows": 0},
    "too many rows": {"sql": "select 1", "max_rows": 10_000_001},
    "too few characters": {"sql": "select 1", "max_characters": 100},
    "no time": {"sql": "select 1", "seconds": 0},
    "a day": {"sql": "select 1", "seconds": 86_400},
    "one parameter": {"sql": "select 1", "parameters": 7},
}


@pytest.mark.parametrize("params", WRONG.values(), ids=WRONG)
async def test_what_is_out_of_bounds_is_refused(named: Path, params: dict[str, Any]) -> None:
    async with client(*TOOLS) as c:
        with pytest.raises(errors.InvalidParams):
            await c.run(query_database, **params)


async def test_a_table_is_described(named: Path) -> None:
    async with client(*TOOLS) as c:
        people = await c.run(describe_table, table="PEOPLE")
        assert (people["database"], people["name"], people["kind"], people["primary_key"]) == (
            "mine",
            "people",
            "table",
            ["id"],
        )
        assert [ColumnDescription(**each) for each in people["columns"]] == [
            ColumnDescription(name="id", type="INTEGER", nullable=False),
            ColumnDescription(name="name", type="TEXT", nullable=False),
            ColumnDescription(name="born", type="date"),
            ColumnDescription(name="photo", type="BLOB"),
            ColumnDescription(name="score", type="REAL", default="1.5"),
        ]
        visits = await c.run(describe_table, table="visits")
        assert [ForeignKey(**each) for each in visits["foreign_keys"]] == [
            ForeignKey(columns=["person"], table="people", references=["id"])
        ]
        assert [Index(**each) for each in visits["indexes"]] == [
            Index(name="places", columns=["an expression"]),
            Index(name="sqlite_autoindex_visits_1", columns=["person", "day"], unique=True),
        ]
        assert (await c.run(describe_table, table="adults"))["kind"] == "view"
        assert [each["name"] for each in (await c.run(describe_table, table="people", containing="O"))["columns"]] == [
            "born",
            "photo",
            "score",
        ]
        with pytest.raises(ToolError, match="There is no table 'peple'") as raised:
            await c.run(describe_table, table="peple")
        assert "Did you mean people?" in raised.value.hint


async def test_tables_of_modules_are_listed_without_what_they_keep(named: Path) -> None:
    async with client(*TOOLS) as c:
        [mine] = (await c.run(list_tables))["databases"]
        assert mine["engine"] == "SQLite"
        assert [each["name"] for each in mine["tables"]] == ["adults", "boxes", "numbers", "people", "visits", "words"]
        [some] = (await c.run(list_tables, containing="S"))["databases"]
        assert [each["name"] for each in some["tables"]] == ["adults", "boxes", "numbers", "visits", "words"]


async def test_more_tables_and_columns_than_fit_are_cut_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = f"create table wide ({', '.join(f'column_{number:04} text' for number in range(1900))});"
    many = "".join(f"create table t_{'x' * 80}_{number:04} (a);" for number in range(900))
    path = write(tmp_path / "many.db", wide + many)
    monkeypatch.setenv("MCP_APP_DATABASES", f"many=sqlite:///{path}")
    async with client(*TOOLS) as c:
        listed = await c.run(list_tables)
        [database] = listed["databases"]
        shown = len(database["tables"])
        assert 500 < shown < 901
        assert listed["truncated"]
        assert listed["notice"].startswith(f"{shown} of 901 tables are here: ")
        [rest] = (await c.run(list_tables, containing="_0899"))["databases"]
        assert len(rest["tables"]) == 1
        described = await c.run(describe_table, table="wide")
        assert described["notice"].startswith(f"{len(described['columns'])} of 1900 columns are here: ")
        for each in (listed, described):
            assert 80_000 < len(str(each)) < 120_000


async def test_indexes_and_texts_of_any_length_leave_room_for_the_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"begin; create table t (long text default '{'x' * 200_000}', other text);" + "".join(
        f"create index index_{number:04} on t (other);" for number in range(3000)
    )
    script += "commit;"
    monkeypatch.setenv("MCP_APP_DATABASES", f"many=sqlite:///{write(tmp_path / 'many.db', script)}")
    async with client(*TOOLS) as c:
        described = await c.run(describe_table, table="t")
    assert [each["name"] for each in described["columns"]] == ["long", "other"]
    assert described["columns"][0]["default"].endswith("… (4000 of 200002 characters)")
    assert described["truncated"]
    assert described["notice"].startswith(f"{len(described['indexes'])} of 3000 indexes are here: ")
    assert len(described["indexes"]) > 100
    assert len(json.dumps(described)) < 100_000


# --- leaving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sql", [ENDLESS, COUNTING], ids=["without a row", "with rows"])
@pytest.mark.parametrize("era", ["plain", "2026-07-28"])
async def test_leaving_stops_the_statement(named: Path, era: str, sql: str) -> None:
    async with client(*TOOLS, era=era, reads="on_demand") as c:
        run = c.run("query_database", sql=sql, max_rows=10_000_000)
        await (until_one_is_at_work() if sql == ENDLESS else run.next())
        await run.leave()
        await c.idle()
        await until_none_is_at_work()


async def test_cancelling_stops_the_statement(named: Path) -> None:
    async with client(*TOOLS, by="detached") as c:
        run = c.run(query_database, sql=ENDLESS)
        await run.until("started")
        await until_one_is_at_work()
        await run.cancel()
        with pytest.raises(errors.Cancelled):
            await run
        await c.idle()
        await until_none_is_at_work()


async def test_a_server_that_is_stopped_stops_the_statement(named: Path) -> None:
    async with client(*TOOLS) as c:
        run = c.run(query_database, sql=ENDLESS)
        await until_one_is_at_work()
        await c.stop()
        with pytest.raises(errors.Shutdown):
            await run
        await until_none_is_at_work()


async def test_others_do_not_wait_for_a_statement_that_never_ends(named: Path) -> None:
    async with client(*TOOLS) as c:
        endless = c.run(query_database, sql=ENDLESS)
        await until_one_is_at_work()
        assert (await c.run(query_database, sql="select 1"))["rows"] == [[1]]
        assert at_work()
        await endless.leave()
        await until_none_is_at_work()


async def test_a_slow_reader_holds_a_window_and_not_the_result(named: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def counted(values: Any) -> Any:
        nonlocal read
        read += 1
        return values

    monkeypatch.setattr(sqlite_statement, "row", counted)
    async with client(*TOOLS, reads="on_demand") as c:
        run = c.run(query_database, sql=f"{COUNTING} limit 1000000", max_rows=1_000_000)
        await run.next()
        before = -1
        while before < read:  # until the window is full, and nothing moves
            before = read
            await asyncio.sleep(0.2)
        assert 10_000 < read < 60_000  # 256 events of 100 rows each, and what HTTP buffers
        assert not at_work()
        for _ in range(100):
            await run.next()
        await run.leave()
        await c.idle()


# --- what MCP clients read -------------------------------------------------------------------------------------------


def everything() -> Client:
    return client(
        mcp_app.create_app(tools=TOOLS, resources=builtin.RESOURCES, prompts=builtin.PROMPTS), era="2026-07-28"
    )


async def test_tables_are_resources_with_completion_of_names(named: Path) -> None:
    async with everything() as c:
        assert '"people"' in (await c.read("database://mine")).text
        assert '"born"' in (await c.read("database://mine/people")).text
        template = {"type": "ref/resource", "uri": "database://{database}/{table}"}
        assert (await completed(c, template, "database", ""))["values"] == ["mine"]
        assert (await completed(c, template, "database", "x"))["values"] == []
        assert (await completed(c, template, "table", "", database="mine"))["values"][:2] == ["adults", "boxes"]
        assert (await completed(c, template, "table", "O", database="mine"))["values"] == ["boxes", "people", "words"]
        assert (await completed(c, template, "table", "wo"))["values"] == ["words"]
        assert (await completed(c, template, "table", "", database="other"))["values"] == []
        for unknown in ("database://other", "database://other/people", "database://mine/nobody"):
            with pytest.raises(errors.McpAppError):
                await c.read(unknown)


async def completed(c: Client, ref: dict[str, str], argument: str, typed: str, **chosen: str) -> dict[str, Any]:
    params = {"ref": ref, "argument": {"name": argument, "value": typed}, "context": {"arguments": chosen}}
    answer = await c.request("completion/complete", params)
    found: dict[str, Any] = answer["completion"]
    return found


async def test_a_prompt_has_the_tables_of_its_database(named: Path) -> None:
    async with everything() as c:
        text = (await c.prompt("ask_database", question="Who was born first?", database="mine")).text
        assert "Who was born first?" in text
        assert "SQLite database 'mine'" in text
        assert "people (id INTEGER, name TEXT, born date, photo BLOB, score REAL)" in text
        prompt = {"type": "ref/prompt", "name": "ask_database"}
        assert (await completed(c, prompt, "database", "M"))["values"] == ["mine"]


# --- the start -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("shop=sqlite:///nowhere.db", "MCP_APP_DATABASES: shop: there is no file nowhere.db"),
        ("shop=mysql://root:hunter2@db/shop", "MCP_APP_DATABASES: shop: the URL has to begin with"),
    ],
)
async def test_a_wrong_setting_ends_the_start_with_one_line(
    monkeypatch: pytest.MonkeyPatch, setting: str, said: str
) -> None:
    monkeypatch.setenv("MCP_APP_DATABASES", setting)
    with pytest.raises(Exception, match=said) as raised:
        async with client(*TOOLS):
            pass
    assert "hunter2" not in str(raised.value)
