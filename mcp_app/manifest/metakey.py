"""The keys of `_meta`: validation, and the derivation of our own. Pure: text in, text out.

MCP 2026-07-28, basic, `_meta`: a key is an optional prefix (labels joined by dots, then one slash) and a name. A server
card's name already contains a slash, so `<name>/streaming` would have two. The slash inside the name therefore becomes
a dot: `com.example/sse` owns `com.example.sse/streaming`, which is still below `com.example`.
"""

from __future__ import annotations

import re

_LABEL = r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PREFIX = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_RESERVED = frozenset({"modelcontextprotocol", "mcp"})

STREAMING = "streaming"
"""The name after the slash of our key."""


def streaming_key(card_name: str) -> str:
    """The key of a server named `card_name`. Raises ValueError if no valid prefix can be derived from the name.

    An underscore, which is valid in a card's name but not in a label, becomes a hyphen.
    """
    key = f"{card_name.replace('/', '.').replace('_', '-')}/{STREAMING}"
    if key_problem(key) is not None:
        raise ValueError(
            "expected a name whose parts between dots and slash each start with a letter and end with a letter or"
            f" digit, and whose second part is neither mcp nor modelcontextprotocol, got {card_name!r}"
        )
    return key


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
