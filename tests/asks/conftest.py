"""Fixtures of the tests of asking back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from asks_stage import Server

Make = Callable[..., Server]


@pytest.fixture
async def serve(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """serve(tool, …): a server with these, closed after the test."""
    monkeypatch.delenv("MCP_APP_SECRET", raising=False)
    made: list[Server] = []

    def one(*tools: object, **more: object) -> Server:
        made.append(Server(*tools, **more))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for each in made:
        await each.close()
