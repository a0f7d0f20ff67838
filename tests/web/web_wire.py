"""Answers read as a client reads them. Not a test; no test's expectations belong here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from web_play import SECONDS

from mcp_app.protocol.http import sse
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer


class Wire:
    """The bytes of an event stream, and the events in them."""

    def __init__(self) -> None:
        self.raw = b""
        self.events: list[sse.ServerSentEvent] = []
        self._decoder = sse.Decoder()

    def feed(self, chunk: bytes) -> None:
        self.raw += chunk
        self.events += self._decoder.feed(chunk)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(event.data) for event in self.events]

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events if event.id]

    @property
    def last(self) -> dict[str, Any]:
        return self.messages[-1]

    @property
    def error(self) -> dict[str, Any]:
        """The error object of the last event."""
        error = self.last["error"]
        assert isinstance(error, dict)
        return error

    @property
    def heartbeats(self) -> int:
        """Comment lines that are heartbeats."""
        return sum(line == b":" for line in self.raw.split(b"\n"))


class Following:
    """A stream being read, batch by batch."""

    def __init__(self, answer: Answer) -> None:
        assert isinstance(answer.body, Frames), (answer.status, answer.body)
        self.answer = answer
        self.frames = answer.body
        self.wire = Wire()

    async def until(self, kinds: int) -> Wire:
        """Read until there are so many events."""
        async with asyncio.timeout(SECONDS):
            while len(self.wire.events) < kinds:
                self.wire.feed(await anext(self.frames))
        return self.wire

    async def rest(self) -> Wire:
        """Read to the end and close."""
        async with asyncio.timeout(SECONDS):
            async for chunk in self.frames:
                self.wire.feed(chunk)
        self.close()
        return self.wire

    def close(self) -> None:
        """Leave."""
        self.frames.close()


async def stream(answer: Answer) -> Wire:
    """The whole stream."""
    assert answer.status == 200
    if isinstance(answer.body, bytes):  # one that is over when it begins
        assert dict(answer.headers)["Content-Type"] == "text/event-stream", answer.body
        wire = Wire()
        wire.feed(answer.body)
        return wire
    return await Following(answer).rest()


def decoded(answer: Answer) -> Any:
    """The JSON of a body."""
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


def headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names in lower case; repeated fields joined."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
    return found


def refused(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """The error object of a refusal, after a look at what every refusal must be."""
    assert answer.status == status, (answer.status, answer.body)
    assert headers(answer.headers)["content-type"] == "application/json"
    body = decoded(answer)
    assert body["type"] == "error"
    error = body["error"]
    assert error["code"] == code, error
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["hint"], str)
    return dict(error)
