"""When event-stream clients ask again, as their sources say. Not a test; no test's expectations belong here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from web_wire import headers, stream

from mcp_app.web.messages import Answer

Ask = Callable[[str], Awaitable[Answer]]
"""The client's request, with a Last-Event-ID."""


class Client(NamedTuple):
    """Whether it asks again after a stream that ended, after 204, and after any other answer."""

    name: str
    after_stream: bool
    after_204: bool
    after_refusal: bool


EVENT_SOURCE = Client("EventSource", after_stream=True, after_204=False, after_refusal=False)
FETCH_EVENT_SOURCE = Client("@microsoft/fetch-event-source 2.0", after_stream=False, after_204=True, after_refusal=True)
EVENTSOURCE_CLIENT = Client("eventsource-client 1.2", after_stream=True, after_204=False, after_refusal=True)
REQUESTS_SSE = Client("requests-sse 0.5", after_stream=True, after_204=False, after_refusal=False)

POSTING = (FETCH_EVENT_SOURCE, EVENTSOURCE_CLIENT, REQUESTS_SSE)
"""Those that repeat a POST."""

MOST = 4
"""Requests after which a client is said to come back for ever."""


async def come_back(client: Client, ask: Ask, last: str) -> list[dict[str, Any]]:
    """The messages that a client is given when it asks with that Last-Event-ID until it stops by itself."""
    messages: list[dict[str, Any]] = []
    for _ in range(MOST):
        answer = await ask(last)
        if answer.status == 200 and headers(answer.headers)["content-type"] == "text/event-stream":
            wire = await stream(answer)
            messages += wire.messages
            last = wire.ids[-1] if wire.ids else last
            again = client.after_stream
        else:
            again = client.after_204 if answer.status == 204 else client.after_refusal
        if not again:
            return messages
    raise AssertionError(f"{client.name} comes back for ever: {messages}")
