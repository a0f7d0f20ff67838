"""The keys of `_meta`: what MCP allows and does not reserve. Text in, text out; no value of `_meta` is looked at.

MCP 2026-07-28, basic, `_meta`: a key is an optional prefix (labels joined by dots, then one slash) and a name.
"""

from __future__ import annotations

import re

_LABEL = r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PREFIX = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_RESERVED = frozenset({"modelcontextprotocol", "mcp"})


def key_problem(key: str) -> str | None:
    """What is expected instead of `key`; None if MCP allows the key and does not reserve it."""
    prefix, slash, name = key.rpartition("/")
    if slash and not _PREFIX.fullmatch(prefix):
        return "a prefix in reverse-DNS form such as com.example/, each label starting with a letter"
    if not _NAME.fullmatch(name):
        return "a name that begins and ends with a letter or digit"
    labels = prefix.split(".")
    if len(labels) > 1 and labels[1].lower() in _RESERVED:
        return "another prefix: one whose second label is mcp or modelcontextprotocol is reserved for MCP"
    return None
