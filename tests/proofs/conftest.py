"""Keys for the callers of a proof."""

from __future__ import annotations

from pathlib import Path

import pytest

from .unharmed import made_keys


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    return made_keys(tmp_path)
