"""Fixtures of the tests of MCP's revisions with sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from closing import closed_after
from legacy_client import Stage

Make = Callable[..., Stage]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """make(**settings): an endpoint, closed after the test."""
    async with closed_after(Stage) as one:
        yield one


@pytest.fixture
async def stage(make: Make) -> Stage:
    return make()
