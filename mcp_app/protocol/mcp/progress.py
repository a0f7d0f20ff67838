"""Progress notifications of one request: a number that increases monotonically, a total, a line for people, the data.

The tool's data is encoded JSON and is copied into the notification: it is parsed only where that is necessary. Which
events are progress, and which parts are kept for the result, is not known here.
"""

from __future__ import annotations

import math
from typing import Any

from ..event import Event, Shape, decode, encode
from . import jsonrpc

_MOST = math.nextafter(math.inf, 0.0)  # the largest float: a tool that reports it cannot increase it further
_METHOD = "notifications/progress"
_BEFORE_MESSAGE = len(b'{"message":')
_NO_MESSAGES = (b"", b'""')


class Progress:
    """Renders the notifications of a token; `namespace` is the prefix of our own `_meta` keys, including the slash."""

    __slots__ = ("_head", "_meta", "_value")

    def __init__(self, token: str | int, namespace: str) -> None:
        self._head = jsonrpc.notification(_METHOD, encode({"progressToken": token}))[: -len("}}")]
        self._meta = b'"_meta":{%b:' % encode(f"{namespace}partial")
        self._value = -math.inf

    def reported(self, event: Event) -> bytes:
        """The progress of `ctx.progress`: its numbers, and its message if there is one."""
        message = event.data[_BEFORE_MESSAGE:-1]
        if message in _NO_MESSAGES:
            return b"%b,%b}}" % (self._head, self._numbers(event))
        if not message.startswith(b'"'):  # the author passed another type than str: a message must be a string
            message = encode(message.decode())
        return b'%b,%b,"message":%b}}' % (self._head, self._numbers(event), message)

    def partial(self, event: Event, line: str) -> bytes:
        """A part of the result: `line` as the message, and the complete data in `_meta`."""
        message = b',"message":%b' % encode(line) if line else b""
        return b"%b,%b%b,%b%b}}}" % (self._head, self._numbers(event), message, self._meta, event.data)

    def keepalive(self, message: str) -> bytes:
        """Progress for a tool that reports none: the smallest possible increment."""
        return b'%b,%b,"message":%b}}' % (self._head, self._increased(None, None), encode(message))

    def _numbers(self, event: Event) -> bytes:
        """`progress` and `total` as members of an object.

        "The progress value MUST increase with each notification": to the tool's number, else by the smallest increment.
        """
        numbers: dict[str, Any] = decode(event.metadata) if event.metadata else {}
        progress = numbers.get("progress")
        if progress is not None and progress > self._value and event.shape is Shape.VALUE:
            self._value = progress
            return event.metadata[1:-1]  # it has no other members
        return self._increased(progress, numbers.get("total"))

    def _increased(self, progress: float | None, total: float | None) -> bytes:
        if progress is not None and progress > self._value:
            self._value = progress
        else:
            self._value = 0.0 if self._value == -math.inf else math.nextafter(self._value, _MOST)
        numbers = {"progress": self._value, "total": total}
        return encode({name: number for name, number in numbers.items() if number is not None})[1:-1]
