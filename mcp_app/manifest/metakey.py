"""The key of `_meta` that is ours, derived from the server's name. Pure: text in, text out.

A server card's name contains a slash, so `<name>/streaming` would have two, and a key has one. The slash inside the
name therefore becomes a dot: `com.example/sse` owns `com.example.sse/streaming`, which is still below `com.example`.
"""

from __future__ import annotations

from ..protocol.mcp.meta_key import key_problem

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
