"""Fixtures of the tests of the HTTP side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
from closing import closed_after
from live_server import LiveServer, serving
from web_direct import Direct, Make
from web_play import Play

from mcp_app import create_app
from mcp_app.config.settings import Settings
from mcp_app.web.quart.connection import QUART

collect_ignore = [] if QUART < (0, 23) else ["test_connection.py"]


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
    async with closed_after(partial(Direct, play)) as one:
        yield one


@pytest.fixture
async def direct(make: Make) -> Direct:
    """An endpoint with the defaults."""
    return make()


@pytest.fixture
async def server(play: Play, lane: bool) -> AsyncIterator[LiveServer]:
    """A real server with the play's tools, where a run that is left alone is cancelled at once."""
    async with serving(create_app(Settings(linger_seconds=0), play.tools(), lane=lane)) as live:
        yield live
