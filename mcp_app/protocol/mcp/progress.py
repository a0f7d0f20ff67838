"""The progress of one request as notifications: a number that only grows, a total, a line for a person, and the data.

What a tool said is bytes of JSON already and goes out as it came: nothing is parsed here that need not be. Which events
are progress, and what of them is kept for the result, is not known here.
"""

from __future__ import annotations

import math
from typing import Any

from ..event import Event, Shape, decode, encode
from . import jsonrpc

_MOST = math.nextafter(math.inf, 0.0)  # a tool that says this has come to the end of numbers
_METHOD = "notifications/progress"
_BEFORE_MESSAGE = len(b'{"message":')
_NO_MESSAGES = (b"", b'""')


class Progress:
    """Makes the notifications under a token; `namespace` is the prefix of our own `_meta` keys, with its slash."""

    __slots__ = ("_at", "_head", "_meta")

    def __init__(self, token: str | int, namespace: str) -> None:
        self._head = jsonrpc.notification(_METHOD, encode({"progressToken": token}))[: -len("}}")]
        self._meta = b'"_meta":{%b:' % encode(f"{namespace}partial")
        self._at = -math.inf

    def told(self, event: Event) -> bytes:
        """What `ctx.progress` said: its numbers, and its message where there is one."""
        message = event.data[_BEFORE_MESSAGE:-1]
        if message in _NO_MESSAGES:
            return b"%b,%b}}" % (self._head, self._numbers(event))
        if not message.startswith(b'"'):  # the author gave no str, which is all that a message can be
            message = encode(message.decode())
        return b'%b,%b,"message":%b}}' % (self._head, self._numbers(event), message)

    def partial(self, event: Event, line: str) -> bytes:
        """A part of the result: as a line for a person, and whole in `_meta`."""
        message = b',"message":%b' % encode(line) if line else b""
        return b"%b,%b%b,%b%b}}}" % (self._head, self._numbers(event), message, self._meta, event.data)

    def silent(self, message: str) -> bytes:
        """Of a tool that says nothing: next to no progress."""
        return b'%b,%b,"message":%b}}' % (self._head, self._counted(None, None), encode(message))

    def _numbers(self, event: Event) -> bytes:
        """`progress` and `total` as members of an object.

        "The progress value MUST increase with each notification": by the tool's number, else by next to nothing.
        """
        said: dict[str, Any] = decode(event.metadata) if event.metadata else {}
        progress = said.get("progress")
        if progress is not None and progress > self._at and event.shape is Shape.VALUE:
            self._at = progress
            return event.metadata[1:-1]  # nothing else is in it
        return self._counted(progress, said.get("total"))

    def _counted(self, progress: float | None, total: float | None) -> bytes:
        if progress is not None and progress > self._at:
            self._at = progress
        else:
            self._at = 0.0 if self._at == -math.inf else math.nextafter(self._at, _MOST)
        numbers = {"progress": self._at, "total": total}
        return encode({name: number for name, number in numbers.items() if number is not None})[1:-1]
