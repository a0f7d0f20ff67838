"""A small ASGI application that provokes the defects of Hypercorn as released. Which are gone, each test says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from mcp_app.server.engine.draining import STATE_KEY

OnDraining = Callable[[Callable[[], object]], Callable[[], None]]


async def lifespan(receive: Any, send: Any, on_start: Callable[[], None] = lambda: None) -> None:
    """What an ASGI application has to say when it is started and stopped; `on_start` is its start."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            on_start()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


def nobody_tells(callback: Callable[[], object]) -> Callable[[], None]:
    """What an application has to make do with where its server does not say that it begins to stop."""
    return lambda: None


class Provoking:
    """Each path is one behaviour. `running` counts what is being worked on, `produced` the bytes given to send."""

    def __init__(self) -> None:
        self.running: Counter[str] = Counter()
        self.produced = 0
        self.on_start: Callable[[], None] = lambda: None
        self.on_draining: OnDraining = nobody_tells

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self.on_draining = scope["state"].get(STATE_KEY, nobody_tells)
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
    """How many there are, by the tasks that serve them: a server's callback ends with its connection."""
    names = ("_serve_connection", "_server_callback")
    return sum(any(name in repr(task.get_coro()) for name in names) for task in asyncio.all_tasks())
