"""A server may say that it is not ready for a while before its shutdown begins, and answers meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from live_server import loopback_config, serving
from web_clients import connected
from web_direct import EVENTS
from web_play import SECONDS

from mcp_app import create_app, tool
from mcp_app.config.settings import Settings
from mcp_app.mounting import asgi_app
from mcp_app.server.forced_exit import shutdown_seconds

HOURS = 7200.0


@tool
async def echo(text: str) -> str:
    """Return the text."""
    return text


@pytest.fixture
def over(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The delay is over when this is set."""
    released, sleep = asyncio.Event(), asyncio.sleep

    async def sleeping(seconds: float, result: Any = None) -> Any:
        return await (released.wait() if seconds == HOURS else sleep(seconds, result))

    monkeypatch.setattr(asyncio, "sleep", sleeping)
    return released


APPS: dict[str, Callable[[], Any]] = {
    "lane": lambda: create_app(Settings(), [echo]),
    "quart": lambda: create_app(Settings(), [echo], lane=False),
    "mounted": lambda: asgi_app(echo, settings=Settings()),
}


@pytest.mark.parametrize("app", APPS)
async def test_readyz_says_it_is_stopping_while_calls_are_answered(app: str, over: asyncio.Event) -> None:
    async with serving(APPS[app](), shutdown_delay=HOURS) as server, connected(server, "http/1.1") as before:
        assert (await before.ask("GET", "/readyz")).status == 200
        server.stop.set()
        async with asyncio.timeout(SECONDS):
            while (ready := await before.ask("GET", "/readyz")).status == 200:
                pass
        assert (ready.status, json.loads(ready.body)) == (503, {"status": "draining"})
        async with connected(server, "http/1.1") as after:  # a new connection is served, too
            assert (await after.ask("GET", "/healthz")).status == 200
            body = b'{"tool": "echo", "params": {"text": "still here"}}'
            answer = await after.ask("POST", EVENTS, body, content_type="application/json", accept="application/json")
            assert (answer.status, json.loads(answer.body)["data"]) == (200, "still here")
        assert server.task is not None
        assert not server.task.done()
        over.set()
        await asyncio.wait({server.task}, timeout=SECONDS)
        assert server.task.done()


def test_the_last_resort_waits_for_the_delay_as_well() -> None:
    assert shutdown_seconds(loopback_config(shutdown_delay=30)) == shutdown_seconds(loopback_config()) + 30
