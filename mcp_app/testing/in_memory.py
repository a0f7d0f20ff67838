"""An application that is asked in memory: requests as values to ASGI, and the bytes of a response as they are written.

It does what a server does: writes wait for a reader that does not read, and a client that leaves is told of. What the
bytes mean is not known here.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from mcp_app import Access
from mcp_app.client.wire.outgoing import Outgoing
from mcp_app.testing.caller import ACCESS
from mcp_app.testing.log import CALL
from mcp_app.web.asgi.leaving import QUEUE_KEY

HOST = "localhost"

Message = Mapping[str, Any]


class _RequestQueue:
    """ASGI's `receive`, with what our own server gives its applications beside it: it tells of a client that leaves
    without being asked, so that leaving takes no time, also where the clock stands still."""

    def __init__(self, body: bytes) -> None:
        self._messages: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])
        self._left = asyncio.Event()
        self._callbacks: list[Callable[[], object]] = []

    async def receive(self) -> Message:
        if self._messages:
            return self._messages.popleft()
        await self._left.wait()
        return {"type": "http.disconnect"}

    def poll(self) -> Message | None:
        if self._messages:
            return self._messages.popleft()
        return {"type": "http.disconnect"} if self._left.is_set() else None

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        if self._left.is_set():
            callback()
        else:
            self._callbacks.append(callback)

    def disconnect(self) -> None:
        if not self._left.is_set():
            self._left.set()
            for each in self._callbacks:
                each()


class InMemoryResponse:
    """The response to one request, which is sent at once. With `on_demand` the application can write only what is asked
    for: each of its writes waits for a `chunk`."""

    def __init__(
        self,
        app: Any,
        request: Outgoing,
        headers: Mapping[str, str],
        call: object,
        *,
        access: Access | None,
        on_demand: bool,
    ) -> None:
        self._queue = _RequestQueue(request.body)
        self._on_demand = on_demand
        self._written: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._complete = False
        self._left = False
        self._status: int | None = None
        self.headers: Mapping[str, str] = {}
        """Names in lower case."""
        context = contextvars.copy_context()
        context.run(CALL.set, call)
        context.run(ACCESS.set, access)
        scope = _scope(request, headers, self._queue)
        self.task = asyncio.create_task(
            app(scope, self._queue.receive, self._send), name=f"{request.method} {request.path}", context=context
        )
        self.task.add_done_callback(lambda _: self._changed.set())

    async def head(self) -> int | None:
        """The status; None if the client left before. Raises what the application raised, and ConnectionError if it
        ended without an answer."""
        while self._status is None and not self._left:
            await self._change()
        return self._status

    async def chunk(self) -> bytes | None:
        """What the application wrote next; None at the end, whether it ended the response or the client left."""
        while not self._written:
            if self._complete or self._left:
                return None
            self._taken.set()
            await self._change()
        found = self._written.popleft()
        self._taken.set()
        return found

    async def body(self) -> bytes:
        """All of a response."""
        parts = []
        while (part := await self.chunk()) is not None:
            parts.append(part)
        return b"".join(parts)

    def leave(self) -> None:
        """Close the connection, as a client does that goes away."""
        self._left = True
        self._written.clear()
        self._taken.set()
        self._changed.set()
        self._queue.disconnect()

    async def over(self) -> None:
        """Wait until the application is done with the request."""
        await asyncio.wait({self.task})

    async def _change(self) -> None:
        if self.task.done() and not self._changed.is_set():
            self.task.result()
            raise ConnectionError("the application ended its answer in the middle")
        await self._changed.wait()
        self._changed.clear()

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
            }
            self._changed.set()
            return
        body = bytes(message.get("body", b""))
        more = message.get("more_body", False)
        if body and not self._left:
            self._written.append(body)
        self._complete = not more
        self._changed.set()
        if not more:
            self._queue.disconnect()  # as ASGI has it after the end of a response
        while self._on_demand and self._written and not self._left:
            self._taken.clear()
            await self._taken.wait()


def _scope(request: Outgoing, headers: Mapping[str, str], queue: _RequestQueue) -> dict[str, Any]:
    """What a server says of the request: one of this machine, over HTTP/2."""
    path, _, query = request.path.partition("?")
    fields = {"host": HOST, **{name.lower(): value for name, value in {**headers, **request.headers}.items()}}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "2",
        "method": request.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "extensions": {QUEUE_KEY: queue},
        "state": {},
    }
