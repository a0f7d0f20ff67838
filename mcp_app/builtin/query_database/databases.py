"""The databases that all calls share: opened when the server starts, by what `MCP_APP_DATABASES` says.

What an engine does is in a module of its own, which is imported when a database needs it.
"""

from __future__ import annotations

import difflib
import importlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from typing import Annotated

from pydantic import SecretStr

from mcp_app import Shared, ToolError
from mcp_app.builtin.query_database.database import CannotOpen, Database
from mcp_app.builtin.query_database.settings import VARIABLE, DatabaseSettings, Engine, NamedDatabase
from mcp_app.builtin.sample.shop import shop

logger = logging.getLogger(__name__)

SAMPLE = "shop"
"""The name of the sample, which is there while no database is named."""

DRIVERS: Mapping[Engine, tuple[str, str]] = {
    "postgresql": ("asyncpg", "pip install 'asyncpg>=0.32,<0.33'"),
    "duckdb": ("duckdb", "pip install duckdb"),
}
"""What an engine needs that does not come with Python, and how it is installed. SQLite comes with it."""


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
        if not self:
            raise ToolError("This server has no database.", hint=f"Its operator names them in {VARIABLE}.")
        close = difflib.get_close_matches(said or "", self, n=1)
        raise ToolError(
            "Say which database." if said is None else f"There is no database {said[:100]!r}.",
            suggestion=f"Did you mean {close[0]}?" if close else "",
            hint=f"The databases: {', '.join(self)}.",
        )


def make_sample() -> Iterator[NamedDatabase | None]:
    """The sample, in a thread, if no database is named and there is a folder to write it to. Raises ValidationError for
    a setting that is wrong."""
    with ExitStack() as stack:
        sample = None
        if not DatabaseSettings().databases:
            try:
                sample = NamedDatabase(SAMPLE, "sqlite", SecretStr(""), stack.enter_context(shop()))
            except (OSError, sqlite3.Error) as error:  # a server without a writable folder has other tools
                logger.warning("the sample database %s is not there: %s", SAMPLE, error)
        yield sample


async def open_databases(sample: Annotated[NamedDatabase | None, Shared(make_sample)]) -> AsyncIterator[Databases]:
    """All that are named, or the sample. Raises CannotOpen for the first that cannot be opened."""
    async with AsyncExitStack() as stack:
        opened: dict[str, Database] = {}
        for each in DatabaseSettings().databases if sample is None else [sample]:
            database = opened[each.name] = await _open(each)
            stack.push_async_callback(database.close)
        yield Databases(opened)


async def _open(named: NamedDatabase) -> Database:
    """Raises CannotOpen."""
    try:
        module = importlib.import_module(f"mcp_app.builtin.query_database.{named.engine}")
    except ModuleNotFoundError as error:
        package, hint = DRIVERS.get(named.engine, ("", ""))
        if not package or (error.name or "").partition(".")[0] != package:
            raise
        raise CannotOpen(named.name, f"{package} is missing: {hint}") from error
    database: Database = await module.open_database(named)
    return database


SharedDatabases = Annotated[Databases, Shared(open_databases)]
