"""The bench on our own server, small: what it starts answers, is loaded, and every kind of client reads it right.

With this environment's interpreter instead of one built for the bench: nothing is installed by a test, nothing timed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import environments, growth, servers, starting
from bench.works import QUICK, Cell, Pace
from bench.works.called import ECHO_WORK, TEN_WORK
from bench.works.holding import IDLE_WORK, STALLED_WORK
from bench.works.starts import START_WORK
from bench.works.waiting import FIRST_WORK, FLOOD_WORK

pytestmark = [
    pytest.mark.needs("h2load"),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core: server and load would share it"),
]
TINY: Pace = replace(QUICK, load_seconds=0.02, idle_part=0.01)


@pytest.fixture(scope="module")
def place() -> Iterator[starting.Ground]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environments, "interpreter", lambda name: Path(sys.executable))
        with starting.ground() as place:
            yield place


@pytest.fixture(scope="module")
def running(place: starting.Ground) -> Iterator[starting.Running]:
    [server] = servers.named(["mcp_app-asyncio"])
    every = servers.named(["mcp_app"])[0].doors
    with starting.started(replace(server, doors=every), place) as running:
        yield running


@pytest.mark.parametrize("name", ["h1", "h2"])
def test_fifty_echoes(running: starting.Running, name: str) -> None:
    [door] = [each for each in running.server.doors if each.name == name]
    values = ECHO_WORK.measure(running, door, Cell("25 at once", 25), TINY)
    assert values.keys() == {each.key for each in ECHO_WORK.metrics} - {"logging_us"}
    assert values["cpu_us"] > 0
    assert 0 < values["p50_ms"] <= values["p99_ms"]


def test_the_echo_is_measured_on_the_twin_that_writes_its_log_too(
    running: starting.Running, place: starting.Ground
) -> None:
    twin = replace(running.server, name="twin").logging()
    assert twin is not None
    with starting.started(twin, place) as logging:
        both = replace(running, logging=logging)
        values = ECHO_WORK.measure(both, running.server.doors[0], Cell("2 at once", 2), TINY)
        assert values.keys() == {each.key for each in ECHO_WORK.metrics}
        assert values["logging_us"] > 0
        [log] = place.directory.glob("twin-*/log")
        assert log.read_text().count('"POST ') >= 50


@pytest.mark.parametrize("name", ["h1", "h2", "plain h1", "plain h2"])
def test_streams_and_first_events(running: starting.Running, name: str) -> None:
    [door] = [each for each in running.server.doors if each.name == name]
    for work in (TEN_WORK, FIRST_WORK):
        values = work.measure(running, door, Cell("2 at once", 2), TINY)
        assert values.keys() == {each.key for each in work.metrics}
        assert min(values.values()) > 0


@pytest.mark.parametrize("name", ["h1", "h2"])
def test_what_holds_streams_open(running: starting.Running, name: str) -> None:
    [door] = [each for each in running.server.doors if each.name == name]
    for work in (IDLE_WORK, STALLED_WORK, FLOOD_WORK):
        values = work.measure(running, door, work.cells[0], TINY)
        assert values.keys() == {each.key for each in work.metrics}


def test_a_start_has_its_numbers(running: starting.Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "distributions", lambda name: 3)
    values = START_WORK.measure(running, running.server.doors[0], Cell("fresh"), TINY)
    assert values.keys() == {each.key for each in START_WORK.metrics}
    assert values["first_s"] > 0
    assert values["cpu_s"] > 0
    assert values["rest_mib"] > 10


async def test_growth_has_a_point_for_each_power_of_ten() -> None:
    found = await growth.measure(10)
    assert found.keys() == growth.LOGS.keys()
    for curves in found.values():
        assert list(curves) == list(growth.CURVES)
        for points in curves.values():
            assert [number for number, _ in points] == [1, 10]
            assert all(cost > 0 for _, cost in points)
