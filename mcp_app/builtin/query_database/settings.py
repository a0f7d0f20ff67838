"""`MCP_APP_DATABASES`: the databases that an operator names, `shop=sqlite:///shop.db,dwh=postgresql://…`.

Only text is read here: whether a file exists or a server answers is seen when a database is opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, ConfigDict, SecretStr

from mcp_app import FromEnvironment

VARIABLE = "MCP_APP_DATABASES"

Engine = Literal["sqlite", "duckdb", "postgresql"]

_ENGINES: dict[str, Engine] = {
    "sqlite": "sqlite",
    "duckdb": "duckdb",
    "postgresql": "postgresql",
    "postgres": "postgresql",
}
"""By the scheme of a URL."""

_FILES = ("sqlite", "duckdb")
"""The engines whose database is a file: `sqlite:///relative.db`, `sqlite:////absolute.db`."""

_SEPARATOR = re.compile(r",(?=\s*[A-Za-z_][\w-]*\s*=|\s*$)")
"""A comma before the next `NAME=`: another one belongs to the URL, as between the hosts of PostgreSQL."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
"""What a caller says: no space, and no more than any engine's own names have."""


@dataclass(frozen=True, slots=True)
class NamedDatabase:
    """One entry. `path` is the file of SQLite and DuckDB; `url` is as the operator wrote it, password included."""

    name: str
    engine: Engine
    url: SecretStr
    path: Path | None = None


def parse(text: str) -> tuple[NamedDatabase, ...]:
    """The databases that the text names, in its order.

    Raises ValueError with one line that says which entry is wrong, and how it is written. It never has a part of a URL
    beyond its scheme: a password may be anywhere in a URL that is misspelt.
    """
    entries = [each.strip() for each in _SEPARATOR.split(text)]
    found: dict[str, NamedDatabase] = {}
    for number, entry in enumerate((each for each in entries if each), 1):
        name, equals, url = (each.strip() for each in entry.partition("="))
        if not equals or not url or not _NAME.fullmatch(name):
            raise ValueError(
                f"{VARIABLE}: entry {number} is not NAME=URL, as in shop=sqlite:///shop.db; a name has letters, digits,"
                " _ and -, begins with a letter, and has 63 characters at most"
            )
        if name.lower() in found:
            raise ValueError(f"{VARIABLE}: two databases have the name {name}")
        found[name.lower()] = _database(name, url)
    return tuple(found.values())


def _database(name: str, url: str) -> NamedDatabase:
    scheme, colon, rest = url.partition(":")
    engine = _ENGINES.get(scheme.lower()) if colon else None
    if engine is None:
        raise ValueError(f"{VARIABLE}: {name}: the URL has to begin with sqlite:///, duckdb:/// or postgresql://")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = None
    # With several hosts (`h1:1,h2:2`) urlsplit finds no port: that is PostgreSQL's to read.
    if not rest.startswith("//") or (parts is None and "," not in rest):
        raise ValueError(
            f"{VARIABLE}: {name}: that is no {scheme}:// URL; characters such as @ / : in it are %40 %2F %3A"
        )
    if engine not in _FILES:
        return NamedDatabase(name, engine, SecretStr(url))
    if (
        parts is None
        or parts.netloc
        or parts.query
        or parts.fragment
        or set(url) & set("?,")
        or not parts.path.strip("/")
    ):
        raise ValueError(
            f"{VARIABLE}: {name}: a file is {engine}:///NAME.db, below the working directory, or"
            f" {engine}:////absolute/NAME.db; it takes no host and no options (? # and , in a name are %3F %23 %2C)"
        )
    path = unquote(parts.path[1:])
    if "\0" in path:
        raise ValueError(f"{VARIABLE}: {name}: no file has a NUL in its name")
    return NamedDatabase(name, engine, SecretStr(url), Path(path))


def _as_secret(value: object) -> object:
    """Wrap the text before validation (the last annotation runs first): pydantic's errors show the input."""
    return SecretStr(value) if isinstance(value, str) else value


def _read(value: object) -> object:
    return parse(value.get_secret_value()) if isinstance(value, SecretStr) else value


class DatabaseSettings(FromEnvironment):
    """Which databases there are. While none is named, the sample is there, as `shop`."""

    model_config = ConfigDict(hide_input_in_errors=True)  # a URL may have a password in it

    environment_prefix: ClassVar[str] = "MCP_APP_"

    databases: Annotated[tuple[NamedDatabase, ...], BeforeValidator(_read), BeforeValidator(_as_secret)] = ()
    """`NAME=URL`, comma separated. Callers see the names and the engines, never the URLs."""
