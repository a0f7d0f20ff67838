"""Replacing methods of Hypercorn, and only those whose source is what the replacement was written for.

The mechanism; each defect and its remedy are a file of their own beside it. Nothing here knows any of them.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
import tokenize
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from types import CodeType
from typing import Any, NamedTuple

from mcp_app.server.errors import StartError

_released: dict[tuple[type[Any], str], Callable[..., Any]] = {}
"""The methods that were replaced, as they were before the first replacement."""


class FixMismatch(StartError):
    """Hypercorn's source is not what a fix was written for, so that the fix could do harm and was not applied."""


class Replacement(NamedTuple):
    """One method: where it is, the SHA-256 of its source as released, and how the new one is made of the old one."""

    owner: type[Any]
    name: str
    sha256: str
    make: Callable[[Callable[..., Any]], Callable[..., Any]]

    @property
    def path(self) -> str:
        """The method's full name."""
        return f"{self.owner.__module__}.{self.owner.__qualname__}.{self.name}"


class Fix(NamedTuple):
    """One upstream defect: `defect` completes the sentence 'without this fix …'; `upstream` are its threads.

    A speed-up repairs nothing: its `gain` is what was measured, as a ratio to the same without it.
    """

    name: str
    defect: str
    replacements: tuple[Replacement, ...]
    upstream: tuple[str, ...] = ()
    gain: str = ""

    def mismatch(self) -> str | None:
        """The first method whose source differs from what the fix was written for, or None. Look before any fix is
        applied: two fixes may wrap the same method."""
        for replacement in self.replacements:
            if fingerprint(getattr(replacement.owner, replacement.name, None)) != replacement.sha256:
                return replacement.path
        return None

    def apply(self) -> None:
        """Put the new methods in place."""
        for replacement in self.replacements:
            old = getattr(replacement.owner, replacement.name)
            _released.setdefault((replacement.owner, replacement.name), old)
            setattr(replacement.owner, replacement.name, replacement.make(old))


def put_back() -> None:
    """Put every method back as Hypercorn was released."""
    for (owner, name), released in _released.items():
        setattr(owner, name, released)
    _released.clear()


def fingerprint(subject: object) -> str:
    """The SHA-256 of a function's or class's source; a text that equals no fingerprint when there is none to read."""
    source = source_of(subject)
    return hashlib.sha256(source.encode()).hexdigest() if source else "no source"


def source_of(subject: object) -> str:
    """What `inspect.getsource` gives for a function, decorators and all, or for a class of a module; or "".

    By indentation instead of by its tokenizer, which takes 12 ms for all that is replaced, 3% of a start. Where that
    would not do (a line further left in the middle of the body) the text is cut there, and so is not the released one.
    """
    lines = _class_lines(subject) if isinstance(subject, type) else _function_lines(subject)
    begun = False
    taken = 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if begun and text and not text.startswith(")") and _indentation(line) <= _indentation(lines[0]):
            break
        begun = begun or text.startswith(("def ", "async def ", "class "))
        if text:
            taken = number
    return "".join(lines[:taken])


def _function_lines(function: object) -> list[str]:
    """Of its file, from its first."""
    code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
    return _lines_of(code.co_filename)[code.co_firstlineno - 1 :] if isinstance(code, CodeType) else []


def _class_lines(owner: type) -> list[str]:
    """Of its file, from its first; none for one without a file, or inside of something else."""
    lines = _lines_of(getattr(sys.modules.get(owner.__module__), "__file__", None) or "")
    begins = re.compile(rf"class {re.escape(owner.__qualname__)}\b")
    return next((lines[number:] for number, line in enumerate(lines) if begins.match(line)), [])


@cache
def _lines_of(path: str) -> list[str]:
    """None of what cannot be read. Not by `linecache`: it would keep them, and what else is in it is not ours to clear,
    as a notebook's or a doctest's sources are nowhere else."""
    try:
        with tokenize.open(path) as file:
            return file.readlines()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return []


def forget_sources() -> None:
    """Let go of the files that were read: an eighth of a MiB of Hypercorn's, which nobody reads again."""
    _lines_of.cache_clear()


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def explain(fix: Fix, path: str) -> str:
    """One line: which fix, which function, which version, what is therefore not fixed, and the way out."""
    if fix.gain:
        return (
            f"hypercorn {version('hypercorn')} is not what mcp_app's speed-up {fix.name!r} was written for "
            f"({path} differs); without it {fix.defect}"
        )
    return (
        f"hypercorn {version('hypercorn')} is not what mcp_app's fix {fix.name!r} was written for ({path} differs); "
        f"without it {fix.defect}. Install hypercorn 0.18.0, or set MCP_APP_FIXES=warn to start without this fix"
    )
