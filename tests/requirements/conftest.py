"""A fresh server for each test of a requirement."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from modern_client import Stage, stage


@pytest.fixture
async def here() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made
