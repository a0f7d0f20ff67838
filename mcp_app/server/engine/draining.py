"""Notifies the application that the server begins to shut down, while its streams are still open.

As released, Hypercorn notifies an application only after its streams have been cut: `lifespan.shutdown` comes after the
graceful timeout. Here each subscribed callback is called the moment the shutdown begins, and may return an awaitable:
until it is done the server continues to accept and to respond, so that each stream can write its last event and end,
and a load balancer's readiness check learns that this process is not ready.

An application finds `Draining.subscribe` under STATE_KEY in ASGI's lifespan state: `scope["state"]` of its lifespan and
of each request. This module does not know connections.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

Callback = Callable[[], Awaitable[object] | None]
Unsubscribe = Callable[[], None]

STATE_KEY = "mcp_app.draining"

STOPPING_KEY = "mcp_app.stopping"
"""There an application finds a function that says whether a stop has been ordered, which may be before it begins."""

SHUTDOWN_DELAY = "shutdown_delay"
"""The key in hypercorn.toml of the seconds between the two: requests are answered as before, while whoever asks whether
this process is ready is told that it is not, and sends new ones elsewhere."""

DRAIN_SECONDS = 4.0
"""Limit on all the callbacks' awaitables together: time for a tool's last commit. A tool that needs longer is cut."""

log = logging.getLogger("mcp_app.server")


class DrainCallbacks:
    """Whether one server has begun to shut down, and the callbacks subscribed to that."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callback] = {}
        self._started = False

    def subscribe(self, callback: Callback) -> Unsubscribe:
        """Call `callback` once, on the loop, when the shutdown begins; if it has begun, in the loop's next iteration.

        If it returns an awaitable, that is awaited, for DRAIN_SECONDS at most, before the server stops accepting and
        responding. Returns a function that unsubscribes.
        """
        if self._started:
            handle = asyncio.get_running_loop().call_soon(lambda: _invoke(callback))
            return handle.cancel
        key = object()
        self._callbacks[key] = callback

        def unsubscribe() -> None:
            self._callbacks.pop(key, None)

        return unsubscribe

    async def begin(self) -> None:
        """Call every callback, and wait for the awaitables they return."""
        self._started = True
        callbacks, self._callbacks = self._callbacks, {}
        awaited = [each for callback in callbacks.values() if (each := _invoke(callback)) is not None]
        if awaited:
            await asyncio.wait(awaited, timeout=DRAIN_SECONDS)


def _invoke(callback: Callback) -> asyncio.Future[object] | None:
    """The future of the callback's awaitable, if any. An exception is logged: the other callbacks must still be
    called."""
    try:
        awaited = callback()
        return None if awaited is None else asyncio.ensure_future(awaited)
    except Exception:
        log.exception("a callback of %s failed", STATE_KEY)
        return None
