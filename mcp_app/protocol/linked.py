"""What is too large for one event is kept beside it, and a link stands in its place (MCP 2025-06-18, ResourceLink).

Pure: the values to keep are handed to the caller. Nothing is stored or served here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from .errors import EventTooLarge, LogUnavailable
from .event import Shape, decode, encode
from .http import media_type

MAX_RESULT_BYTES = 16 * 1024 * 1024
"""Of one value that is kept beside its event: sixteen events of the default size, a long scan or a minute of sound. A
reader gets it in one piece, so that more would be as much memory for each of them."""

LINK_BYTES = 4096
"""A link takes less: its parts are cut to their lengths. A block that is not larger is no use to link."""

KEPT_FORMAT = 1
"""The format of written values that this release writes; it reads this one and the one before."""

_NAME_CHARS = 100
_URI_CHARS = 1000

URI = re.compile(r"run://([0-9a-f]{32})/results/([1-9][0-9]{0,8})", re.ASCII)
"""Of a kept value: its run, and its number there, from 1."""

_TEXT = "text/plain"
_JSON = "application/json"
_UNKNOWN = "application/octet-stream"


class Kept(NamedTuple):
    """One kept value. `text`: it was text, and is UTF-8 here. `title` is the URI of an embedded resource."""

    data: bytes
    mime_type: str
    text: bool
    name: str | None = None
    title: str | None = None

    def file_name(self, number: int) -> str:
        """A name for people, of the value with that number."""
        return self.name[:_NAME_CHARS] if self.name else f"result-{number}{media_type.extension(self.mime_type)}"

    def contents(self, uri: str) -> dict[str, Any]:
        """The contents of a `resources/read`: text, or a blob, as it was."""
        body = {"text": self.data.decode()} if self.text else {"blob": base64.b64encode(self.data).decode()}
        return {"uri": uri, "mimeType": self.mime_type, **body}


def write_kept(kept: Kept) -> bytes:
    """The value as one piece, for a log that several processes share."""
    head = {
        "format": KEPT_FORMAT,
        "mime_type": kept.mime_type,
        "text": kept.text,
        "name": kept.name,
        "title": kept.title,
    }
    return encode(head) + b"\n" + kept.data


def read_kept(written: bytes) -> Kept:
    """What `write_kept` wrote. Raises LogUnavailable for what a newer release wrote: that release can answer."""
    head, _, data = written.partition(b"\n")
    known = decode(head)
    if known["format"] > KEPT_FORMAT:
        raise LogUnavailable("The result was written by a newer release, which can answer.")
    return Kept(data, known["mime_type"], known["text"], known["name"], known["title"])


Keep = Callable[[Kept], dict[str, Any]]
"""Keeps a value, and returns the content block of its link."""


def link(run: str, number: int, kept: Kept, description: str) -> dict[str, Any]:
    """The content block: a ResourceLink to the kept value."""
    block = {
        "type": "resource_link",
        "uri": f"run://{run}/results/{number}",
        "name": kept.file_name(number),
        "title": None if kept.title is None else kept.title[:_URI_CHARS],
        "description": description,
        "mimeType": kept.mime_type,
        "size": len(kept.data),
    }
    return {name: value for name, value in block.items() if value is not None}


class Split(NamedTuple):
    """Content blocks, and by their index what is to be kept instead of some of them."""

    blocks: list[dict[str, Any]]
    kept: dict[int, Kept]
    shape: Shape

    def replaced(self, keep: Keep) -> list[dict[str, Any]]:
        """The blocks with links."""
        blocks = list(self.blocks)
        for index, value in self.kept.items():
            blocks[index] = {**keep(value), **blocks[index]}
        return blocks

    def linked(self, keep: Keep) -> bytes:
        """The same, as an event has them."""
        return encode(self.replaced(keep))


def split(data: bytes, shape: Shape, room: int) -> Split | None:
    """What to keep of an event's data so that it has at most `room` bytes; None if it has no more.

    Of content the largest blocks are kept, as many as are necessary; any other value is kept whole. It takes up to a
    second. Raises EventTooLarge for what is larger than MAX_RESULT_BYTES.
    """
    if len(data) <= room:
        return None
    if shape is Shape.CONTENT:
        blocks: list[dict[str, Any]] = decode(data)
        chosen = largest(blocks, len(data) - room)
        if chosen:
            return replaced(blocks, chosen)
    value = Kept(decode(data).encode(), _TEXT, True) if data.startswith(b'"') else Kept(data, _JSON, True)
    _check(len(value.data))
    return Split([{}], {0: value}, Shape.LINK)


def too_large(what: str, size: int, bound: int) -> EventTooLarge:
    """The error for something of `size` bytes that is neither sent nor kept."""
    return EventTooLarge(f"{what} of {size} bytes is larger than the {bound} bytes that it may have.")


def _check(size: int) -> None:
    if size > MAX_RESULT_BYTES:
        raise too_large("A result", size, MAX_RESULT_BYTES)


def replaced(blocks: Sequence[dict[str, Any]], chosen: Sequence[int]) -> Split:
    """The blocks, of which those `chosen`, by index, are to be kept. Raises EventTooLarge for one that is too large."""
    kept = {index: _of_block(blocks[index]) for index in chosen}
    left = [_annotations(block) if index in kept else block for index, block in enumerate(blocks)]
    return Split(left, kept, Shape.LINKED)


def largest(blocks: Sequence[dict[str, Any]], excess: int) -> list[int]:
    """The blocks to replace so that the list is `excess` bytes shorter, in their order; none if that is impossible."""
    # By characters: as JSON each is a byte or more.
    sizes = {index: len(_payload(block)) for index, block in enumerate(blocks)}
    chosen = []
    for index in sorted(sizes, key=lambda index: -sizes[index]):
        if sizes[index] <= LINK_BYTES:
            return []
        chosen.append(index)
        excess -= sizes[index] - LINK_BYTES
        if excess <= 0:
            return sorted(chosen)
    return []


def _payload(block: Mapping[str, Any]) -> str:
    """What makes a block large: its text, or its bytes as Base64; empty for a link."""
    holder = block.get("resource", block)
    payload: str = holder.get("blob") or holder.get("data") or holder.get("text") or ""
    return payload


def _of_block(block: Mapping[str, Any]) -> Kept:
    resource: Mapping[str, Any] = block.get("resource", {})
    holder = resource or block
    payload = _payload(block)
    text = "text" in holder
    if text:
        data, kind = payload.encode(), holder.get("mimeType", _TEXT)
    else:
        _check(len(payload) // 4 * 3 - 2)
        data, kind = base64.b64decode(payload), holder.get("mimeType", _UNKNOWN)
    _check(len(data))
    uri = resource.get("uri")
    return Kept(data, kind, text, None if uri is None else unquote(uri.rstrip("/").rpartition("/")[2]) or None, uri)


def _annotations(block: Mapping[str, Any]) -> dict[str, Any]:
    return {"annotations": block["annotations"]} if "annotations" in block else {}
