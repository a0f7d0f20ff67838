"""Renders events of a run as the messages before the response: progress, log messages, and requests to the client.

The parts that are kept for the response are in transcript.py.
"""

from __future__ import annotations

from typing import Any

from ..event import BLOCKS, LEVELS, Event, EventType, decode, encode
from . import jsonrpc
from .progress import Progress
from .request_info import RequestInfo

MESSAGE_CHARS = 200
"""The length of a partial result in a progress notification's message, a line for people. `_meta` has all of it."""

_PROGRESS, _PARTIAL = EventType.PROGRESS, EventType.PARTIAL  # looked up once: an enum's attribute access is slow
_SEVERITY: dict[str, int] = {level: at for at, level in enumerate(LEVELS)}


class Notifications:
    """Renders the notifications of one request, whose progress increases monotonically."""

    __slots__ = ("_progress", "info")

    def __init__(self, info: RequestInfo) -> None:
        self.info = info
        self._progress: Progress | None = None

    def notification(self, event: Event) -> bytes | None:
        """The event as a notification; None if the client did not request its kind."""
        kind = event.type
        if kind is _PROGRESS or kind is _PARTIAL:
            if self.info.progress_token is None:
                return None
            progress = self._progress or self._new_progress()
            if kind is _PROGRESS:
                return progress.reported(event)
            return progress.partial(event, _line(event))
        if kind is EventType.LOG:
            return self._log(event)
        if kind is EventType.RESTARTED:
            return self._restarted(decode(event.data)["attempt"])
        if kind is EventType.STEP:
            if self.info.progress_token is None:
                return None
            return (self._progress or self._new_progress()).step(event, _line(event))
        if kind is EventType.ASK:  # a request to the client, sent on the same stream
            message = decode(event.data)
            if self.info.open_asks is not None and not self.info.open_asks(message.get("id", "")):
                return None
            if "id" not in message:  # the notification that an elicitation is complete
                return jsonrpc.notification(message["method"], encode(message["params"]))
            return jsonrpc.request(message["id"], message["method"], encode(message["params"]))
        return None

    def keepalive(self, seconds: float, cap: float) -> bytes | None:
        """A progress notification for a tool that reports none: clients time out after 60 s without progress."""
        if self.info.progress_token is None:
            return None
        progress = self._progress or self._new_progress()
        return progress.keepalive(f"working, {seconds:.0f} of at most {cap:.0f} s")

    def _restarted(self, attempt: int) -> bytes | None:
        """As progress, which stays below none that was sent; else as a line of the log."""
        line = f"The process that worked on this call is gone: it begins again (attempt {attempt})."
        if self.info.progress_token is not None:
            return (self._progress or self._new_progress()).keepalive(line)
        return self._log(Event(EventType.LOG, encode({"level": "warning", "message": line})))

    def _new_progress(self) -> Progress:
        token = self.info.progress_token
        assert token is not None  # noqa: S101 - both callers have checked it
        self._progress = Progress(token, self.info.namespace, counts=self.info.counted)
        return self._progress

    def _log(self, event: Event) -> bytes | None:
        line: dict[str, Any] = decode(event.data)
        minimum = self.info.level
        if minimum is None or _SEVERITY[line["level"]] < _SEVERITY[minimum]:
            return None
        data = line["message"] if "data" not in line else {"message": line["message"], "data": line["data"]}
        params = {"level": line["level"], "data": data}
        if event.metadata and (path := decode(event.metadata).get("path")):
            params["logger"] = "/".join(path)
        return jsonrpc.notification("notifications/message", encode(params))


def _line(event: Event) -> str:
    """A part of the result as one line for people."""
    data = event.data
    if event.shape in BLOCKS:
        return _summary(decode(data))[:MESSAGE_CHARS]
    if data.startswith(b'"'):
        text: str = decode(data)
        return text[:MESSAGE_CHARS]
    return data[: 4 * MESSAGE_CHARS].decode(errors="ignore")[:MESSAGE_CHARS]  # a character has four bytes at most


def _summary(blocks: list[dict[str, Any]]) -> str:
    """Content blocks as one line for people: text verbatim, other blocks by media type or kind."""
    return ", ".join(each.get("text") or each.get("mimeType") or each["type"] for each in blocks)
