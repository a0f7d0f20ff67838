"""No pattern of ours takes longer for a text that somebody chose than the text is long.

Nothing is timed: a pattern that goes back over what it has matched takes minutes for one of these texts, or
hours, so that the test's own bound ends it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import mcp_app

CHARACTERS = 200_000
"""More than a header field may have: a pattern that is quadratic takes minutes."""

REPEATED = [
    *("a", "0", " ", "\t", "=", '"', "\\", ".", "/", ",", ";", "[", "{", "-", "_", "%41", "é", "\n", "*"),
    *("a,", "a, ", "a=a,", "a=a ,\t", '\\"', "a.", "; a=a", "a-", "/a", "[a]", "/*", "*/", "1.", 'x="a",', "{a}", "a:"),
]
BEFORE = ["", "a=", "Bearer a=", '"', "http://", "/*"]


def patterns() -> Iterator[tuple[str, re.Pattern[str] | re.Pattern[bytes]]]:
    """Those that are made once; names that several modules import are given once."""
    found: set[int] = set()
    for each in pkgutil.walk_packages(mcp_app.__path__, "mcp_app."):
        if each.name in ("mcp_app.__main__", "mcp_app.asgi"):
            continue
        for name, value in vars(importlib.import_module(each.name)).items():
            if isinstance(value, re.Pattern) and id(value) not in found:
                found.add(id(value))
                yield f"{each.name}.{name}", value


FOUND = dict(patterns())


@pytest.mark.time_bound(60)
@pytest.mark.parametrize("name", FOUND)
def test_a_pattern_of_ours_is_linear(name: str) -> None:
    pattern = FOUND[name]
    for before in BEFORE:
        for repeated in REPEATED:
            text = before + repeated * (CHARACTERS // len(repeated)) + "\0"
            pattern.match(text.encode() if isinstance(pattern.pattern, bytes) else text)  # type: ignore[arg-type]


def test_there_are_patterns_to_try() -> None:
    assert len(FOUND) > 80
