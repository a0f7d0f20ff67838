"""The progress of one request as notifications: a number that only grows, a total, a line for a person, and the data.

What a tool said is bytes of JSON already and goes out as it came: nothing is parsed here that need not be. Which events
are progress, and what of them is kept for the result, is not known here.
"""

from __future__ import annotations

import math
from typing import Any

from ..event import decode, encode
from . import jsonrpc

_MOST = math.nextafter(math.inf, 0.0)  # a tool that says this has come to the end of numbers
_METHOD = "notifications/progress"
_MESSAGE = b'{"message":"'
_NO_MESSAGE = len(b'{"message":""}')


class Progress:
    """Makes the notifications under a token; `namespace` is the prefix of our own `_meta` keys, with its slash."""

    __slots__ = ("_at", "_head", "_meta")

    def __init__(self, token: str | int, namespace: str) -> None:
        self._head = jsonrpc.notification(_METHOD, encode({"progressToken": token}))[: -len("}}")]
        self._meta = b'"_meta":{%b:' % encode(f"{namespace}partial")
        self._at = -math.inf

    def told(self, message: bytes, metadata: bytes) -> bytes:
        """What `ctx.progress` said: its numbers, and its message as JSON, empty where there is none."""
        if message:
            return b'%b,%b,"message":%b}}' % (self._head, self._numbers(metadata), message)
        return b"%b,%b}}" % (self._head, self._numbers(metadata))

    def partial(self, line: str, metadata: bytes, data: bytes) -> bytes:
        """Data of the tool's own, as a line for a person, and whole in `_meta`."""
        message = b',"message":%b' % encode(line) if line else b""
        return b"%b,%b%b,%b%b}}}" % (self._head, self._numbers(metadata), message, self._meta, data)

    def _numbers(self, metadata: bytes) -> bytes:
        """`progress` and `total` as members of an object.

        "The progress value MUST increase with each notification": by the tool's number, else by next to nothing.
        """
        said: dict[str, Any] = decode(metadata) if metadata else {}
        progress = said.get("progress")
        if progress is not None and progress > self._at:
            self._at = progress
            if "content" not in said:
                return metadata[1:-1]
        else:
            self._at = 0.0 if self._at == -math.inf else math.nextafter(self._at, _MOST)
        numbers = {"progress": self._at, "total": said.get("total")}
        return encode({name: number for name, number in numbers.items() if number is not None})[1:-1]


def message_in(data: bytes) -> bytes | None:
    """The message of `ctx.progress` as JSON, empty where there is none; None for data of a tool's own."""
    if data.startswith(_MESSAGE):
        if data.count(b'"') == 4:  # nothing is escaped, and there is no other member
            return data[len(_MESSAGE) - 1 : -1] if len(data) > _NO_MESSAGE else b""
        said = decode(data)
        return encode(said["message"]) if said.keys() == {"message"} and isinstance(said["message"], str) else None
    return b"" if data == b"{}" else None
