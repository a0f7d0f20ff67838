"""Pictures, sound and files of a result: what each is in one line, and its bytes as a file where --save asks for it.

File names are made here, never taken from the server: a name could lead out of the directory.
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcp_app.client.message import ServerMessage
from mcp_app.client.outcome import CallFailed, Status

Blocks = Sequence[Mapping[str, Any]]


def blocks_of(message: ServerMessage) -> Blocks | None:
    """The content blocks of an event that says it has some; None for plain values."""
    if message.metadata.get("content") is not True:
        return None
    return _blocks(message.data if isinstance(message.data, list) else [message.data])


def blocks_beside(message: ServerMessage) -> Blocks:
    """The content blocks that a result has beside its data."""
    return _blocks(message.beside.get("content")) or ()


def _blocks(blocks: object) -> Blocks | None:
    return blocks if isinstance(blocks, list) and all(isinstance(block, dict) for block in blocks) else None


class Saved:
    """Writes what it is shown into `directory`, if there is one, numbered in order.

    Raises CallFailed if the directory cannot be made, or a file in it.
    """

    def __init__(self, directory: Path | None, tool: str) -> None:
        self._directory = directory
        self._stem = re.sub(r"[^A-Za-z0-9_-]", "_", tool) or "result"
        self._count = 0
        if directory is not None:
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CallFailed(Status.REFUSED, f"--save {directory}: {error.strerror or error}") from error

    def save(self, message: ServerMessage) -> None:
        """Write every file of an event."""
        for block in (*(blocks_of(message) or ()), *blocks_beside(message)):
            self.described(block)

    def described(self, block: Mapping[str, Any]) -> str | None:
        """One line: media type, size, and where it was written or how it is. None for a block without bytes."""
        found = _bytes_of(block)
        if found is None:
            return _linked(block)
        kind, content = found
        size = f"{len(content) / 1000:.0f} kB" if len(content) >= 1000 else f"{len(content)} bytes"
        where = "--save DIR writes it" if self._directory is None else str(self._written(kind, content))
        return f"[{kind}, {size}; {where}]"

    def _written(self, kind: str, content: bytes) -> Path:
        assert self._directory is not None  # noqa: S101 - asked by the caller
        suffix = mimetypes.guess_extension(kind) or ".bin"
        while True:
            self._count += 1
            path = self._directory / f"{self._stem}-{self._count}{suffix}"
            try:
                with path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                continue  # of an earlier call: never overwritten
            except OSError as error:
                raise CallFailed(
                    Status.FAILED, f"cannot write {path}: {error.strerror or error}", "The tool itself is done."
                ) from error
            return path


def _linked(block: Mapping[str, Any]) -> str | None:
    """What was too large for an event, and the path at which the server keeps it for a while."""
    if block.get("type") != "resource_link" or not isinstance(block.get("url"), str):
        return None
    return f"[{block.get('mimeType')}, {block.get('size')} bytes, too large for an event: GET {block['url']}]"


def _bytes_of(block: Mapping[str, Any]) -> tuple[str, bytes] | None:
    """Media type and bytes of an image, sound, or embedded resource (MCP 2025-11-25, server/tools, "Tool Result")."""
    resource = block.get("resource")
    holder = resource if isinstance(resource, Mapping) else block
    encoded = holder.get("blob", block.get("data"))
    if not isinstance(encoded, str):
        return None
    kind = holder.get("mimeType")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return kind if isinstance(kind, str) else "application/octet-stream", content
