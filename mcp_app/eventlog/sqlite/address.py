"""`sqlite:///path?survives=…`: which file the log is in, and what it survives. Nothing is opened here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from ...protocol.errors import LogRefused

SCHEME = "sqlite:///"


class Survives(Enum):
    """What of the written entries is still there afterwards. The value is SQLite's `synchronous`."""

    KILL = "NORMAL"
    """The end of any process, by kill -9 as well: what is written is with the kernel. When the machine loses its power,
    the last seconds may be lost; the file stays whole, and readers of runs that were worked on are told `purged`."""
    POWER = "FULL"
    """The loss of power as well: each commit waits for the disk."""


@dataclass(frozen=True, slots=True)
class SqliteAddress:
    """The file of a log, and what the log survives."""

    path: Path
    survives: Survives = Survives.KILL

    @classmethod
    def read(cls, url: str) -> SqliteAddress:
        """As SQLAlchemy writes it: `sqlite:///relative.db`, `sqlite:////absolute.db`. Raises LogRefused."""
        name, _, query = url.removeprefix(SCHEME).partition("?")
        if not url.startswith(SCHEME) or not name or name.endswith("/") or name == ":memory:":
            raise LogRefused(
                "MCP_APP_EVENT_LOG: sqlite needs the path of a file: sqlite:////var/lib/mcp-app/events.db, or "
                "sqlite:///events.db below the working directory."
            )
        survives = Survives.KILL
        for key, value in parse_qsl(query, keep_blank_values=True):
            if key != "survives" or value.upper() not in Survives.__members__:
                raise LogRefused(
                    f"MCP_APP_EVENT_LOG: {key}={value} is no setting of sqlite. It has one: survives=kill (the "
                    "default: what is written outlives every process) or survives=power (and the loss of power)."
                )
            survives = Survives[value.upper()]
        return cls(Path(unquote(name)).absolute(), survives)
