"""The names in `_meta`: which are valid, and which one is ours.

MCP 2026-07-28, basic, `_meta`: a key is an optional prefix (labels joined by dots, then one slash) and a name. The name
of a server card holds a slash already, so that `<name>/streaming` as it stands would have two. The slash inside of the
name becomes a dot: `com.example/sse` owns `com.example.sse/streaming`, which is still below `com.example`.
"""

from __future__ import annotations

import re

_LABEL = r"[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PREFIX = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_RESERVED = frozenset({"modelcontextprotocol", "mcp"})

STREAMING = "streaming"
"""The name behind the slash of our key."""


def streaming_key(card_name: str) -> str:
    """The key of a server named `card_name`. Raises ValueError when that name makes no valid prefix.

    An underscore, which a card's name may hold and a label may not, becomes a hyphen.
    """
    key = f"{card_name.replace('/', '.').replace('_', '-')}/{STREAMING}"
    if key_problem(key) is not None:
        raise ValueError(
            "expected a name whose parts between dots and slash each start with a letter and end with a letter or"
            f" digit, and whose second part is neither mcp nor modelcontextprotocol, got {card_name!r}"
        )
    return key


def key_problem(key: str) -> str | None:
    """What is expected of `key` and not so, or None when MCP allows it and does not keep it for itself."""
    prefix, slash, name = key.rpartition("/")
    if slash and not _PREFIX.fullmatch(prefix):
        return "a prefix in reverse-DNS form such as com.example/, each label starting with a letter"
    if not _NAME.fullmatch(name):
        return "a name that begins and ends with a letter or digit"
    labels = prefix.split(".")
    if len(labels) > 1 and labels[1].lower() in _RESERVED:
        return "another prefix: one whose second label is mcp or modelcontextprotocol is reserved for MCP"
    return None
