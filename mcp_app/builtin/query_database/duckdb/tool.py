"""The tool in whose process statements on DuckDB files run. It is not offered: query_database calls it as a step.

In a process of its own a statement that takes all memory, or crashes DuckDB, ends its own call and no other.
"""

from __future__ import annotations

from mcp_app import Context, ToolError, tool
from mcp_app.builtin.query_database.daemon_threads import ThreadsEnd
from mcp_app.builtin.query_database.duckdb.engine import DuckDb
from mcp_app.builtin.query_database.question import Question
from mcp_app.builtin.query_database.settings import DatabaseSettings
from mcp_app.builtin.query_database.shapes import Table
from mcp_app.builtin.query_database.streaming import BATCH_ROWS, stream


@tool(read_only=True, idempotent=True, destructive=False, open_world=False, placement="process")
async def query_duckdb(ctx: Context, database: str, question: Question, threads: ThreadsEnd) -> Table:
    """Run one statement on a DuckDB file.

    database: its name, as MCP_APP_DATABASES has it.
    """
    for named in DatabaseSettings().databases:
        if named.name == database and named.engine == "duckdb" and named.path is not None:
            rows = DuckDb(named.name, named.path).rows(question.sql, question.parameters, batch=BATCH_ROWS)
            return await stream(ctx, rows, question)
    raise ToolError(f"There is no DuckDB database {database[:100]!r}.")
