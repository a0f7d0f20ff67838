"""Parses a tool's docstring into a description of the tool and one of each parameter.

Three conventions are supported: Google's (`Args:`), Sphinx's (`:param name:`) and NumPy's (`Parameters` underlined).
All other text is the description. Nothing is inferred from code here.
"""

from __future__ import annotations

import inspect
import re

_GOOGLE_SECTION = re.compile(r"(Args|Arguments|Parameters|Params):\s*$")
_ANY_GOOGLE_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Params|Returns?|Yields?|Raises|Examples?|Notes?|See Also|Warnings?):\s*$"
)
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:\s*(.*)$")
_SPHINX_FIELD = re.compile(r":(\w+)(?:\s+(?:[^:]*\s)?(\w+))?\s*:\s*(.*)$")
_NUMPY_RULE = re.compile(r"-{3,}\s*$")
_NUMPY_SECTION = re.compile(
    r"(Parameters|Other Parameters|Returns|Yields|Receives|Raises|Warns|Warnings|See Also|Notes|References|Examples)\s*"
)
_NUMPY_ENTRY = re.compile(r"(\w+(?:\s*,\s*\w+)*)\s*(?::.*)?$")


def describe(docstring: str | None) -> tuple[str, dict[str, str]]:
    """(the description, the descriptions of parameters by name). Both are empty without a docstring."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    body: list[str] = []
    parameters: dict[str, list[str]] = {}
    index = 0
    while index < len(lines):
        line = lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if _ANY_GOOGLE_SECTION.fullmatch(line):
            index = _google(lines, index, parameters)
        elif _NUMPY_SECTION.fullmatch(line) and _NUMPY_RULE.fullmatch(following):
            index = _numpy(lines, index, parameters)
        elif line.startswith(":") and _SPHINX_FIELD.match(line):
            index = _sphinx(lines, index, parameters)
        else:
            body.append(line)
            index += 1
    joined = {name: " ".join(part.strip() for part in parts if part.strip()) for name, parts in parameters.items()}
    return "\n".join(body).strip(), {name: text for name, text in joined.items() if text}


def _google(lines: list[str], index: int, parameters: dict[str, list[str]]) -> int:
    is_parameters = _GOOGLE_SECTION.fullmatch(lines[index]) is not None
    entry_indent: int | None = None
    name = ""
    index += 1
    while index < len(lines) and (not lines[index].strip() or lines[index][0].isspace()):
        text = lines[index].strip()
        indent = len(lines[index]) - len(lines[index].lstrip())
        if is_parameters and text:
            entry_indent = indent if entry_indent is None else entry_indent
            match = _GOOGLE_ENTRY.match(text) if indent == entry_indent else None
            if match:
                name = match[1]
                parameters[name] = [match[2]]
            elif name:
                parameters[name].append(text)
        index += 1
    return index


def _sphinx(lines: list[str], index: int, parameters: dict[str, list[str]]) -> int:
    match = _SPHINX_FIELD.match(lines[index])
    assert match is not None  # noqa: S101 - the caller matched it
    keep = match[1] in {"param", "parameter", "arg", "argument"} and match[2]
    if keep:
        parameters[match[2]] = [match[3]]
    index += 1
    while index < len(lines) and lines[index][:1].isspace():
        if keep:
            parameters[match[2]].append(lines[index])
        index += 1
    return index


def _numpy(lines: list[str], index: int, parameters: dict[str, list[str]]) -> int:
    is_parameters = lines[index].strip() in {"Parameters", "Other Parameters"}
    names: list[str] = []
    index += 2
    while index < len(lines):
        line = lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if line and not line[0].isspace():
            if _NUMPY_RULE.fullmatch(following):
                break
            match = _NUMPY_ENTRY.match(line) if is_parameters else None
            if match is None and is_parameters:
                break
            names = [part.strip() for part in match[1].split(",")] if match else []
            for name in names:
                parameters[name] = []
        else:
            for name in names:
                parameters[name].append(line)
        index += 1
    return index
