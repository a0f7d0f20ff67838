"""The databases that all calls share: opened when the server starts, by what `MCP_APP_DATABASES` says.

What an engine does is in a module of its own, which is imported when a database needs it.
"""

from __future__ import annotations

import asyncio
import difflib
import importlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Annotated

from pydantic import SecretStr

from mcp_app import Shared, ToolError
from mcp_app.builtin.query_database.database import CannotOpen, Database
from mcp_app.builtin.query_database.settings import DatabaseSettings, Engine, NamedDatabase
from mcp_app.builtin.sample.shop import shop

SAMPLE = "shop"
"""The name of the sample, which is there while no database is named."""

DRIVERS: Mapping[Engine, tuple[str, str]] = {"postgresql": ("asyncpg", "postgres"), "duckdb": ("duckdb", "sql")}
"""What an engine needs that does not come with Python: a package, and the extra that installs it."""


class Databases(Mapping[str, Database]):
    """By name, in the order of the setting."""

    def __init__(self, databases: Mapping[str, Database]) -> None:
        self._databases = databases

    def __getitem__(self, name: str) -> Database:
        return self._databases[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._databases)

    def __len__(self) -> int:
        return len(self._databases)

    def name(self, said: str | None) -> str:
        """What a caller says, or the only name there is. Raises ToolError, which says all of them."""
        if said in self._databases or (said is None and len(self) == 1):
            return said or next(iter(self))
        close = difflib.get_close_matches(said or "", self, n=1)
        raise ToolError(
            "Say which database." if said is None else f"There is no database {said[:100]!r}.",
            suggestion=f"Did you mean {close[0]}?" if close else "",
            hint=f"The databases: {', '.join(self)}.",
        )


async def open_databases() -> AsyncIterator[Databases]:
    """All that are named, or the sample. Raises CannotOpen for the first that cannot be opened, and ValidationError."""
    async with AsyncExitStack() as stack:
        named = DatabaseSettings().databases
        if not named:
            path = await stack.enter_async_context(shop())
            named = (NamedDatabase(SAMPLE, "sqlite", SecretStr(""), path),)
        opened: dict[str, Database] = {}
        for each in named:
            database = await _open(each)
            stack.push_async_callback(database.close)
            opened[each.name] = database
        yield Databases(opened)


async def _open(named: NamedDatabase) -> Database:
    """Raises CannotOpen."""
    try:
        # In a thread: a driver takes up to a second to import.
        module = await asyncio.to_thread(importlib.import_module, f"mcp_app.builtin.query_database.{named.engine}")
    except ModuleNotFoundError as error:
        package, extra = DRIVERS.get(named.engine, ("", ""))
        if not package or (error.name or "").partition(".")[0] != package:
            raise
        raise CannotOpen(named.name, f"{package} is missing: pip install 'mcp-app[{extra}]'") from error
    database: Database = await module.open_database(named)
    return database


SharedDatabases = Annotated[Databases, Shared(open_databases)]
