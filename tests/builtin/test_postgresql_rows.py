"""PostgreSQL: what a query gives, how each type is spelt, how parameters are bound, and what an error says."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY

import pytest
from postgres_server import PostgresServer
from postgres_shop import asked, opened

from mcp_app import ToolError
from mcp_app.builtin.query_database.cells import CELL_CHARACTERS
from mcp_app.builtin.query_database.database import Database


async def test_columns_come_first_then_batches_in_the_statements_order(shop: Database) -> None:
    answer = await asked(shop, "select number, price, note from orders order by number desc", batch=300)
    assert [(each.name, each.type) for each in answer.columns] == [
        ("number", "bigint"),
        ("price", "numeric"),
        ("note", "text"),
    ]
    assert [len(batch) for batch in answer.batches] == [300, 300, 300, 100]
    assert answer.rows[0] == [1000, 1500, "note 1000"]
    assert [row[0] for row in answer.rows] == list(range(1000, 0, -1))


async def test_a_result_without_rows_has_columns(shop: Database) -> None:
    answer = await asked(shop, "select number from orders where false")
    assert [each.name for each in answer.columns] == ["number"]
    assert answer.rows == []


SPELT: list[tuple[str, str, Any]] = [
    ("null", "text", None),
    ("true", "boolean", True),
    ("1::smallint", "smallint", 1),
    ("9007199254740993", "bigint", "9007199254740993"),
    ("4000000000::oid", "oid", 4_000_000_000),
    ("0.1::real", "real", 0.1),
    ("'NaN'::float8", "double precision", "NaN"),
    ("'-Infinity'::float8", "double precision", "-Infinity"),
    ("1.50", "numeric", 1.5),
    ("0.1000000000000000000001", "numeric", "0.1000000000000000000001"),
    ("'NaN'::numeric", "numeric", "NaN"),
    ("'Infinity'::numeric", "numeric", "Infinity"),
    ("'größer'", "text", "größer"),
    ("''", "text", ""),
    ("'ab'::char(4)", "character", "ab  "),
    ("'ab'::varchar(9)", "character varying", "ab"),
    ("'x'::\"char\"", '"char"', "x"),
    ("'pg_class'::name", "name", "pg_class"),
    (r"'\xdeadbeef'::bytea", "bytea", r"\xdeadbeef"),
    (r"''::bytea", "bytea", r"\x"),
    ("'2026-11-30'::date", "date", "2026-11-30"),
    ("'infinity'::date", "date", "infinity"),
    ("'0044-03-15 BC'::date", "date", "0044-03-15 BC"),
    ("'20000-01-01'::date", "date", "20000-01-01"),
    ("'2026-11-30 12:30:00.5'::timestamp", "timestamp without time zone", "2026-11-30T12:30:00.5"),
    (
        "'2026-11-30 12:30:00+02'::timestamptz at time zone 'UTC'",
        "timestamp without time zone",
        "2026-11-30T10:30:00",
    ),
    ("'-infinity'::timestamptz", "timestamp with time zone", "-infinity"),
    ("'12:30:00'::time", "time without time zone", "12:30:00"),
    ("'12:30:00+02'::timetz", "time with time zone", "12:30:00+02"),
    ("'1 year 2 mons -3 days 04:05:06.5'::interval", "interval", "P1Y2M-3DT4H5M6.5S"),
    ("'[1,5)'::int4range", "int4range", "[1,5)"),
    ("'(,2026-01-01]'::daterange", "daterange", "(,2026-01-02)"),
    ("'empty'::int8range", "int8range", "empty"),
    ("'{[1,3),[5,8)}'::int4multirange", "int4multirange", "{[1,3),[5,8)}"),
    ("array[1, null, 3]", "integer[]", [1, None, 3]),
    ("array[[1, 2], [3, 4]]", "integer[]", [[1, 2], [3, 4]]),
    ("'[0:1]={7,8}'::int[]", "integer[]", [7, 8]),
    ("array[]::text[]", "text[]", []),
    ('array[\'a,b\', \'c"d\', \'{}\']', "text[]", ["a,b", 'c"d', "{}"]),
    ("array[9007199254740993]", "bigint[]", ["9007199254740993"]),
    (r"array['\xde'::bytea]", "bytea[]", [r"\xde"]),
    ("array['infinity'::timestamptz]", "timestamp with time zone[]", ["infinity"]),
    ("array['NaN'::float8, 1.5]", "double precision[]", ["NaN", 1.5]),
    ("('Main', 7)::address", "address", {"street": "Main", "number": 7}),
    ("array[('Main', 7)::address]", "address[]", [{"street": "Main", "number": 7}]),
    ("row(1, 'a', null)", "record", {"f1": 1, "f2": "a", "f3": None}),
    ("array[row(1, 2)]", "record[]", [{"f1": 1, "f2": 2}]),
    ("(select customers from customers where id = 2)", "customers", {
        "id": 2, "name": "Bob", "home": None, "feels": "sad", "age": None,
    }),
    ("row(null, null)::address", "address", {"street": None, "number": None}),
    ("'happy'::mood", "mood", "happy"),
    ("5::positive", "integer", 5),  # PostgreSQL describes a column of a domain by what it is a domain of
    ("'{\"a\": [1, 2.5, 9007199254740993]}'::json", "json", {"a": [1, 2.5, "9007199254740993"]}),
    ("'{\"a\": 1e400}'::jsonb", "jsonb", {"a": "1" + "0" * 400}),
    ("'null'::jsonb", "jsonb", None),
    ("'[1e99999999999999999999]'::json", "json", ["1e99999999999999999999"]),
    ("('[' || repeat('1', 5000) || ']')::json", "json", ["1" * 3999 + "… (3999 of 5000 characters)"]),
    ("(repeat('[', 3000) || repeat(']', 3000))::json", "json", ANY),
    ("'\"\\ud800\"'::json", "json", "\\ud800"),
    ("'<a>b</a>'::xml", "xml", "<a>b</a>"),
    ("'10.1.2.3'::inet", "inet", "10.1.2.3"),
    ("'10.1.2.0/24'::cidr", "cidr", "10.1.2.0/24"),
    ("'08:00:2b:01:02:03'::macaddr", "macaddr", "08:00:2b:01:02:03"),
    ("'00000000-0000-0000-0000-000000000001'::uuid", "uuid", "00000000-0000-0000-0000-000000000001"),
    ("b'101'", "bit", "101"),
    ("'(1,2)'::point", "point", "(1,2)"),
    ("to_tsvector('simple', 'a b')", "tsvector", "'a':1 'b':2"),
    ("12.5::money", "money", "$12.50"),
    ("'customers'::regclass", "regclass", "customers"),
    ("'1 2'::int2vector", "int2vector", [1, 2]),
    ("'x'::cstring", "cstring", "x"),
    ("pg_sleep(0)", "void", None),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "type_", "spelt"), SPELT, ids=[each[0][:40] for each in SPELT])
async def test_each_type_has_one_spelling(shop: Database, sql: str, type_: str, spelt: Any) -> None:
    answer = await asked(shop, f"select {sql}")
    assert (answer.cell, answer.columns[0].type) == (spelt, type_)


async def test_what_the_role_has_set_changes_no_spelling(postgres: PostgresServer) -> None:
    postgres.sql(
        "alter role reader set datestyle = 'German'; alter role reader set intervalstyle = 'sql_standard';"
        "alter role reader set bytea_output = 'escape'; alter role reader set extra_float_digits = -5"
    )
    try:
        async with opened(postgres) as shop:
            sql = r"'2026-11-30'::date, '1 day'::interval, '\xde'::bytea, 0.1::float8 + 0.2, array['1 day'::interval]"
            [row] = (await asked(shop, f"select {sql}")).rows
            assert row == ["2026-11-30", "P1D", r"\xde", 0.30000000000000004, ["P1D"]]
            assert (await asked(shop, "show datestyle")).cell == "ISO, YMD"
    finally:
        postgres.sql("alter role reader reset all")


async def test_columns_of_one_name_are_columns_of_their_own(shop: Database) -> None:
    answer = await asked(shop, "select 1 as a, 2 as a, 3")
    assert ([each.name for each in answer.columns], answer.rows) == (["a", "a", "?column?"], [[1, 2, 3]])


@pytest.mark.parametrize(
    "sql",
    [
        "select 1;",
        "select 1 ; ;\n",
        "select 1 -- one",
        "select 1 -- one;",
        "select 1; -- one",
        "select 1; /* one; */ -- two",
        "/* first */ select 1",
        "values (1)",
        "with x as (select 1) select * from x order by 1",
        "(select 1)",
        "select 1 union all select 2 limit 1",
        "select 1 where ';' <> '' and ';--' <> '/*' order by 1",
    ],
)
async def test_each_way_to_write_a_query(shop: Database, sql: str) -> None:
    assert (await asked(shop, sql)).cell == 1


@pytest.mark.parametrize("sql", ["select ';--'", "select $$;--$$;", "select ';--';;", "table texts; -- it"])
async def test_a_semicolon_in_a_string_ends_nothing(shop: Database, sql: str) -> None:
    if "texts" in sql:
        sql = "with texts(a) as (values (';--')) " + sql
    assert (await asked(shop, sql)).cell == ";--"


async def test_explain_and_show(shop: Database) -> None:
    plan = await asked(shop, "explain select * from orders where number = $1", 5)
    assert plan.columns[0].name == "QUERY PLAN"
    assert "orders" in str(plan.rows)
    as_json = await asked(shop, "explain (format json) select 1;")
    assert "Plan" in as_json.cell[0]
    assert (await asked(shop, "show transaction_read_only")).cell == "on"
    long = await asked(shop, "explain verbose select repeat('x', 100000)")
    assert long.rows[1][0].endswith(f"… ({CELL_CHARACTERS} of 100018 characters)")
    many = ", ".join(f"{number} as c{number}" for number in range(1000))
    as_json = await asked(shop, f"explain (verbose, format json) select {many}")
    assert len(str(as_json.cell)) < 3 * CELL_CHARACTERS
    assert (await asked(shop, "explain (format xml) select 1")).cell.startswith("<explain")
    assert len((await asked(shop, "show all", batch=50)).rows) > 300


async def test_a_statements_expressions_are_evaluated_once(shop: Database) -> None:
    answer = await asked(
        shop, "select random()::text as r, clock_timestamp() as t from generate_series(1, 50) order by 1"
    )
    texts = [row[0] for row in answer.rows]
    assert texts == sorted(texts)
    assert len(set(texts)) == 50


async def test_many_columns(shop: Database) -> None:
    columns = ", ".join(f"{number} as c{number}, '{number}' as t{number}" for number in range(800))
    answer = await asked(shop, f"select {columns} from generate_series(1, 20)")
    assert len(answer.columns) == 1600
    assert len(answer.rows) == 20
    assert len(answer.batches) > 1  # fewer rows at once, the more there are in each


# --- parameters ------------------------------------------------------------------------------------------------------

BOUND: list[tuple[str, Any, Any]] = [
    ("$1 + 1", 41, 42),
    ("$1 + 1", "41", 42),
    ("$1::int", 3.0, 3),
    ("$1", "'; drop table orders; --", "'; drop table orders; --"),
    ("$1::text", 5, "5"),
    ("$1::bool", True, True),
    ("$1::numeric", "0.1000000000000000000001", "0.1000000000000000000001"),
    ("$1::float8", 1.5, 1.5),
    ("$1::float8", "Infinity", "Infinity"),
    ("$1::date + 1", "2026-11-30", "2026-12-01"),
    ("$1::date", "infinity", "infinity"),
    ("$1::timestamptz at time zone 'UTC'", "2026-11-30T12:00:00+02:00", "2026-11-30T10:00:00"),
    ("$1::interval", "1 day 2 hours", "P1DT2H"),
    ("$1::uuid", "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001"),
    ("$1::int[]", [1, None, 3], [1, None, 3]),
    ("$1::int[]", [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
    ("$1::int[]", "{7,8}", [7, 8]),
    ("$1::text[]", ['a"b', "c\\d", "{},", "", "NULL", None], ['a"b', "c\\d", "{},", "", "NULL", None]),
    ("$1::box[]", ["((1,1),(0,0))", "((2,2),(0,0))"], ["(1,1),(0,0)", "(2,2),(0,0)"]),
    ("$1::jsonb", {"a": [1, "x", None]}, {"a": [1, "x", None]}),
    ("$1::jsonb", "text", "text"),
    ("$1::jsonb", [1, 2], [1, 2]),
    ("$1::jsonb[]", [[1], {"a": 2}], [[1], {"a": 2}]),
    ("$1::int4range", "[1,5)", "[1,5)"),
    ("$1::address", "(Main,7)", {"street": "Main", "number": 7}),
    ("$1::mood", "sad", "sad"),
    ("$1::positive", 5, 5),
    (r"$1::bytea", r"\xdead", r"\xdead"),
    ("$1::inet", "10.0.0.1", "10.0.0.1"),
    ("$1::int", None, None),
    ("7 = any($1)", [5, 7], True),
]


@pytest.mark.parametrize(("sql", "value", "spelt"), BOUND, ids=[f"{sql}-{value}"[:50] for sql, value, _ in BOUND])
async def test_parameters_are_read_by_their_types(shop: Database, sql: str, value: Any, spelt: Any) -> None:
    for _ in range(2):  # on the same connection, which has to forget how it was read
        assert (await asked(shop, f"select {sql}", value)).cell == spelt
    assert (await asked(shop, "select '[2026-01-01,)'::daterange, 5, 'x'::text, 1.5::float8")).rows == [
        ["[2026-01-01,)", 5, "x", 1.5]
    ]


async def test_a_parameter_beside_a_column_of_its_type(shop: Database) -> None:
    sql = r"select true, 1::int2, 2::int4, 3::int8, 4::oid, 1.5::real, 2.5::float8, '\xde'::bytea, 7.5, 'a'::text,"
    sql += " $1::bool, $2::int2, $3::int4, $4::int8, $5::oid, $6::real, $7::float8, $8::bytea, $9::numeric, $10::text"
    values = [False, 10, 20, 30, 40, 15.5, 25.5, r"\xad", 75.5, "b"]
    [row] = (await asked(shop, sql, *values)).rows
    assert row == [True, 1, 2, 3, 4, 1.5, 2.5, r"\xde", 7.5, "a", *values]


@pytest.mark.parametrize(
    ("sql", "values", "message"),
    [
        ("select $1::date", ["yesterweek"], 'Parameter $1: invalid input syntax for type date: "yesterweek"'),
        ("select $1::int, $2::int", [1, "x"], 'Parameter $2: invalid input syntax for type integer: "x"'),
        ("select $1::int", [3.5], 'Parameter $1: invalid input syntax for type integer: "3.5"'),
        ("select $1::smallint", [70000], 'Parameter $1: value "70000" is out of range for type smallint'),
        ("select $1::date", [[1]], "Parameter $1 is of type date and cannot be a list."),
        ("select $1::int[]", [[1, {"a": 2}]], "Parameter $1[2] is of type integer and cannot be an object."),
        ("select $1::text", ["a\0b"], "Parameter $1 has a NUL character, which PostgreSQL's text cannot have."),
        ("select $1::text", ["\ud800"], "Parameter $1 has a lone surrogate, which is no character."),
        ("select $1::int", [], "The statement has 1 parameter ($1), and 0 values were given."),
        ("select $1::int, $2::int", [1], "The statement has 2 parameters ($1 to $2), and 1 value was given."),
        ("select 1", [1, 2], "The statement has no parameters, and 2 values were given."),
        ("select $2::int", [1], "could not determine data type of parameter $1"),
    ],
)
async def test_a_wrong_parameter_is_named(shop: Database, sql: str, values: list[Any], message: str) -> None:
    with pytest.raises(ToolError) as raised:
        await asked(shop, sql, *values)
    assert raised.value.message == message


async def test_parameters_by_name_are_refused(shop: Database) -> None:
    with pytest.raises(ToolError, match="PostgreSQL numbers them"):
        await anext(shop.rows("select $1", {"a": 1}, batch=1))


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("selec 1", 'syntax error at or near "selec" (line 1, column 1)'),
        ("select\n  größe, foo\nfrom orders", 'column "größe" does not exist (line 2, column 3)'),
        ("select 'größe', foo\nfrom orders", 'column "foo" does not exist (line 1, column 17)'),
        ("select * from nowhere", 'relation "nowhere" does not exist (line 1, column 15)'),
        ("select * from secrets", "permission denied for table secrets"),
        ("select 1 +", "syntax error at end of input (line 1, column 11)"),
        ("select 1/0", "division by zero"),
        ("select 'x'::int", 'invalid input syntax for type integer: "x" (line 1, column 8)'),
        ("select '{bad'::int[]", 'malformed array literal: "{bad" (line 1, column 8) Unexpected end of input.'),
        ("select 1; select 2", "cannot insert multiple commands into a prepared statement"),
        ("select * from fails(150, 1000)", "division by zero"),
        ("", "This is not a query: it returns no rows of its own."),
        ("select 1 \0", "The statement has a NUL character, which PostgreSQL's text cannot have."),
        ("select '\ud800'", "The statement has a lone surrogate, which is no character."),
        ("-- nothing", "This is not a query: it returns no rows of its own."),
        ("select from orders", "This is not a query: it returns no rows of its own."),
    ],
)
async def test_an_error_is_the_databases_own_with_its_place(shop: Database, sql: str, message: str) -> None:
    with pytest.raises(ToolError) as raised:
        await asked(shop, sql)
    assert raised.value.message == message


async def test_an_error_behind_rows_comes_behind_them(shop: Database) -> None:
    rows: list[Any] = []
    with pytest.raises(ToolError, match="division by zero"):
        async for batch in shop.rows("select 1 / (500 - g) from generate_series(1, 1000) g", (), batch=100):
            rows += batch
    assert len(rows) == 1 + 400  # the column, and the batches before


async def test_the_databases_hint_is_told(shop: Database) -> None:
    with pytest.raises(ToolError) as raised:
        await asked(shop, "select nam from customers")
    assert raised.value.hint == 'Perhaps you meant to reference the column "customers.name".'


async def test_a_row_that_the_driver_cannot_read_is_an_error_with_a_way_out(shop: Database) -> None:
    with pytest.raises(ToolError, match="a whole row") as raised:
        await asked(shop, "select pg_class from pg_class limit 1")
    assert "to_json" in raised.value.hint
    assert (await asked(shop, "select to_json(pg_class) from pg_class where relname = 'orders'")).cell[
        "relname"
    ] == "orders"


async def test_long_cells_are_cut_and_say_how_long_they_were(shop: Database) -> None:
    limit = CELL_CHARACTERS
    sql = (
        f"select repeat('ä', {limit}), repeat('ä', {limit + 1}), repeat('x', 50000), decode(repeat('ab', 9000), 'hex')"
    )
    [row] = (await asked(shop, sql)).rows
    assert row[0] == "ä" * limit
    assert row[1] == "ä" * limit + f"… ({limit} of {limit + 1} characters)"
    assert row[2] == "x" * limit + f"… ({limit} of 50000 characters)"
    assert row[3] == r"\x" + "ab" * (limit // 2) + f"… ({limit // 2} of 9000 bytes)"
