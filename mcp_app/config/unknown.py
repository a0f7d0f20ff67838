"""Variables that look like settings and are none: a misspelt one is named when the server starts, as it does nothing.

Nothing is logged here. Settings of a tool's own are known once the tool's file is imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from .environment import FromEnvironment
from .retired import RETIRED
from .settings import Settings

_ALIKE = 0.8
"""How alike two names have to be (difflib's ratio): a letter or a word more or less, not another setting."""


def unknown(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that begins as our settings do, in any case of letters, and is none."""
    known = set(_variables(FromEnvironment))
    names = sorted({name.upper() for name in environ} - known - RETIRED.keys())
    return [
        f"{name} has no effect: there is no such setting{_meant(name, known)}"
        for name in names
        if name.startswith(Settings.environment_prefix) and name != Settings.environment_prefix
    ]


def _variables(settings: type[FromEnvironment]) -> Iterator[str]:
    yield from ((settings.environment_prefix + field).upper() for field in settings.model_fields)
    for each in settings.__subclasses__():
        yield from _variables(each)


def _meant(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_ALIKE)
    return f"; did you mean {close[0]}?" if close else ""
