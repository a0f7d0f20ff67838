"""Keys for the callers of a proof, and which proofs are none of the suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .examples import VARIABLE
from .unharmed import made_keys

# Chaos waits for leases and take-overs: minutes, which CI has for a tenth. In the suite stands what it is made of:
# tests/nodes and tests/eventlog kill processes, too.
collect_ignore = [] if VARIABLE in os.environ else ["test_chaos.py", "test_chaos_on_redis.py"]


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    return made_keys(tmp_path)
