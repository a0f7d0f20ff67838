"""Splits what a client writes into lines, in bounded memory: a line that is too long is skipped to its end.

Pure: bytes in, lines out. What a line says is not known here, but for the id of one that was skipped, as whoever sent
it waits for an answer to that id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..protocol.mcp.jsonrpc import Id, read_id

MAX_LINE_BYTES = 1024 * 1024
"""Bytes of a line, as of a request's body over HTTP: without a limit a client that sends no line break fills the
memory."""

_KEPT_BYTES = 2048
"""Of a skipped line, at its start and at its end: an id has at most 256 characters, each at most an escape of six."""

_ID = rb'"id"\s*:\s*(-?[0-9]{1,19}|"(?:[^"\\\x00-\x1f]|\\.){0,1536}")\s*'
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"\s*'
_AT_START = re.compile(rb"\s*\{\s*(?:%b,\s*)?%b," % (_VERSION, _ID))
_AT_END = re.compile(rb",\s*%b(?:,\s*%b)?\}\s*\Z" % (_ID, _VERSION))
"""Where clients write the id: the first member or the last one, beside jsonrpc. Whatever stands between, if the line is
JSON, these are members of the message itself."""


class Skipped(NamedTuple):
    """A line that was too long. `id` is that of its message, None if it is not found."""

    id: Id | None


class LineSplitter:
    """Takes bytes as they come. Lines are without their line feed; blank ones are left out."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._head: bytes | None = None  # of a line that is being skipped
        self._tail = b""

    def feed(self, data: bytes) -> Iterator[bytes | Skipped]:
        """The lines that end in `data`."""
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._add(part)
            yield from self.end()
        self._add(rest)

    def end(self) -> Iterator[bytes | Skipped]:
        """The line that was begun, if there is one: the input has ended, or its line feed has come."""
        line, head, tail = b"".join(self._parts), self._head, self._tail
        self._parts, self._size, self._head, self._tail = [], 0, None, b""
        if head is not None:
            yield Skipped(_id(head, tail))
        elif line and not line.isspace():
            yield line

    def _add(self, part: bytes) -> None:
        if self._head is not None:
            self._tail = (self._tail + part)[-_KEPT_BYTES:]
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._limit:
            line = b"".join(self._parts)
            self._parts, self._size = [], 0
            self._head, self._tail = line[:_KEPT_BYTES], line[-_KEPT_BYTES:]


def _id(head: bytes, tail: bytes) -> Id | None:
    found = [match[1] for match in (_AT_START.match(head), _AT_END.search(tail)) if match is not None]
    if len(found) != 1:
        return None  # two are ambiguous
    try:
        return read_id(json.loads(found[0]))
    except ValueError:  # not UTF-8, or an escape that JSON does not have
        return None
