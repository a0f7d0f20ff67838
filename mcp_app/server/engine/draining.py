"""The beginning of a server's stop, made visible to its application while streams are open.

Released, Hypercorn tells an application nothing before its streams are cut: `lifespan.shutdown` comes after the
graceful time. Here whoever has subscribed is called the moment the server begins to stop, and may say what to wait for:
until then the server goes on to accept and to answer, so that each stream can write its last event and end, and a load
balancer that asks is told that this process is not ready.

An application finds `Draining.subscribe` as STATE_KEY in ASGI's lifespan state: `scope["state"]` of its lifespan and of
each request. Nothing is known of connections here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

Callback = Callable[[], Awaitable[object] | None]
Unsubscribe = Callable[[], None]

STATE_KEY = "mcp_app.draining"

READY_SECONDS = 4.0
"""For what the callbacks wait for, all together: a tool's last commit. A tool that needs longer is cut."""

log = logging.getLogger("mcp_app.server")


class Draining:
    """Whether one server is asked to stop, and who wants to know."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callback] = {}
        self._begun = False

    def subscribe(self, callback: Callback) -> Unsubscribe:
        """Call `callback` once, on the loop, when the stop begins; if it has begun, on the loop's next turn.

        What it returns, if anything, is awaited for READY_SECONDS at most before the server stops to accept and to
        answer. Returns what takes the subscription back.
        """
        if self._begun:
            handle = asyncio.get_running_loop().call_soon(lambda: _called(callback))
            return handle.cancel
        key = object()
        self._callbacks[key] = callback

        def unsubscribe() -> None:
            self._callbacks.pop(key, None)

        return unsubscribe

    async def begin(self) -> None:
        """Call everybody, and wait for what they wait for."""
        self._begun = True
        callbacks, self._callbacks = self._callbacks, {}
        awaited = [each for callback in callbacks.values() if (each := _called(callback)) is not None]
        if awaited:
            await asyncio.wait(awaited, timeout=READY_SECONDS)


def _called(callback: Callback) -> asyncio.Future[object] | None:
    """What the callback waits for. One that raises is logged: the others must still hear of the stop."""
    try:
        awaited = callback()
        return None if awaited is None else asyncio.ensure_future(awaited)
    except Exception:
        log.exception("a callback of %s failed", STATE_KEY)
        return None
