"""What each of several processes says of itself, a page of text, where the others read it. What it says is not known
here.

In an unnamed file that they share, so that nobody has to be asked, who may hold its loop or have died. A page is
written whole, and one that is read while it is written is as none.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import Self

from .sharing import unnamed_file

MAX_BYTES = 1024 * 1024
"""Of one page. What is not written takes no memory."""

_HEAD = struct.Struct("=II")
"""Length and checksum."""


class SharedPages:
    """The pages of `count` processes, by their numbers from 1 on."""

    def __init__(self, descriptor: int, count: int) -> None:
        """Of the processes to which this file was handed on."""
        self.descriptor = descriptor
        self._count = count

    @classmethod
    def create(cls, count: int) -> Self:
        """With no page."""
        return cls(unnamed_file("mcp-app-pages", count * MAX_BYTES), count)

    def write(self, number: int, page: bytes) -> None:
        """Raises ValueError for one that is too large."""
        if len(page) > MAX_BYTES - _HEAD.size:
            raise ValueError(f"a page of {len(page)} bytes")
        os.pwrite(self.descriptor, _HEAD.pack(len(page), zlib.crc32(page)) + page, (number - 1) * MAX_BYTES)

    def clear(self, number: int) -> None:
        """That process is gone."""
        os.pwrite(self.descriptor, bytes(_HEAD.size), (number - 1) * MAX_BYTES)

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Every page that there is, with its number."""
        for number in range(1, self._count + 1):
            offset = (number - 1) * MAX_BYTES
            length, checksum = _HEAD.unpack(os.pread(self.descriptor, _HEAD.size, offset))
            page = os.pread(self.descriptor, min(length, MAX_BYTES), offset + _HEAD.size)
            if length and zlib.crc32(page) == checksum:
                yield number, page


class OwnPage:
    """The page of one process, until another has its number, and those of the others."""

    def __init__(self, pages: SharedPages, number: int) -> None:
        self._pages = pages
        self.number = number
        self._has_left = False

    def write(self, page: bytes) -> None:
        """Say this to the others. Raises ValueError for a page that is too large."""
        if not self._has_left:
            self._pages.write(self.number, page)

    def leave(self) -> None:
        """Say no more: another process says it under the same number."""
        self._has_left = True

    def others(self) -> dict[int, bytes]:
        """What the others say, by their numbers."""
        return {number: page for number, page in self._pages.read() if number != self.number}
