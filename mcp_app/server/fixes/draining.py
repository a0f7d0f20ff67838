"""Shutdown made visible to the application while its streams are open: `on_draining`.

Upstream, nothing tells an application that the server is asked to stop: its streams are cut without a last event after
the graceful time, and `lifespan.shutdown` comes only then. Here whoever has registered is called the moment the server
begins to stop, and may say what to wait for: until then the server goes on to accept and to answer, so that each stream
can write its last event and end, and a load balancer that asks is told that this process is not ready.

Servers in one process are told apart: a callback registered in a server's lifespan or in one of its requests hears of
that server. Registered outside of any server it hears of every server of the running loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from hypercorn.asyncio.lifespan import Lifespan
from hypercorn.asyncio.worker_context import EventWrapper, WorkerContext

from mcp_app.server.fixes.replacing import Fix, Replacement

Callback = Callable[[], Awaitable[object] | None]
Unsubscribe = Callable[[], None]

READY_SECONDS = 4.0
"""For what the callbacks wait for, all together: a tool's last commit. A tool that needs longer is cut."""

log = logging.getLogger("mcp_app.server")


class Draining:
    """Whether one server is asked to stop, and who wants to know."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callback] = {}
        self._begun = False

    def subscribe(self, callback: Callback) -> Unsubscribe:
        """Have `callback` called once at the beginning of the stop; if that is over, on the loop's next turn.

        Returns what takes the subscription back.
        """
        if self._begun:
            handle = asyncio.get_running_loop().call_soon(lambda: _called(callback))
            return handle.cancel
        key = object()
        self._callbacks[key] = callback

        def unsubscribe() -> None:
            self._callbacks.pop(key, None)

        return unsubscribe

    def begin(self) -> list[asyncio.Future[object]]:
        """Call everybody; returns what they wait for."""
        self._begun = True
        callbacks, self._callbacks = self._callbacks, {}
        return [awaited for callback in callbacks.values() if (awaited := _called(callback)) is not None]


def _called(callback: Callback) -> asyncio.Future[object] | None:
    """What the callback waits for. One that raises is logged: the others must still hear of the stop."""
    try:
        awaited = callback()
        return None if awaited is None else asyncio.ensure_future(awaited)
    except Exception:
        log.exception("a callback of on_draining failed")
        return None


_current: ContextVar[Draining | None] = ContextVar("draining", default=None)
"""The server this code runs in: set where the server starts, inherited by its lifespan and its connections."""

_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Draining] = WeakKeyDictionary()
"""For callbacks registered outside of any server."""

_of_context: WeakKeyDictionary[WorkerContext, Draining] = WeakKeyDictionary()


def on_draining(callback: Callback) -> Unsubscribe:
    """Have `callback` called once, on the running loop, when the server this runs in begins to stop.

    What it returns, if anything, is awaited for READY_SECONDS at most before the server stops to accept and to answer.

    Returns a function that takes the registration back. Must be called with a running loop.
    """
    current = _current.get()
    if current is None:
        current = _of_loop.setdefault(asyncio.get_running_loop(), Draining())
    return current.subscribe(callback)


def of(context: WorkerContext) -> Draining:
    """The stop of the server that `context` belongs to."""
    return _of_context.setdefault(context, Draining())


class _Terminated(EventWrapper):
    """Hypercorn's sign that a worker stops, which also tells those who asked."""

    def __init__(self, draining: Draining) -> None:
        super().__init__()
        self._draining = draining

    async def set(self) -> None:
        awaited = self._draining.begin()
        elsewhere = _of_loop.pop(asyncio.get_running_loop(), None)
        if elsewhere is not None:
            awaited += elsewhere.begin()
        if awaited:
            await asyncio.wait(awaited, timeout=READY_SECONDS)
        await super().set()


def begin_server(old: Callable[..., None]) -> Callable[..., None]:
    """A lifespan is made once per server, in the server's task, before anything of the application runs."""

    def __init__(self: Lifespan, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it replaces one
        old(self, *args, **kwargs)
        _current.set(Draining())

    return __init__


def watch_termination(old: Callable[..., None]) -> Callable[..., None]:
    """The worker context is made in the same task, after the application has started."""

    def __init__(self: WorkerContext, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - it replaces one
        old(self, *args, **kwargs)
        draining = _current.get() or Draining()
        _of_context[self] = draining
        self.terminated = _Terminated(draining)

    return __init__


FIX = Fix(
    name="draining",
    defect="open streams are cut at shutdown, without a last event",
    replacements=(
        Replacement(
            Lifespan, "__init__", "c7e63c3d5bd5dde8dfa0ce8cf1aae1649a6649c4c599b9a09985fbe1e9adad9f", begin_server
        ),
        Replacement(
            WorkerContext,
            "__init__",
            "052341c5f32e01338dab4a517f9c20f30ca56750742d7c07f7de736b81f7100b",
            watch_termination,
        ),
    ),
)
