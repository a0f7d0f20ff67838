"""Fixtures of the tests of asking back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from asks_stage import Server
from closing import closed_after

Make = Callable[..., Server]


@pytest.fixture
async def serve(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """serve(tool, …): a server with these, closed after the test."""
    monkeypatch.delenv("MCP_APP_SECRET", raising=False)
    async with closed_after(Server) as one:
        yield one
