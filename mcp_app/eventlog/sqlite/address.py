"""`sqlite:///path?survives=…`: which file the log is in, and what it survives. Nothing is opened here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ...protocol.errors import LogRefused


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
    def read(cls, path: str, options: Mapping[str, str]) -> SqliteAddress:
        """Of `sqlite:///path?option=…`. Raises LogRefused."""
        survives = Survives.KILL
        for key, value in options.items():
            if key != "survives" or value.upper() not in Survives.__members__:
                raise LogRefused(
                    f"MCP_APP_EVENT_LOG: {key}={value} is no option of sqlite. It has one: survives=kill (the default: "
                    "what is written outlives every process) or survives=power (and a loss of power)."
                )
            survives = Survives[value.upper()]
        return cls(Path("/" + path.lstrip("/")), survives)  # four slashes, as for SQLAlchemy, are three
