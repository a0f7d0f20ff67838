"""Content blocks for a revision that does not know their kind: said in the kinds that it does know, so nothing is lost.

Pure: blocks in, blocks out. Which kinds a revision lacks stands in revisions.py; how an author's value becomes
blocks is content.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

AUDIO = "audio"
"""Since 2025-03-26 (its changelog, Other schema changes)."""

RESOURCE_LINK = "resource_link"
"""Since 2025-06-18 (its changelog, Major changes, 7)."""

_AUDIO_URI = "audio:embedded"
"""A resource must have a URI (RFC 3986); this one names nothing that could be read."""


def known(result: dict[str, Any], lacking: Collection[str]) -> dict[str, Any]:
    """The result of a tool or a prompt, its blocks being none of the kinds that are `lacking`."""
    if not lacking:
        return result
    if "content" in result:
        return {**result, "content": [_known(block, lacking) for block in result["content"]]}
    if "messages" in result:
        messages = [{**said, "content": _known(said["content"], lacking)} for said in result["messages"]]
        return {**result, "messages": messages}
    return result


def _known(block: dict[str, Any], lacking: Collection[str]) -> dict[str, Any]:
    return _INSTEAD[block["type"]](block) if block["type"] in lacking else block


def _audio(block: Mapping[str, Any]) -> dict[str, Any]:
    """An embedded resource: the same bytes, of the same media type."""
    resource = {"uri": _AUDIO_URI, "mimeType": block["mimeType"], "blob": block["data"]}
    return {"type": "resource", "resource": resource, **_annotations(block)}


def _link(block: Mapping[str, Any]) -> dict[str, Any]:
    """A text: the name, the URI, and what it is."""
    lines = [f"{block.get('title') or block['name']}: {block['uri']}", block.get("description")]
    return {"type": "text", "text": "\n".join(filter(None, lines)), **_annotations(block)}


def _annotations(block: Mapping[str, Any]) -> dict[str, Any]:
    return {"annotations": block["annotations"]} if "annotations" in block else {}


_INSTEAD: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {AUDIO: _audio, RESOURCE_LINK: _link}
