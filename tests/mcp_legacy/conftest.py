"""Fixtures of the tests of MCP's revisions with sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from legacy_client import Stage

Make = Callable[..., Stage]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """make(**settings): an endpoint, closed after the test."""
    made: list[Stage] = []

    def one(**settings: Any) -> Stage:
        made.append(Stage(**settings))
        return made[-1]

    yield one
    for each in made:
        await each.close()


@pytest.fixture
async def stage(make: Make) -> Stage:
    return make()
