"""Checks that each tool use in a conversation has its tool result (MCP, client/sampling, Tools in Sampling).

Model providers refuse other conversations, with errors that do not point to a line of the tool. Messages and blocks
are MCP's, already validated by its schema; nothing else is checked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def check_balance(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raises ValueError for a message that mixes tool results with other content, for a tool use without a result in
    the next message, and for a result without a tool use in the previous message."""
    open_uses: set[str] = set()
    for message in messages:
        content = message["content"]
        blocks: list[Mapping[str, Any]] = content if isinstance(content, list) else [content]
        results = [each["toolUseId"] for each in blocks if each["type"] == "tool_result"]
        if results and (len(results) < len(blocks) or message["role"] != "user"):
            raise ValueError("a message with tool results is the user's, and has nothing else in it")
        if open_uses != set(results) or len(results) != len(set(results)):
            raise ValueError("each tool use has one result of its toolUseId, in the message that follows it")
        open_uses = {each["id"] for each in blocks if each["type"] == "tool_use"}
        if open_uses and message["role"] != "assistant":
            raise ValueError("a message with tool uses is the assistant's")
    if open_uses:
        raise ValueError("each tool use has one result of its toolUseId, in the message that follows it")
