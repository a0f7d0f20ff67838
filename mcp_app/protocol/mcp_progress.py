"""The progress of one request as notifications: a number that only grows, a total, a line for a person, and the data.

What a tool said is bytes of JSON already and goes out as it came: nothing is parsed here that need not be. Which events
are progress, and what of them is kept for the result, is not known here.
"""

from __future__ import annotations

import math
from typing import Any

from pydantic_core import from_json

from . import jsonrpc
from .event import encode

_MOST = math.nextafter(math.inf, 0.0)  # a tool that says this has come to the end of numbers
_METHOD = "notifications/progress"
_MESSAGE = b'{"message":"'


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
        said: dict[str, Any] = from_json(metadata) if metadata else {}
        progress, total = said.get("progress"), said.get("total")
        if progress is None or progress <= self._at:
            progress = 0.0 if self._at == -math.inf else math.nextafter(self._at, _MOST)
        elif len(said) == 1 + (total is not None):
            self._at = progress
            return metadata[1:-1]
        self._at = progress
        return encode({"progress": progress} if total is None else {"progress": progress, "total": total})[1:-1]


def message_in(data: bytes) -> bytes | None:
    """The message of `ctx.progress` as JSON, empty where there is none; None for data of a tool's own."""
    if data == b"{}":
        return b""
    if not data.startswith(_MESSAGE):
        return None
    if data.find(b'"', len(_MESSAGE)) == len(data) - len(b'"}'):  # nothing is escaped, and nothing follows
        return data[len(_MESSAGE) - 1 : -1] if len(data) > len(_MESSAGE) + len(b'"}') else b""
    said = from_json(data)
    return encode(said["message"]) if said.keys() == {"message"} and isinstance(said["message"], str) else None
