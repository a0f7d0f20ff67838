"""Progress notifications of one request: a number that increases monotonically, a total, a line for people, the data.

"The progress value MUST increase with each notification" (MCP, Progress), and not every notification has a number of
the tool's: heartbeats, messages and parts have none. Where the tool can report none at all, they are counted: 1, 2, 3.
Elsewhere the number grows by a step that any reader sees growing, and that is too small to get in the way of the tool's
next number: between 5 and 6 there are 800,000 of them.

The tool's data is encoded JSON and is copied into the notification: it is parsed only where that is necessary. Which
events are progress, and which parts are kept for the result, is not known here.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from ..event import Event, decode, encode
from . import jsonrpc

_MOST = math.nextafter(math.inf, 0.0)  # the largest float: a tool that reports it cannot increase it further

_STEP = 2.0**-22
"""The step, relative to the number or to 1. Some clients read progress as a single precision float, of which two are
2**-23 apart; and a count of a million is not to be overtaken by a minute of heartbeats."""

_FIRST_STEP = 2.0**-10
"""The step before the tool's first number, which may be 1 % of 1: ten of them are less. Not relative, as it would grow
without a bound."""
_METHOD = "notifications/progress"
_BEFORE_MESSAGE = len(b'{"message":')
_NO_MESSAGES = (b"", b'""')
_PATH = b'"path":'  # of a step; within a text the quotation marks would be escaped


class Progress:
    """Renders the notifications of a token; `namespace` is the prefix of our own `_meta` keys, including the slash.

    `counts`: the tool cannot report numbers, so that notifications are counted.
    """

    __slots__ = ("_counts", "_head", "_namespace", "_reported", "_total", "_value")

    def __init__(self, token: str | int, namespace: str, *, counts: bool = False) -> None:
        self._head = jsonrpc.notification(_METHOD, encode({"progressToken": token}))[: -len("}}")]
        self._namespace = namespace
        self._counts = counts
        self._value: float | None = None
        self._total: float | None = None
        self._reported = False  # whether the tool has reported a number

    def reported(self, event: Event) -> bytes:
        """The progress of `ctx.progress`: its numbers, and its message if there is one."""
        message = event.data[_BEFORE_MESSAGE:-1]
        if message in _NO_MESSAGES:
            return b"%b,%b}}" % (self._head, self._numbers(event))
        if not message.startswith(b'"'):  # the author passed another type than str: a message must be a string
            message = encode(message.decode())
        if _PATH in event.metadata:
            message = encode(_of_step(decode(event.metadata)["path"], decode(message)))
        return b'%b,%b,"message":%b}}' % (self._head, self._numbers(event), message)

    def partial(self, event: Event, line: str) -> bytes:
        """A part of the result: `line` as the message, and the complete data in `_meta`."""
        return self._with_data(event, line, "partial", event.data)

    def step(self, event: Event, line: str) -> bytes:
        """What a tool that this one called sent as a part of its own result, which is none of this one's."""
        path = decode(event.metadata)["path"]
        data = b'{"path":%b,"data":%b}' % (encode(path), event.data)
        return self._with_data(event, _of_step(path, line), "step", data)

    def _with_data(self, event: Event, line: str, name: str, data: bytes) -> bytes:
        message = b',"message":%b' % encode(line) if line else b""
        meta = _beginning_of_meta(self._namespace + name)
        return b"%b,%b%b,%b%b}}}" % (self._head, self._numbers(event), message, meta, data)

    def keepalive(self, message: str) -> bytes:
        """Progress for a tool that reports none now."""
        return b'%b,%b,"message":%b}}' % (self._head, self._increased(), encode(message))

    def _numbers(self, event: Event) -> bytes:
        """`progress` and `total` as members of an object: the tool's own number if it is larger than the last one."""
        numbers: dict[str, Any] = decode(event.metadata) if event.metadata else {}
        if (progress := numbers.get("progress")) is None:
            return self._increased(numbers.get("total"))
        self._total = total = numbers.get("total")
        if (last := self._value) is not None and progress <= last:
            return self._increased(total)
        self._value = progress
        self._reported = True
        only = len(numbers) == (1 if total is None else 2)
        return event.metadata[1:-1] if only else _members(progress, total)

    def _increased(self, total: float | None = None) -> bytes:
        """The next number without one of the tool's; the total is the tool's last one, unless that is reached."""
        last = self._value or 0
        if self._counts:
            self._value = last + 1
        elif self._reported:
            self._value = min(last + _STEP * max(1.0, abs(last)), _MOST)
        else:
            self._value = last + _FIRST_STEP
        if total is None and self._total is not None and self._value <= self._total:
            total = self._total
        return _members(self._value, total)


@cache
def _beginning_of_meta(key: str) -> bytes:
    """`_meta` with that member, up to its value. Cached, as a server has two such keys."""
    return b'"_meta":{%b:' % encode(key)


def _of_step(path: list[str], line: str) -> str:
    """A line for people, of the step at that path."""
    steps = "/".join(path)
    return f"{steps}: {line}" if line else steps


def _members(progress: float, total: float | None) -> bytes:
    return encode({"progress": progress} if total is None else {"progress": progress, "total": total})[1:-1]
