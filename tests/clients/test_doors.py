"""Work that outlasts every stream reaches its result by each door, across connections that are cut: each part once.

Small by default, and without the doors that need a client library; `make clients` has all of them, and
`MCP_APP_CLIENTS=full make clients` takes the real five minutes under the real cap of two.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import build
import pytest
from doors import DOORS, FULL, HERE, SMALL, Door, outcomes
from doors_served import STEPS
from live_server import certificates, process
from programs import missing

WITH_LIBRARIES = bool(os.environ.get("MCP_APP_CLIENTS"))
SCALE = FULL if os.environ.get("MCP_APP_CLIENTS") == "full" else SMALL
ROWS = tuple(door for door in DOORS if WITH_LIBRARIES or door.environment is None)

pytestmark = pytest.mark.time_bound(SCALE.patience + 60)


def lacking(door: Door) -> list[str]:
    """What is not there of what the door needs."""
    needs = missing((door.program,)) if door.program else []
    if door.environment is not None and not build.is_built(door.environment):
        needs.append(f"the clients' environment {door.environment} (make clients)")
    return needs


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All doors at once, into one server process. Written down where MCP_APP_DOORS_REPORT says."""
    home = tmp_path_factory.mktemp("doors")
    shutil.copytree(certificates().authority.parent, home / "certs", dirs_exist_ok=True)
    if WITH_LIBRARIES and build.is_built("npm"):
        shutil.copytree(HERE / "drivers", build.BUILT / "npm" / "drivers", dirs_exist_ok=True)
    env = {"MCP_APP_CAP_SECONDS": str(SCALE.cap), "MCP_APP_HEARTBEAT_SECONDS": str(SCALE.heartbeat)}
    with process(str(HERE / "doors_served.py"), cwd=home, env=env) as server:
        found = asyncio.run(outcomes(server, tuple(door for door in ROWS if not lacking(door)), SCALE))
        if report := os.environ.get("MCP_APP_DOORS_REPORT"):
            Path(report).write_text(json.dumps(found, indent=1, default=repr), encoding="utf-8")
        yield found


@pytest.mark.parametrize("door", ROWS, ids=lambda door: door.name)
def test_the_result_is_reached(door: Door, seen: dict[str, Any]) -> None:
    if needs := lacking(door):
        pytest.skip(f"needs {', '.join(needs)}")
    outcome = seen[door.name]
    if isinstance(outcome, BaseException):
        raise outcome
    every = list(range(1, STEPS + 1))
    assert outcome["result"] == {"seconds": SCALE.work, "begun": 1}
    if outcome["task"]:  # says nothing more on its way: all that it sent stands in its result
        assert outcome["kept"] == every
    else:
        assert outcome["seen"] == every
    if "numbers" in outcome:
        assert outcome["numbers"] == list(range(1, STEPS + 3))  # with the first event and the last
        assert outcome["streams"] > 1
    else:
        assert outcome["connections"] > 1
    if door.scheme == "https" and door.program:
        assert outcome["protocol"] in {"h2", "HTTP/2"}
