"""Fixtures of the tests of the HTTP side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from live_server import LiveServer, serving
from web_direct import Direct, Make
from web_play import Play

from mcp_app import create_app
from mcp_app.config.settings import Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are those of the test, not those of the shell it runs in."""
    for name in ("PUBLIC_URL", "ALLOWED_ORIGINS", "HEARTBEAT_SECONDS", "CAP_SECONDS", "LINGER_SECONDS"):
        monkeypatch.delenv(f"MCP_APP_{name}", raising=False)


@pytest.fixture
def play() -> Play:
    return Play()


@pytest.fixture
async def make(play: Play) -> AsyncIterator[Make]:
    """make(**settings): an endpoint with those settings, closed after the test."""
    made: list[Direct] = []

    def one(**settings: Any) -> Direct:
        made.append(Direct(play, **settings))
        return made[-1]

    yield one
    for each in made:
        await each.close()


@pytest.fixture
async def direct(make: Make) -> Direct:
    """An endpoint with the defaults."""
    return make()


@pytest.fixture
async def server(play: Play) -> AsyncIterator[LiveServer]:
    """A real server with the play's tools, where a run that is left alone is cancelled at once."""
    async with serving(create_app(Settings(linger_seconds=0), play.tools())) as live:
        yield live


@pytest.fixture(params=[True, False], ids=["lane", "quart"])
def fast_lane(request: pytest.FixtureRequest) -> bool:
    """The setting: a test with it runs by the fast lane and by Quart, and must see the same."""
    return bool(request.param)
