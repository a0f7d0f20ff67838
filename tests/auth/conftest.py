"""Fixtures of the tests of who calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from closing import closed_after
from key_stage import KeyStage

Stages = Callable[..., KeyStage]


@pytest.fixture
async def stages(tmp_path: Path) -> AsyncIterator[Stages]:
    """stages(**settings): endpoints that ask for keys, closed after the test."""
    async with closed_after(partial(KeyStage, tmp_path)) as one:
        yield one


@pytest.fixture
async def stage(stages: Stages) -> KeyStage:
    """One with the defaults."""
    return stages()
