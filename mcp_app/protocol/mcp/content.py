"""Downgrades content blocks for revisions that lack their kind: converts them to kinds that exist there, without loss.

Pure: blocks in, blocks out. The kinds that each revision lacks are listed in revisions.py; an author's value is
converted to blocks in authoring/content.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

AUDIO = "audio"
"""Since 2025-03-26 (its changelog, Other schema changes)."""

RESOURCE_LINK = "resource_link"
"""Since 2025-06-18 (its changelog, Major changes, 7)."""

_AUDIO_URI = "audio:embedded"
"""A resource must have a URI (RFC 3986); this one identifies nothing that can be read."""


def downgrade(result: dict[str, Any], unsupported: Collection[str]) -> dict[str, Any]:
    """The result of a tool or prompt, with the content blocks of `unsupported` kinds converted."""
    if not unsupported:
        return result
    if "content" in result:
        return {**result, "content": [_downgrade(block, unsupported) for block in result["content"]]}
    if "messages" in result:
        messages = [
            {**message, "content": _downgrade(message["content"], unsupported)} for message in result["messages"]
        ]
        return {**result, "messages": messages}
    return result


def _downgrade(block: dict[str, Any], unsupported: Collection[str]) -> dict[str, Any]:
    return _CONVERSIONS[block["type"]](block) if block["type"] in unsupported else block


def _audio(block: Mapping[str, Any]) -> dict[str, Any]:
    """Audio as an embedded resource: the same bytes and media type."""
    resource = {"uri": _AUDIO_URI, "mimeType": block["mimeType"], "blob": block["data"]}
    return {"type": "resource", "resource": resource, **_annotations(block)}


def _link(block: Mapping[str, Any]) -> dict[str, Any]:
    """A resource link as text: title or name, URI, description."""
    lines = [f"{block.get('title') or block['name']}: {block['uri']}", block.get("description")]
    return {"type": "text", "text": "\n".join(filter(None, lines)), **_annotations(block)}


def _annotations(block: Mapping[str, Any]) -> dict[str, Any]:
    return {"annotations": block["annotations"]} if "annotations" in block else {}


_CONVERSIONS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {AUDIO: _audio, RESOURCE_LINK: _link}
