"""Fixtures of the tests of processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from worker_stage import SECONDS, Stage

from mcp_app.runs.processes import Processes


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A pool of two, closed after the test: then nothing of it lives."""
    pool = Processes(2, most=500_000, cap_seconds=30)
    yield Stage(pool)
    await asyncio.wait_for(pool.close(), SECONDS)
    assert (pool.working, pool.idle, pool.started) == (0, 0, 0)
