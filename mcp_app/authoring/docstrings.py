"""Parses a docstring into a description and one of each parameter.

Three conventions of describing parameters are supported: Google's (`Args:`), Sphinx's (`:param name:`) and NumPy's
(`Parameters` underlined). All other text is the description, as it is written: a warning, a note, an example, and what
is returned or raised, are what a caller needs to read. Nothing is inferred from code here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

_GOOGLE_SECTION = re.compile(r"(Args|Arguments|Parameters|Params|Keyword Arg(ument)?s|Other Parameters):\s*$")
_GOOGLE_ENTRY = re.compile(r"(?:[-*+•]\s+)?[*`]{0,2}(\w+(?:\s*,\s*\w+)*)[*`]{0,2}\s*(?:\(.*?\))?\s*:\s*(.*)$")
_SPHINX_FIELD = re.compile(r":(\w+)(?:\s+(?:[^:]*\s)?\*{0,2}(\w+))?\s*:\s*(.*)$")
_SPHINX_PARAMETER = frozenset({"param", "parameter", "arg", "argument", "key", "keyword"})
_SPHINX_TYPE = frozenset({"type", "rtype"})  # types are in the schemas
_NUMPY_RULE = re.compile(r"-{3,}\s*$")
_NUMPY_SECTION = re.compile(r"(Other )?Parameters\s*")
_NUMPY_ENTRY = re.compile(r"\*{0,2}(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?$")


@dataclass(slots=True)
class _Part:
    """Consecutive lines of a section. `text` describes the parameters `names`, if there are any."""

    names: tuple[str, ...] = ()
    lines: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Section:
    """A section about parameters: the lines of its head, and its parts."""

    head: list[str]
    parts: list[_Part]

    def without(self, names: Collection[str] | None) -> Iterator[str]:
        """The lines that describe none of `names`, or no name at all; with the head, if there are any."""
        kept = [line for part in self.parts if not _known(part.names, names) for line in part.lines]
        if any(line.strip() for line in kept):
            yield from self.head
            yield from "\n".join(kept).rstrip().splitlines()
            yield ""


def _known(described: tuple[str, ...], names: Collection[str] | None) -> bool:
    return bool(described) and (names is None or any(name in names for name in described))


class Docstring:
    """A parsed docstring; nothing is described by None or an empty one."""

    def __init__(self, docstring: str | None) -> None:
        self._body = list(_parsed(inspect.cleandoc(docstring or "").splitlines()))

    @property
    def parameters(self) -> dict[str, str]:
        """The descriptions of parameters by name, each in one line."""
        texts: dict[str, list[str]] = {}
        for part in (part for each in self._body if isinstance(each, _Section) for part in each.parts):
            for name in part.names:
                texts.setdefault(name, []).extend(line.strip() for line in part.text if line.strip())
        return {name: " ".join(lines) for name, lines in texts.items() if lines}

    def description(self, names: Collection[str] | None = None) -> str:
        """All but the descriptions of the parameters `names`, or by default of any: what is described under another
        name is no parameter."""
        lines: list[str] = []
        for each in self._body:
            lines += [each] if isinstance(each, str) else each.without(names)
        return "\n".join(lines).strip()


def _parsed(lines: list[str]) -> Iterator[str | _Section]:
    index = 0
    while index < len(lines):
        start, line = index, lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if _GOOGLE_SECTION.fullmatch(line):
            index = _end_of_block(lines, index + 1, blank=True)
            yield _Section([line], _google(lines[start + 1 : index]))
        elif _NUMPY_SECTION.fullmatch(line) and _NUMPY_RULE.fullmatch(following):
            index, parts = _numpy(lines, index + 2)
            yield _Section([line, following], parts)
        elif line.startswith(":") and (match := _SPHINX_FIELD.match(line)):
            index = _end_of_block(lines, index + 1, blank=False)
            yield from _sphinx(match, lines[start:index])
        else:
            index += 1
            yield line


def _end_of_block(lines: list[str], index: int, *, blank: bool) -> int:
    """The index after the indented lines, among which there may be blank ones."""
    while index < len(lines) and (lines[index][:1].isspace() or (blank and not lines[index])):
        index += 1
    return index


def _google(lines: list[str]) -> list[_Part]:
    parts = [_Part()]
    entry_indent: int | None = None
    for line in lines:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if text and entry_indent is None:
            entry_indent = indent
        if text and indent == entry_indent:
            match = _GOOGLE_ENTRY.match(text)
            parts.append(_Part(_names(match[1]), [], [match[2]]) if match else _Part())
        elif parts[-1].names:
            parts[-1].text.append(text)
        parts[-1].lines.append(line)
    return parts


def _sphinx(match: re.Match[str], lines: list[str]) -> Iterator[str | _Section]:
    kind, name, text = match.groups()
    if kind in _SPHINX_PARAMETER and name:
        yield _Section([], [_Part((name,), lines, [text, *lines[1:]])])
    elif kind not in _SPHINX_TYPE:
        yield from lines


def _numpy(lines: list[str], index: int) -> tuple[int, list[_Part]]:
    parts = [_Part()]
    while index < len(lines):
        line = lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if line and not line[0].isspace():
            match = _NUMPY_ENTRY.match(line)
            if match is None or _NUMPY_RULE.fullmatch(following):
                break
            parts.append(_Part(_names(match[1])))
        else:
            parts[-1].text.append(line)
        parts[-1].lines.append(line)
        index += 1
    return index, parts


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
