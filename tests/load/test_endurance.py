"""What the server must survive, on a real one in a process of its own: the scenarios of bench/endurance.py, asserted.

Memory is compared with the bound of the requirement, 8 MiB, on a gigabyte offered; nothing here is timed.
"""

from __future__ import annotations

import pytest

from bench import endurance

pytestmark = pytest.mark.time_bound(120)  # a server process per test, on two cores that other tests use as well

ALLOWED_MIB = 8


@pytest.mark.parametrize("kind", endurance.KINDS)
def test_a_reader_that_stops_reading_costs_no_memory_and_neither_does_its_leaving(kind: str) -> None:
    seen = endurance.stalled_reader(kind, seconds=2.0)
    assert seen["growth while stalled, MiB"] < ALLOWED_MIB
    assert seen["growth after it left, MiB"] < ALLOWED_MIB
    assert seen["tool stopped"], "the tool's finally has not run"


def test_a_gigabyte_as_json_is_truncated_and_costs_no_memory() -> None:
    seen = endurance.flood_as_json()
    assert seen["growth, MiB"] < ALLOWED_MIB
    assert seen["truncated"]
    assert seen["items"] == endurance.GIGABYTE["items"]


def test_rapid_resets_leave_no_task_and_no_memory() -> None:
    seen = endurance.rapid_resets(3000)
    assert seen["tasks left behind"] == 0
    assert seen["growth, MiB"] < ALLOWED_MIB


def test_trouble_on_a_connection_leaves_its_other_streams_alive() -> None:
    seen = endurance.neighbours(1001)
    assert seen == dict.fromkeys(seen, True)


@pytest.mark.parametrize("worker_class", ["asyncio", "uvloop"])
def test_idle_streams_get_heartbeats_and_their_end(worker_class: str) -> None:
    if worker_class == "uvloop":
        pytest.importorskip("uvloop")
    seen = endurance.idle_streams(200, 4.0, WORKER_CLASS=worker_class)
    assert seen["ended with their result"] == seen["had heartbeats"] == seen["streams"] == 200
