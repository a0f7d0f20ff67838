"""What the tasks of a connection wait on: an event, and the queue of one request's ASGI messages. Neither knows HTTP.

Both replace an asyncio primitive, without the parts that hardly any request needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio import task_group
from hypercorn.config import Config
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, Scope

from .tls_extension import TLS_KEY

QUEUE_KEY = "mcp_app.queue"
"""An ASGI extension: the request's `AppQueue`, in addition to its `receive`. web/asgi/leaving.py uses it."""

Send = Callable[[ASGISendEvent | None], Awaitable[None]]

_DISCONNECTS = ("http.disconnect", "websocket.disconnect")


class LazyEventWrapper:
    """In place of Hypercorn's EventWrapper.

    As released, every event is an asyncio.Event with a deque of waiters, two for each HTTP/2 stream, although hardly
    any is ever waited on. Here that is created by the first waiter: 1.8 KiB less for each h2 stream.
    """

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: asyncio.Event | None = None

    async def clear(self) -> None:
        """Later calls of `wait` wait for the next `set`."""
        self._is_set = False
        if self._event is not None:
            self._event.clear()

    async def wait(self) -> None:
        """Return when the event is set."""
        if self._is_set:
            return
        if self._event is None:
            self._event = asyncio.Event()
        await self._event.wait()

    async def set(self) -> None:
        """Wake all waiters."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def is_set(self) -> bool:
        """Whether the event is set."""
        return self._is_set


class AppQueue:
    """A FIFO queue of at most `maxsize` messages of one request; waiting getters and putters are served in order. A
    disconnect is the last message.

    As released, that is an asyncio.Queue, which allocates three deques and an event, 3 KiB for as long as the request
    lasts; and an application that listens for a disconnect needs a task for it. Here it is a list, and a future while
    something waits; an available message can be taken without waiting, and a disconnect is reported by a callback. An
    idle stream takes 5 KiB less; 0.96 x the CPU of an echo.

    And a disconnect waits for no room, and ends the wait of the others. As released, an application that returns, or
    has answered, while more of its request's body has come than fits waits for itself: it, its connection and every
    other stream on that stand still, also when the client has left.
    """

    __slots__ = ("_disconnected", "_getters", "_loop", "_maxsize", "_messages", "_on_disconnect", "_putters")

    def __init__(self, loop: asyncio.AbstractEventLoop, maxsize: int) -> None:
        self._loop = loop
        self._maxsize = maxsize
        self._messages: list[ASGIReceiveEvent] = []
        self._getters: list[asyncio.Future[None]] | None = None
        self._putters: list[asyncio.Future[None]] | None = None
        self._disconnected = False
        self._on_disconnect: Callable[[], object] | None = None

    async def get(self) -> ASGIReceiveEvent:
        """The next message; waits until there is one."""
        while (message := self.poll()) is None:
            if self._getters is None:
                self._getters = []
            await self._wait(self._getters)
        return message

    def poll(self) -> ASGIReceiveEvent | None:
        """The next message, or None if the queue is empty."""
        if not self._messages:
            return None
        message = self._messages.pop(0)
        _wake_next(self._putters)
        return message

    async def put(self, message: ASGIReceiveEvent) -> None:
        """Append a message; waits while the queue is full. A disconnect is reported to the callback first; what would
        come after it is dropped."""
        if message["type"] in _DISCONNECTS:
            self._disconnected = True
            if self._on_disconnect is not None:
                self._on_disconnect()
            while self._putters:
                _wake_next(self._putters)
        else:
            while 0 < self._maxsize <= len(self._messages) and not self._disconnected:  # 0 is unbounded, as upstream
                if self._putters is None:
                    self._putters = []
                await self._wait(self._putters)
            if self._disconnected:
                return
        self._messages.append(message)
        _wake_next(self._getters)

    def on_disconnect(self, callback: Callable[[], object]) -> None:
        """Call `callback` when the client has disconnected, immediately if it already has. A later callback replaces
        it."""
        self._on_disconnect = callback
        if self._disconnected:
            callback()

    async def _wait(self, waiters: list[asyncio.Future[None]]) -> None:
        future = self._loop.create_future()
        waiters.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future in waiters:
                waiters.remove(future)
            else:
                _wake_next(waiters)  # already woken: pass that on to the next waiter
            raise


def _wake_next(waiters: list[asyncio.Future[None]] | None) -> None:
    while waiters:
        future = waiters.pop(0)
        if not future.done():
            future.set_result(None)
            return


class TaskGroup(task_group.TaskGroup):
    """The tasks of one connection; an ASGI application gets an `AppQueue`, and is told of the connection's TLS. As
    upstream for WSGI."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tls: dict[str, Any] | None = None) -> None:
        super().__init__(loop)
        self._tls = tls

    async def spawn_app(
        self, app: AppWrapper, config: Config, scope: Scope, send: Send
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        if type(app) is not ASGIWrapper:
            return await super().spawn_app(app, config, scope, send)
        queue = AppQueue(self._loop, config.max_app_queue_size)
        extensions: dict[str, Any] = scope["extensions"]  # type: ignore[typeddict-item]
        if scope["type"] == "http":
            extensions[QUEUE_KEY] = queue
        if self._tls is not None:
            extensions[TLS_KEY] = self._tls
        self.spawn(_run_app, app, config, scope, queue, send)
        return queue.put


async def _run_app(app: ASGIWrapper, config: Config, scope: Scope, queue: AppQueue, send: Send) -> None:
    try:
        await app.app(scope, queue.get, send)
    except asyncio.CancelledError:
        raise
    except BaseException:  # even SystemExit, by which one request would end the connection, with every other
        await config.log.exception("Error in ASGI Framework")
    finally:
        await send(None)
