"""docs/reference-query-postgresql.md: its role is made as it says, and its bounds are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from postgres_server import PostgresServer
from postgres_shop import asked, opened

from mcp_app import ToolError
from mcp_app.builtin.query_database.cells import CELL_CHARACTERS
from mcp_app.builtin.query_database.postgresql import columns, role, sessions, wire
from mcp_app.builtin.query_database.streaming import BATCH_ROWS

PAGE = (Path(__file__).parents[2] / "docs" / "reference-query-postgresql.md").read_text(encoding="utf-8")


async def test_the_role_of_the_page_reads_and_ends_nobody(postgres: PostgresServer) -> None:
    [sql] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    assert "temp_file_limit = '2GB'" in sql
    postgres.sql(sql.replace("2GB", "20MB"))
    try:
        async with opened(postgres, "mcp_reader", password="choose%20one") as shop:
            assert (await asked(shop, "select count(*) from orders")).cell == 1000
            assert "orders" in [each.name for each in await shop.tables()]
            for function in ("pg_terminate_backend", "pg_cancel_backend"):
                with pytest.raises(ToolError, match=f"permission denied for function {function}"):
                    await asked(shop, f"select {function}(pid) from pg_stat_activity where usename = 'mcp_reader'")
            with pytest.raises(ToolError, match="permission denied for function pg_logical_emit_message"):
                await asked(shop, "select pg_logical_emit_message(false, 'a', 'b')::text")
            with pytest.raises(ToolError, match="temporary file size exceeds"):
                await asked(shop, "select count(*) from generate_series(1, 1e9::bigint) g")
    finally:
        postgres.sql("""
            alter default privileges in schema public revoke select on tables from mcp_reader;
            drop owned by mcp_reader; drop role mcp_reader;
        """)
        undone = (
            sql[sql.index("DO $$") :].replace("REVOKE EXECUTE", "GRANT EXECUTE").replace("FROM PUBLIC", "TO PUBLIC")
        )
        postgres.sql(undone)


@pytest.mark.parametrize(
    "bound",
    [
        f"| connections | {sessions.CONNECTIONS} |",
        f"waits for {sessions.WAIT_SECONDS:g} s",
        f"| a connection | {sessions.CONNECT_SECONDS:g} s |",
        f"is {sessions.STATEMENT_SECONDS} s, for each batch",
        f"| a lock | {sessions.LOCK_SECONDS} s |",
        f"| leaving | {sessions.RELEASE_SECONDS:g} s |",
        f"| a cell | {CELL_CHARACTERS:,} characters, {columns.BYTES_OF_BINARY:,} bytes of",
        f"| {columns.STRUCTURE_CHARACTERS:,} characters as JSON | shown in about {CELL_CHARACTERS:,};",
        f"| a row, an error, a notice | {wire.MESSAGE_BYTES // 1024**2} MiB |",
        f"| a batch of rows | {wire.REPLY_BYTES // 1024**2} MiB | the same; at most {BATCH_ROWS} rows",
        *(f"`{name}`" for name in role.ROLES),
        *(f"`{name}`" for name in role.CONNECTING if name != "dblink_connect_u"),
    ],
)
def test_the_bounds_of_the_page(bound: str) -> None:
    assert bound in PAGE
