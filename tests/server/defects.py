"""Hypercorn with all fixes, without one of them, and a small ASGI application that provokes the defects."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from mcp_app.server import fixes

with_speedups = True
"""Whether `fixed()` is Hypercorn as shipped."""


@contextmanager
def _applied(chosen: Sequence[fixes.Fix]) -> Iterator[None]:
    """Hypercorn with the chosen fixes, for the block; as found afterwards."""
    was_installed = fixes._installed
    fixes.uninstall()
    try:
        for fix in chosen:
            fix.apply()
        yield
    finally:
        gc.collect()  # what a defect left unfinished complains now, not in some later test
        fixes.uninstall()
        if was_installed:
            fixes.install()


def as_released() -> AbstractContextManager[None]:
    """Hypercorn without any, for a test that puts something of its own below them."""
    return _applied(())


def without(*names: str) -> AbstractContextManager[None]:
    """Hypercorn with every fix but those named, and without speed-ups: a defect is upstream's own."""
    assert set(names) <= {fix.name for fix in fixes.FIXES}
    return _applied([fix for fix in fixes.FIXES if fix.name not in names])


def without_speedup(name: str) -> AbstractContextManager[None]:
    """Hypercorn with every fix, and with every speed-up but one."""
    assert name in {speedup.name for speedup in fixes.SPEEDUPS}
    return _applied([*fixes.FIXES, *(speedup for speedup in fixes.SPEEDUPS if speedup.name != name)])


def fixed() -> AbstractContextManager[None]:
    """Hypercorn with every fix, and with the speed-ups unless `with_speedups` was set to False."""
    return _applied([*fixes.FIXES, *(fixes.SPEEDUPS if with_speedups else ())])


async def lifespan(receive: Any, send: Any, on_start: Callable[[], None] = lambda: None) -> None:
    """What an ASGI application has to say when it is started and stopped; `on_start` is its start."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            on_start()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


class Provoking:
    """Each path is one behaviour. `running` counts what is being worked on, `produced` the bytes given to send."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.produced = 0
        self.on_start: Callable[[], None] = lambda: None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send, self.on_start)
            return
        name = scope["path"].strip("/")
        self.running[name] += 1
        work = asyncio.ensure_future(getattr(self, name)(receive, send))
        gone = asyncio.ensure_future(self._gone(receive)) if name not in ("echo", "early") else None
        try:
            await asyncio.wait({work, gone} if gone else {work}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            work.cancel()
            if gone:
                gone.cancel()
            self.running[name] -= 1

    async def _gone(self, receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _open(self, send: Any, status: int = 200) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})

    async def hello(self, receive: Any, send: Any) -> None:
        await self._open(send)
        await send({"type": "http.response.body", "body": b"hello"})

    async def echo(self, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        await self._open(send)
        await send({"type": "http.response.body", "body": body + message.get("body", b"")})

    async def early(self, receive: Any, send: Any) -> None:
        """Refused before anything of the body was looked at."""
        await self._open(send, 401)
        await send({"type": "http.response.body", "body": b"no"})

    async def tick(self, receive: Any, send: Any) -> None:
        await self._open(send)
        while True:
            await send({"type": "http.response.body", "body": b"tick\n", "more_body": True})
            await asyncio.sleep(0.02)

    async def quiet(self, receive: Any, send: Any) -> None:
        await self._open(send)
        await send({"type": "http.response.body", "body": b"open\n", "more_body": True})
        await asyncio.Event().wait()

    async def flood(self, receive: Any, send: Any) -> None:
        """At most 256 MiB, so that a test of the defect ends as well."""
        await self._open(send)
        while self.produced < 256 * 2**20:
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
            self.produced += 65536
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})

    async def die(self, receive: Any, send: Any) -> None:
        await self._open(send)
        await send({"type": "http.response.body", "body": b"the last words", "more_body": True})
        raise RuntimeError("a defect in the application")

    async def stubborn(self, receive: Any, send: Any) -> None:
        """Goes on after it was asked to stop, as long as its client stays."""
        await self._open(send)
        while True:
            await send({"type": "http.response.body", "body": b"more\n", "more_body": True})
            await asyncio.sleep(0.05)


async def eventually(done: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until `done()`, looked at often; an error when it does not come."""
    async with asyncio.timeout(seconds):
        while not done():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def connections() -> int:
    """How many there are, by the tasks of Hypercorn that serve them: the server's callback ends with its connection."""
    return sum("_server_callback" in repr(task.get_coro()) for task in asyncio.all_tasks())
