"""What MCP clients read of the databases: tables as resources, whose names are completed, and a prompt that has them.

What is read is what `list_tables` and `describe_table` answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from mcp_app import Message, ToolError, UnknownResource, complete, prompt, resource
from mcp_app.builtin.query_database.catalog import TableList, TableStructure, table_list, table_structure
from mcp_app.builtin.query_database.database import Database
from mcp_app.builtin.query_database.databases import SharedDatabases
from mcp_app.builtin.query_database.tool import tables_of

PROMPT_CHARACTERS = 20_000
"""Of the tables in a prompt: what does not fit is asked for by the tools."""


async def database_names(prefix: str, chosen: Mapping[str, str], databases: SharedDatabases) -> list[str]:
    """Those that begin so."""
    return [each for each in databases if each.lower().startswith(prefix.lower())]


async def table_names(prefix: str, chosen: Mapping[str, str], databases: SharedDatabases) -> list[str]:
    """Of the database that was chosen, or the only one: those that begin so, then those that have it in them."""
    try:
        found = await databases[databases.name(chosen.get("database"))].tables()
    except ToolError:
        return []  # no such database, or one that does not answer: nothing is offered while somebody types
    typed = prefix.lower()
    names = [each.name for each in found if typed in each.name.lower()]
    return sorted(names, key=lambda name: not name.lower().startswith(typed))


DatabaseArgument = Annotated[str, complete(database_names)]


@resource("database://{database}", title="Tables of a database")
async def tables_of_database(database: DatabaseArgument, databases: SharedDatabases) -> TableList:
    """The tables and views of a database."""
    if database not in databases:
        raise UnknownResource(f"database://{database}")
    return table_list([await tables_of(database, databases[database])], "")


@resource("database://{database}/{table}", title="A table")
async def structure_of_table(
    database: DatabaseArgument, table: Annotated[str, complete(table_names)], databases: SharedDatabases
) -> TableStructure:
    """Columns, keys and indexes of a table or view."""
    if database not in databases:
        raise UnknownResource(f"database://{database}/{table}")
    return table_structure(database, await databases[database].table(table), "")


@prompt(title="Ask a database")
async def ask_database(question: str, database: DatabaseArgument, databases: SharedDatabases) -> list[Message]:
    """Answer a question from the data in a database.

    Args:
        question: in your own words
        database: its name
    """
    name = databases.name(database)
    text = (
        f"Answer this from the {databases[name].engine} database {name!r}, with the tool query_database"
        f" (database={name!r}). Say which SQL the answer comes from, and what the data cannot tell.\n\n"
        f"Question: {question}\n\nIts tables:\n{await _tables(databases[name])}"
    )
    return [Message("user", text)]


async def _tables(database: Database) -> str:
    """One a line, with its columns."""
    lines: list[str] = []
    left = PROMPT_CHARACTERS
    summaries = await database.tables()
    for summary in summaries:
        table = await database.table(summary.name)
        line = f"{table.name} ({', '.join(f'{each.name} {each.type}'.strip() for each in table.columns)})"
        left -= len(line)
        if left < 0:
            lines.append(f"… and {len(summaries) - len(lines)} more: list_tables names them")
            break
        lines.append(line)
    return "\n".join(lines)
