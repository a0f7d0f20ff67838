"""SQLite as a database of query_database: what is read, what is refused, and what a statement may take."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from query_world import COUNTING, ENDLESS, at_work, read, until_none_is_at_work, until_one_is_at_work, write

from mcp_app import ToolError
from mcp_app.builtin.query_database.database import CannotOpen, Column
from mcp_app.builtin.query_database.settings import parse
from mcp_app.builtin.query_database.sqlite import connection as sqlite_connection
from mcp_app.builtin.query_database.sqlite import engine as sqlite
from mcp_app.builtin.query_database.sqlite import statement as sqlite_statement
from mcp_app.builtin.query_database.sqlite.connection import LENGTH_BYTES, Stop, connect
from mcp_app.builtin.query_database.sqlite.engine import SQLite
from mcp_app.builtin.query_database.sqlite.schema import summaries


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "a file?.db")


@pytest.fixture
def database(path: Path) -> SQLite:
    return SQLite(path)


# --- what is read ----------------------------------------------------------------------------------------------------


async def test_columns_have_the_types_of_their_values(database: SQLite) -> None:
    columns, rows = await read(database, "select *, id as id, iif(id = 1, 1, 'a') as mixed from people")
    assert columns == [
        Column(name="id", type="INTEGER"),
        Column(name="name", type="TEXT"),
        Column(name="born", type="TEXT"),
        Column(name="photo", type="BLOB"),
        Column(name="score", type="REAL"),
        Column(name="id", type="INTEGER"),
        Column(name="mixed", type="ANY"),
    ]
    assert rows == [[1, "Ada", "1815-12-10", "\\x89504e47", 9.5, 1, 1], [2, "Linus", None, None, None, 2, "a"]]


@pytest.mark.parametrize(
    ("sql", "kind"), [("select 1 union select 1.5", "REAL"), ("select null", "NULL"), ("select 1 where 0", "NULL")]
)
async def test_a_column_without_one_type_says_so(database: SQLite, sql: str, kind: str) -> None:
    [column], _ = await read(database, sql)
    assert column.type == kind


async def test_rows_come_in_batches(database: SQLite) -> None:
    async with aclosing(database.rows("select n from numbers", (), batch=400)) as items:
        sizes = [len(each) async for each in items]
    assert sizes == [1, 400, 400, 200]  # one column, then the rows


async def test_rows_that_come_slowly_are_seen_as_they_come(database: SQLite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_statement, "_BATCH_SECONDS", 0)
    async with aclosing(database.rows("select n from numbers limit 3", (), batch=400)) as items:
        assert [len(each) async for each in items] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("select $1 || $2 || $1", ["a", "b"]),
        ("select ?1 || ?2 || ?1", ["a", "b"]),
        ("select ? || ? || 'a'", ["a", "b"]),
        ("select :1 || @2 || :1", ["a", "b"]),
        ("select :x || $y || @x", {"x": "a", "y": "b"}),
        ("select group_concat(value, '') from json_each($1)", [["a", "b", "a"]]),
        ("select $1 ->> 'x'", [{"x": "aba"}]),
    ],
)
async def test_parameters_are_bound_by_number_or_by_name(
    database: SQLite, sql: str, parameters: Sequence[Any] | Mapping[str, Any]
) -> None:
    assert (await read(database, sql, parameters))[1] == [["aba"]]


async def test_a_parameter_is_never_sql(database: SQLite) -> None:
    evil = "1; drop table people; --' \" \\"
    assert (await read(database, "select $1", [evil]))[1] == [[evil]]


@pytest.mark.parametrize(
    ("sql", "parameters", "said"),
    [
        ("select $1, $2", ["a"], "binding parameter :2"),
        ("select ?, ?", ["a"], "Incorrect number of bindings"),
        ("select :x", {"y": 1}, "binding parameter :x"),
        ("select :x", ["a"], "binding parameter :x"),
        ("select $1", [2**63], "too large"),
    ],
)
async def test_what_is_wrong_with_parameters_is_said(
    database: SQLite, sql: str, parameters: Sequence[Any] | Mapping[str, Any], said: str
) -> None:
    with pytest.raises(ToolError, match=said) as raised:
        await read(database, sql, parameters)
    assert raised.value.hint.startswith("parameters has a value for each $1")


async def test_text_that_is_no_text_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    odd = SQLite(write(tmp_path / "odd.db", "create table t (a text); insert into t values (cast(x'41ff42' as text))"))
    assert (await read(odd, "select a from t"))[1] == [["A\ufffdB"]]


async def test_modules_that_only_read_can_be_read(database: SQLite) -> None:
    assert (await read(database, "select text from words where words match 'fox'"))[1] == [["a quick brown fox"]]
    assert (await read(database, "select id from boxes where high > 5"))[1] == [[1]]
    assert (await read(database, "select value from json_each('[1]')"))[1] == [[1]]


async def test_explain_runs(database: SQLite) -> None:
    assert (await read(database, "explain query plan select * from people"))[1]


# --- what is refused -------------------------------------------------------------------------------------------------

REFUSED = {
    "insert into people (name) values ('x')": "not authorized",
    "update people set name = 'x'": "not authorized",
    "delete from people": "not authorized",
    "replace into people values (1, 'x', null, null, null)": "not authorized",
    "insert into people (name) values ('x') returning id": "not authorized",
    "with a as (select 1) delete from people": "not authorized",
    "update sqlite_master set sql = ''": "may not be modified",
    "create table t (a)": "not authorized",
    "create temp table t (a)": "not authorized",
    "create view v as select 1": "not authorized",
    "create trigger t after insert on people begin select 1; end": "not authorized",
    "create virtual table v using fts5 (a)": "not authorized",
    "drop table people": "not authorized",
    "alter table people add column x": "not authorized",
    "analyze": "not authorized",
    "reindex": "not authorized",
    "vacuum": "",
    "vacuum into 'copy.db'": "",
    "attach 'other.db' as other": "not authorized",
    "attach ':memory:' as other": "not authorized",
    "detach main": "not authorized",
    "begin": "not authorized",
    "begin immediate": "not authorized",
    "commit": "not authorized",
    "rollback": "not authorized",
    "savepoint s": "not authorized",
    "pragma query_only = off": "not authorized",
    "pragma writable_schema = on": "not authorized",
    "pragma table_info (people)": "not authorized",
    "pragma data_version = 1": "not authorized",
    "select * from pragma_table_info('people')": "not authorized",
    "select load_extension('x')": "not authorized to use function: load_extension",
    "select LOAD_EXTENSION('x', 'y')": "not authorized to use function: LOAD_EXTENSION",
    "select fts3_tokenizer('simple')": "",
    "select readfile('/etc/passwd')": "",
    "select writefile('x', 'y')": "",
    "select 1; select 2": "one statement at a time",
    "select 1; delete from people": "one statement at a time",
    "": "no result",
    "-- a comment": "no result",
    ";": "no result",
    "select 'a\0b'": "null character",
    "selec 1": "syntax error",
    "select * from nobody": "no such table: nobody",
    "select name from people where never = 1": "no such column: never",
}


def folder(path: Path) -> dict[str, bytes]:
    """All that is in the file's folder."""
    return {each.name: each.read_bytes() for each in path.parent.iterdir()}


@pytest.mark.parametrize(("sql", "said"), REFUSED.items(), ids=REFUSED)
async def test_what_does_more_than_read_is_refused(
    path: Path, database: SQLite, monkeypatch: pytest.MonkeyPatch, sql: str, said: str
) -> None:
    monkeypatch.chdir(path.parent)
    before = folder(path)
    with pytest.raises(ToolError) as raised:
        await read(database, sql)
    assert said in raised.value.message
    assert str(path.parent) not in str(raised.value.object())
    assert folder(path) == before


@pytest.mark.parametrize("fallen", [[], ["authorizer"], ["authorizer", "query_only"]], ids=str)
def test_each_guard_is_enough_when_those_before_it_fall(path: Path, fallen: list[str]) -> None:
    """Whatever was forgotten in one of them."""
    with closing(connect(path, Stop())) as connection:
        if "authorizer" in fallen:
            connection.set_authorizer(None)
        if "query_only" in fallen:
            connection.execute("pragma query_only = off")
        with pytest.raises(sqlite3.DatabaseError, match=r"readonly" if fallen else "not authorized"):
            connection.execute("delete from people")


# --- what a statement may take ---------------------------------------------------------------------------------------

TOO_LONG = {
    "made at once": "select randomblob(1000000000)",
    "made of text": "select hex(zeroblob(500000000))",
    "written": "select printf('%.*c', 10000000, 'x') || 'y'",
    "put together": f"select group_concat(x, 'xxxxxxxxxx') from ({COUNTING} limit 1000000)",
    "multiplied": "select replace(replace(hex(zeroblob(1000)), '0', hex(zeroblob(1000))), '0', hex(zeroblob(1000)))",
}


@pytest.mark.parametrize("sql", TOO_LONG.values(), ids=TOO_LONG)
async def test_a_cell_of_a_gigabyte_is_never_made(database: SQLite, sql: str) -> None:
    try:
        _, rows = await read(database, sql)
    except ToolError as error:
        said = (error.message, error.hint)
    else:
        said = ("string or blob too big", f"A value may have {LENGTH_BYTES} bytes") if rows == [[None]] else ("", "")
    assert said[0] == "string or blob too big"
    assert f"A value may have {LENGTH_BYTES} bytes" in said[1]


async def test_a_cell_that_is_stored_and_too_long_is_left_out_by_its_reader(tmp_path: Path) -> None:
    script = f"create table t (id, b); insert into t values (7, zeroblob({LENGTH_BYTES + 1}))"
    large = SQLite(write(tmp_path / "large.db", script))
    with pytest.raises(ToolError, match="too big"):
        await read(large, "select b from t")
    assert (await read(large, "select id, length(b) from t"))[1] == [[7, LENGTH_BYTES + 1]]


async def test_a_long_cell_is_cut_and_read_on_with_substr(database: SQLite) -> None:
    text = "replace(hex(zeroblob(10000)), '00', 'ab')"
    _, [[cut]] = await read(database, f"select {text}")
    assert isinstance(cut, str)
    assert cut.endswith("ab… (4000 of 20000 characters)")
    assert (await read(database, f"select substr({text}, 19999)"))[1] == [["ab"]]


async def test_a_statement_that_fills_the_disk_is_stopped(database: SQLite, monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter(range(10**12, 0, -(400 * 2**20)))  # 400 MiB less at each look

    def usage(folder: str) -> Any:
        return type("Usage", (), {"free": next(free)})

    monkeypatch.setattr(sqlite_connection, "_DISK_SECONDS", 0)
    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(ToolError, match="needed more than 1073741824 bytes on disk"):
        await read(database, ENDLESS)
    await until_none_is_at_work()


async def test_who_closes_has_stopped_the_statement(database: SQLite) -> None:
    items = database.rows(COUNTING, (), batch=10)
    await anext(items)
    await anext(items)
    await items.aclose()
    await until_none_is_at_work()


async def test_who_is_cancelled_has_stopped_a_statement_without_end(database: SQLite) -> None:
    reading = asyncio.ensure_future(read(database, ENDLESS))
    await until_one_is_at_work()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await until_none_is_at_work()


async def test_the_server_stops_what_still_runs(database: SQLite) -> None:
    reading = asyncio.ensure_future(read(database, ENDLESS))
    await until_one_is_at_work()
    await database.close()
    with pytest.raises(ToolError, match="interrupted"):
        await reading
    await until_none_is_at_work()


async def test_many_statements_that_never_end_leave_others_their_turn(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "THREADS", 2)
    database = SQLite(path)
    endless = [asyncio.ensure_future(read(database, ENDLESS)) for _ in range(5)]
    other = asyncio.ensure_future(read(database, "select 1"))
    done, _ = await asyncio.wait([other], timeout=0.2)
    assert not done
    assert len(at_work()) == 2
    for each in endless:
        each.cancel()
    assert (await other)[1] == [[1]]
    await asyncio.wait(endless)
    await until_none_is_at_work()


# --- others on the same file -----------------------------------------------------------------------------------------


async def test_a_locked_database_is_waited_for(path: Path, database: SQLite) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        reading = asyncio.ensure_future(read(database, "select count(*) from people"))
        done, _ = await asyncio.wait([reading], timeout=0.2)
        assert not done
        writer.execute("commit")
    assert (await reading)[1] == [[2]]


async def test_a_database_that_stays_locked_is_an_error(
    path: Path, database: SQLite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        with pytest.raises(ToolError, match="database is locked") as raised:
            await read(database, "select 1 from people")
        assert raised.value.hint.startswith("Another program is writing")
        with pytest.raises(ToolError, match="database is locked"):
            await database.tables()


async def test_a_statement_that_was_left_holds_no_lock(path: Path, database: SQLite) -> None:
    items = database.rows("select n from numbers", (), batch=10)
    await anext(items)
    await items.aclose()
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as writer:
        writer.execute("begin exclusive")


async def test_a_file_that_is_damaged_is_an_error_in_the_middle(tmp_path: Path) -> None:
    path = write(tmp_path / "damaged.db")
    data = bytearray(path.read_bytes())
    for start in range(4096, len(data), 4096):  # the first page has the schema
        data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(ToolError, match="malformed"):
        await read(SQLite(path), "select * from numbers")


async def test_a_file_that_was_removed_is_an_error_of_its_readers(path: Path, database: SQLite) -> None:
    path.unlink()  # noqa: ASYNC240
    with pytest.raises(ToolError, match="unable to open database file") as raised:
        await read(database, "select 1 from people")
    assert str(path) not in str(raised.value.object())


async def test_a_file_in_wal_mode_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "wal.db", "pragma journal_mode = wal; create table t (a); insert into t values (1)")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("begin immediate")
        writer.execute("insert into t values (2)")
        assert (await read(SQLite(path), "select a from t"))[1] == [[1]]
        writer.execute("commit")
    assert (await read(SQLite(path), "select a from t"))[1] == [[1], [2]]


def test_tables_are_known_to_an_older_sqlite_as_well(path: Path) -> None:
    with closing(connect(path)) as connection:
        newer, older = summaries(connection), summaries(connection, (3, 34, 1))
    assert {each.name for each in newer} == {"adults", "boxes", "numbers", "people", "visits", "words"}
    assert {(each.name, each.kind) for each in newer} < {(each.name, each.kind) for each in older}
    assert not [each.name for each in older if each.name.startswith("sqlite_")]


# --- the start -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is no file"), (b"no database" * 100, "file is not a database")],
    ids=["none", "another"],
)
async def test_what_is_no_database_is_found_at_the_start(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content)
    [named] = parse(f"shop=sqlite:///{path}")
    with pytest.raises(CannotOpen, match=f"^MCP_APP_DATABASES: shop: .*{said}"):
        await sqlite.open_database(named)


# --- SQLite's trim, in one pass --------------------------------------------------------------------------------------

texts = st.text(alphabet="ab c", max_size=8) | st.integers(-99, 99) | st.binary(max_size=3) | st.none()


@given(texts, texts, st.sampled_from(["trim", "ltrim", "rtrim"]))
def test_trim_is_that_of_sqlite(tmp_path_factory: pytest.TempPathFactory, text: Any, unwanted: Any, name: str) -> None:
    if isinstance(text, bytes) or isinstance(unwanted, bytes):
        text, unwanted = (each.hex() if isinstance(each, bytes) else each for each in (text, unwanted))
    with closing(sqlite3.connect(":memory:")) as theirs:
        wanted = theirs.execute(f"select {name}(?, ?)", (text, unwanted)).fetchone()
        strip = {"trim": str.strip, "ltrim": str.lstrip, "rtrim": str.rstrip}[name]
        theirs.create_function(name, 2, sqlite_connection._trimming(strip))
        assert theirs.execute(f"select {name}(?, ?)", (text, unwanted)).fetchone() == wanted


async def test_trim_is_soon_over_whatever_it_gets(database: SQLite) -> None:
    long = "replace(hex(zeroblob(400000)), '0', 'a')"
    _, [[length]] = await read(database, f"select length(trim({long}, {long}))")
    assert length == 0
