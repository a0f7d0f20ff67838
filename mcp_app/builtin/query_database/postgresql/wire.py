"""What of asyncpg's inside this engine needs: how much a server may send at once, and text in place of binary.

Nothing else here touches a name of asyncpg's that begins with an underscore; pyproject.toml pins the minor release, and
tests/builtin/test_postgresql_bounds.py fails when these names mean something else.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable
from typing import Any

MESSAGE_BYTES = 8 * 1024 * 1024
"""Of one message: a row, an error, a notice. asyncpg collects a message before it hands it on, and PostgreSQL sends up
to 1 GiB in one."""

REPLY_BYTES = 64 * 1024 * 1024
"""Of all messages that answer one request: a batch of rows, or notices without end."""

_HEADER = struct.Struct("!xI")
"""Type, and the length with its own four bytes (PostgreSQL, "Message Formats")."""


class Bounded(asyncio.Protocol):
    """Between a connection and its transport: the connection is closed when a message, or a reply, is too large.

    A row of 1 GiB is refused when its first bytes are here. That it ended so says `overflowed`.
    """

    def __init__(self, connection: Any) -> None:
        self._inner: asyncio.Protocol = connection._protocol
        self._transport: asyncio.Transport = connection._transport
        self._head = b""  # of a message whose header is not complete
        self._left = 0  # bytes of a message whose header was read
        self._received = 0
        self.overflowed = False
        self._transport.set_protocol(self)

    def expect(self) -> None:
        """Another request is about to be sent."""
        self._received = 0

    def data_received(self, data: bytes) -> None:
        if self.overflowed:
            return
        if self._fits(data):
            self._inner.data_received(data)
        else:
            self.overflowed = True
            self._transport.abort()

    def _fits(self, data: bytes) -> bool:
        self._received += len(data)
        if self._received > REPLY_BYTES:
            return False
        data = self._head + data if self._head else data
        at, end = self._left, len(data)
        while at + _HEADER.size <= end:
            (length,) = _HEADER.unpack_from(data, at)
            if length > MESSAGE_BYTES:
                return False
            at += 1 + length
        self._head = data[at:]
        self._left = max(at - end, 0)
        return True

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class Texts:
    """The types of which a connection exchanges values as text, as PostgreSQL itself reads and writes them.

    asyncpg's own `set_type_codec` takes no arrays, ranges and composites, and asks the server about each type.
    """

    def __init__(self, connection: Any) -> None:
        self._settings = connection._protocol.get_settings()
        self._oids: set[int] = set()

    def add(self, readers: Iterable[tuple[int, Callable[[str], Any]]]) -> None:
        """For each type its oid, and how its text is read."""
        for oid, read in readers:
            self._oids.add(oid)
            self._settings.add_python_codec(oid, str(oid), "pg_catalog", [], "scalar", str, read, "text")

    def remove_all(self) -> None:
        """As before: asyncpg can read no range, and no row, of a type that is exchanged as text."""
        while self._oids:
            oid = self._oids.pop()
            self._settings.remove_python_codec(oid, str(oid), "pg_catalog")
