"""Packets: what goes over the wire between a server and a process that works for it, in both directions.

A packet is eight bytes, the lengths of its header and of its body (unsigned, big-endian), the header, a JSON object
whose member `is` says what it is, and the body, any bytes. What packets mean is in relay.py. Nothing is read or written
here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from .event import decode, encode
from .linked import MAX_RESULT_BYTES

MAX_BODY_BYTES = 2 * MAX_RESULT_BYTES
"""Of a body: the largest result, which is longer as JSON, by its escapes or as Base64. Beyond it a reader would hold as
much memory as its peer likes."""

MAX_HEADER_BYTES = 4096
"""Of a header, which has a few words and numbers; whatever a caller can make long is in a body."""

_LENGTHS = struct.Struct("!II")


class PacketError(Exception):
    """The bytes are no packets, or one that is larger than it may be: nothing behind it can be read."""


class Packet(NamedTuple):
    """`kind` is the member `is` of the header, `fields` the others."""

    kind: str
    fields: Mapping[str, Any] = {}
    body: bytes = b""

    def number(self, name: str) -> int:
        """A field that is an integer, 0 or more. Raises PacketError."""
        value = self.fields.get(name)
        if type(value) is not int or value < 0:
            raise PacketError(f"a packet {self.kind!r} whose {name} is no count")
        return value

    def value(self) -> Any:
        """The body, which is JSON. Raises PacketError."""
        try:
            return decode(self.body)
        except ValueError as error:
            raise PacketError(f"a packet {self.kind!r} whose body is not JSON") from error


def packed(packet: Packet) -> bytes:
    """The packet's bytes. Raises PacketError for one that its reader would refuse."""
    header = encode({"is": packet.kind, **packet.fields})
    _check(len(header), len(packet.body))
    return b"".join((_LENGTHS.pack(len(header), len(packet.body)), header, packet.body))


class Unpacker:
    """Finds the packets in bytes that come in pieces, in linear time."""

    def __init__(self) -> None:
        self._pieces = bytearray()
        self._needed = _LENGTHS.size

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are complete with these bytes. Raises PacketError; nothing can be fed after that."""
        pieces = self._pieces
        pieces += data
        if len(pieces) < self._needed:
            return []
        packets, at = [], 0
        while (end := self._end(at)) <= len(pieces):
            packets.append(_packet(pieces, at, end))
            at = end
        del pieces[:at]
        self._needed = end - at
        return packets

    @property
    def empty(self) -> bool:
        """Whether no packet has begun that is not complete."""
        return not self._pieces

    def _end(self, at: int) -> int:
        """Where the packet that begins at `at` ends, as far as that is known."""
        if len(self._pieces) < at + _LENGTHS.size:
            return at + _LENGTHS.size
        header, body = _lengths(self._pieces, at)
        _check(header, body)
        return at + _LENGTHS.size + header + body


def _lengths(pieces: bytearray, at: int) -> tuple[int, int]:
    header, body = _LENGTHS.unpack_from(pieces, at)
    return header, body


def _check(header: int, body: int) -> None:
    if header > MAX_HEADER_BYTES:
        raise PacketError(f"a header of {header} bytes: it may have {MAX_HEADER_BYTES}")
    if body > MAX_BODY_BYTES:
        raise PacketError(f"a body of {body} bytes: it may have {MAX_BODY_BYTES}")


def _packet(pieces: bytearray, at: int, end: int) -> Packet:
    start = at + _LENGTHS.size
    header, _ = _lengths(pieces, at)
    with memoryview(pieces) as view:
        text, body = bytes(view[start : start + header]), bytes(view[start + header : end])
    try:
        fields = decode(text)
    except ValueError as error:
        raise PacketError("a header that is not JSON") from error
    kind = fields.pop("is", None) if isinstance(fields, dict) else None
    if not isinstance(kind, str):
        raise PacketError("a header that does not say what the packet is")
    return Packet(kind, fields, body)
