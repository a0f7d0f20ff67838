"""The connection of Quart 0.22: whatever ends it, its two tasks are over when it returns.

Quart 0.23 has a task group in its place, and conftest.py leaves this file out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from quart import Quart
from web_deaf import Deaf
from web_play import SECONDS

from mcp_app.aio import cancelling as ending
from mcp_app.web.quart.connection import QuartConnection

SCOPE: dict[str, Any] = {
    "type": "http",
    "http_version": "2",
    "method": "GET",
    "scheme": "https",
    "path": "/",
    "query_string": b"",
    "root_path": "",
    "headers": [],
    "client": None,
    "server": None,
    "extensions": {},
}


def made(answer: Callable[[], Awaitable[None]]) -> QuartConnection:
    """A connection whose request is answered by `answer`."""

    class Odd(QuartConnection):
        async def handle_request(self, *_: Any) -> None:
            await answer()

    return Odd(Quart("odd", static_folder=None), dict(SCOPE))  # type: ignore[arg-type]


async def nothing_comes() -> Any:
    await asyncio.Event().wait()


async def leaves_at_once() -> Any:
    return {"type": "http.disconnect"}


async def send(_: Any) -> None:
    """Nothing is looked at."""


async def test_a_task_that_loses_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "CANCEL_SECONDS", 0.01)
    answer = Deaf(3)
    await asyncio.wait_for(made(answer)(leaves_at_once, send), SECONDS)
    assert answer.cancelled == 4


async def test_a_server_that_cancels_twice_is_obeyed_when_the_tasks_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "CANCEL_SECONDS", 0.01)
    answer = Deaf(3)
    call = asyncio.create_task(made(answer)(nothing_comes, send))
    await asyncio.wait_for(answer.begun.wait(), SECONDS)
    call.cancel()
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait({call}, timeout=SECONDS)
    assert call.cancelled()
    assert answer.cancelled == 4


async def test_a_task_that_will_not_end_is_logged_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ending, "CANCEL_SECONDS", 0.01)
    monkeypatch.setattr(ending, "CANCEL_TRIES", 3)
    answer = Deaf(1000)
    call = asyncio.create_task(made(answer)(leaves_at_once, send))
    await asyncio.wait({call}, timeout=SECONDS)
    assert call.done()
    assert "does not end" in caplog.text
    answer.over.set()


async def test_what_a_task_raises_is_raised() -> None:
    async def fails() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        await asyncio.wait_for(made(fails)(nothing_comes, send), SECONDS)
