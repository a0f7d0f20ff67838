"""A transport without a peer, which remembers what it is asked for. Not a test."""

from __future__ import annotations

import asyncio
import functools
from typing import Any


class Transport(asyncio.Transport):
    """Remembers what it is asked for. `broken` is what a write raises; `closes` is a write that finds the end."""

    def __init__(self, broken: Exception | None = None, closes: bool = False) -> None:
        super().__init__()
        self.asked: list[Any] = []
        self.broken, self.closes, self.closed = broken, closes, False

    @functools.cached_property
    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader())

    def get_protocol(self) -> asyncio.StreamReaderProtocol:
        return self._protocol

    def write(self, data: Any) -> None:
        if self.broken is not None:
            raise self.broken
        self.asked.append(data)
        self.closed = self.closes

    def get_write_buffer_size(self) -> int:
        return 0

    def write_eof(self) -> None:
        self.asked.append("eof")

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.asked.append("close")
        self.closed = True
        self._protocol.connection_lost(None)
