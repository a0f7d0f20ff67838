"""Events of a run as the messages that come before the response: progress, log lines, and questions of ours.

What of them is kept for the response is in transcript.py.
"""

from __future__ import annotations

from typing import Any

from ..event import LEVELS, Event, EventType, Shape, decode, encode
from . import jsonrpc
from .asked import Asked
from .progress import Progress

MESSAGE_CHARS = 200
"""Of a partial result in a progress notification's message: a line for a person. The whole of it is in `_meta`."""

_PROGRESS, _PARTIAL = EventType.PROGRESS, EventType.PARTIAL  # looked up once: an enum's metaclass does it, slowly
_SEVERITY: dict[str, int] = {level: at for at, level in enumerate(LEVELS)}


class Notifications:
    """Makes the notifications of one request, whose progress only grows."""

    __slots__ = ("_progress", "asked")

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._progress: Progress | None = None

    def notification(self, event: Event) -> bytes | None:
        """The event as a notification; None when the client did not ask for its kind."""
        kind = event.type
        if kind is _PROGRESS or kind is _PARTIAL:
            if self.asked.progress_token is None:
                return None
            progress = self._progress or self._begun()
            if kind is _PROGRESS:
                return progress.told(event)
            return progress.partial(event, _line(event))
        if kind is EventType.LOG:
            return self._log(event)
        if kind is EventType.ASK:  # no notification but a request of ours: it goes the same way
            asked = decode(event.data)
            if "id" not in asked:  # that what was asked for is done
                return jsonrpc.notification(asked["method"], encode(asked["params"]))
            return jsonrpc.request(asked["id"], asked["method"], encode(asked["params"]))
        return None

    def silent_progress(self, seconds: float, cap: float) -> bytes | None:
        """Progress of a tool that says nothing: clients give up after 60 s without any (it counts as life to them).

        A step so small that it never gets ahead of the tool's own numbers.
        """
        if self.asked.progress_token is None:
            return None
        progress = self._progress or self._begun()
        return progress.silent(f"working, {seconds:.0f} of at most {cap:.0f} s")

    def _begun(self) -> Progress:
        token = self.asked.progress_token
        assert token is not None  # noqa: S101 - both callers have looked
        self._progress = Progress(token, self.asked.namespace)
        return self._progress

    def _log(self, event: Event) -> bytes | None:
        line: dict[str, Any] = decode(event.data)
        wanted = self.asked.level
        if wanted is None or _SEVERITY[line["level"]] < _SEVERITY[wanted]:
            return None
        data = line["message"] if "data" not in line else {"message": line["message"], "data": line["data"]}
        return jsonrpc.notification("notifications/message", encode({"level": line["level"], "data": data}))


def _line(event: Event) -> str:
    """A part of the result, for a person."""
    data = event.data
    if event.shape is Shape.CONTENT:
        return _named(decode(data))[:MESSAGE_CHARS]
    if data.startswith(b'"'):
        text: str = decode(data)
        return text[:MESSAGE_CHARS]
    return data[: 4 * MESSAGE_CHARS].decode(errors="ignore")[:MESSAGE_CHARS]  # a character has four bytes at most


def _named(blocks: list[dict[str, Any]]) -> str:
    """Content blocks as a line for a person: text as it is, of all else what it is."""
    return ", ".join(each.get("text") or each.get("mimeType") or each["type"] for each in blocks)
