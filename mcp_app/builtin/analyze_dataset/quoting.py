"""Names and texts as SQL writes them, and as people read them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

NAME_CHARACTERS = 120
"""Of a column's name. A header of a megabyte would be repeated in every statement."""

_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def identifier(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def shown(text: str, limit: int = 60) -> str:
    """The text in one short line, without characters that change how a line is shown."""
    line = _INVISIBLE.sub(" ", text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def clean_names(names: Iterable[str]) -> list[str]:
    """A column name for each: visible, not too long, and none of them twice, upper case or lower (as in SQL)."""
    found: list[str] = []
    taken: set[str] = set()
    for number, name in enumerate(names, 1):
        clean = shown(name.strip(), NAME_CHARACTERS).strip() or f"column_{number}"
        free, again = clean, 2
        while free.casefold() in taken:
            free, again = f"{clean}_{again}", again + 1
        taken.add(free.casefold())
        found.append(free)
    return found
