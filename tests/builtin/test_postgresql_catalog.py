"""PostgreSQL: tables and what they are made of, as the catalog says, and only what the role may read."""

from __future__ import annotations

import pytest
from postgres_server import PostgresServer
from postgres_shop import asked, opened

from mcp_app import ToolError
from mcp_app.builtin.query_database.database import Database, ForeignKey, Index


async def test_the_tables_that_can_be_read(shop: Database) -> None:
    found = {each.name: each for each in await shop.tables()}
    assert list(found) == [
        '"Odd ""Name"',
        "big",
        "cheap",
        "customers",
        "events",
        "orders",
        "partly",
        "totals",
        "depot.parts",
    ]
    assert (found["customers"].kind, found["customers"].rows) == ("table", 2)
    assert found["customers"].comment == "Who has bought something"
    assert found["orders"].rows == 1000
    assert (found["cheap"].kind, found["cheap"].rows) == ("view", None)
    assert found["totals"].kind == "view"
    assert found["events"].rows is None  # never analysed


async def test_each_name_is_written_as_in_sql(shop: Database) -> None:
    for each in await shop.tables():
        assert (await asked(shop, f"select count(*) from (select from {each.name}) t")).cell is not None
        assert (await shop.table(each.name)).name == each.name


async def test_a_table(shop: Database) -> None:
    found = await shop.table("orders")
    assert [(each.name, each.type, each.nullable) for each in found.columns] == [
        ("number", "bigint", False),
        ("customer", "integer", False),
        ("price", "numeric(10,2)", False),
        ("twice", "numeric", True),
        ("note", "text", True),
    ]
    assert {each.name: each.default for each in found.columns} == {
        "number": "generated always as identity",
        "customer": None,
        "price": None,
        "twice": "generated always as ((price * (2)::numeric)) stored",
        "note": "'none'::text",
    }
    assert found.primary_key == ["number"]
    assert found.foreign_keys == [ForeignKey(columns=["customer"], table="customers", references=["id"])]
    assert found.indexes == [
        Index(name="orders_pkey", columns=["number"], unique=True),
        Index(name="orders_by_note", columns=["customer", "lower(note)"], unique=True),
    ]
    assert found.rows == 1000


async def test_comments_and_types_of_ones_own(shop: Database) -> None:
    found = {each.name: each for each in (await shop.table("customers")).columns}
    assert (found["feels"].type, found["feels"].comment) == ("mood", "how they are")
    assert found["home"].type == "address"
    assert found["age"].type == "positive"


@pytest.mark.parametrize("name", ["orders", "public.orders", "ORDERS", "Public.Orders"])
async def test_ways_to_name_a_table(shop: Database, name: str) -> None:
    assert (await shop.table(name)).name == "orders"


@pytest.mark.parametrize("name", ['Odd "Name', '"Odd ""Name"', 'odd "name'])
async def test_ways_to_name_a_table_that_needs_quotes(shop: Database, name: str) -> None:
    found = await shop.table(name)
    assert (found.name, found.columns[0].name) == ('"Odd ""Name"', "a b")


async def test_a_partition_can_be_described(shop: Database) -> None:
    assert (await shop.table("events_2026")).columns[0].name == "at"


@pytest.mark.parametrize("name", ["secrets", "public.secrets", "nothing", "", "pg_authid", "a'b\"c;--", "unlucky"])
async def test_what_may_not_be_read_is_not_there(shop: Database, name: str) -> None:
    with pytest.raises(ToolError, match="There is no table"):
        await shop.table(name)


async def test_a_name_like_another(shop: Database) -> None:
    with pytest.raises(ToolError) as raised:
        await shop.table("costumers")
    assert raised.value.suggestion == "Did you mean customers?"


async def test_columns_that_may_not_be_read_are_not_there(shop: Database) -> None:
    assert [each.name for each in (await shop.table("partly")).columns] == ["shown"]


async def test_a_key_to_what_may_not_be_read_is_not_there(postgres: PostgresServer) -> None:
    postgres.sql("revoke select on customers from reader")
    try:
        async with opened(postgres) as shop:
            assert (await shop.table("depot.parts")).foreign_keys == []
            assert (await shop.table("orders")).foreign_keys == []
    finally:
        postgres.sql("grant select on customers to reader")
