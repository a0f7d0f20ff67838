"""The bench's tables fit each other: servers, environments, programs, works, targets, and the document."""

from __future__ import annotations

import re

import pytest

from bench import environments, report, servers, targets
from bench.starting import PROGRAMS
from bench.works import Cell
from bench.works.table import GROWTH, WORKS, named

DOCUMENT = environments.ROOT / "docs" / "performance.md"
DOORS = {(server.name, door.name): door for server in servers.SERVERS for door in server.doors}


def test_every_server_has_an_environment_a_program_and_works_that_exist() -> None:
    assert len({each.name for each in servers.SERVERS}) == len(servers.SERVERS)
    known = {each.name for each in WORKS}
    for server in servers.SERVERS:
        assert server.environment in environments.names(), server.name
        module = re.search(r"(\w+):\w+$", server.command)
        file = server.program or (f"{module[1]}.py" if module else "ours_tools.py")
        assert (PROGRAMS / file).is_file(), server.name
        assert server.doors
        for door in server.doors:
            assert door.works <= known, server.name


def test_every_server_is_silent_and_has_a_twin_that_logs_but_those_of_node() -> None:
    for server in servers.SERVERS:
        twin = server.logging()
        assert (twin is None) == environments.is_npm(server.environment), server.name
        if twin is not None:
            assert twin != server
            assert "--no-access-log" in server.command or server.hypercorn["loglevel"] == '"WARNING"', server.name
            assert "--no-access-log" not in twin.command
            assert twin.hypercorn.get("accesslog", '"-"') == '"-"'


def test_every_environment_is_pinned_and_used() -> None:
    used = {each.environment for each in servers.SERVERS} | {"node", "plots"}
    assert used == set(environments.names())
    for name in environments.names():
        for each in environments.wanted(name):
            assert re.fullmatch(r"\.|[@\w/.-]+(==|@)[\d.]+", each), each


def test_every_work_is_done_by_somebody_and_its_ratio_is_of_a_number_it_has() -> None:
    for work in WORKS:
        assert work.metrics
        assert len({each.key for each in work.metrics}) == len(work.metrics)
        assert work.name == "start" or any(work.name in door.works for door in DOORS.values()), work.name
    assert named(["echo", "idle"]) == ["echo", "idle", "idle, 4,000"]
    assert named([])[-1] == GROWTH
    with pytest.raises(ValueError, match="no work ehco"):
        named(["ehco"])
    with pytest.raises(ValueError, match="no server mcp_aap"):
        servers.named(["mcp_aap"])


@pytest.mark.parametrize("target", targets.TARGETS, ids=lambda each: each.what)
def test_every_target_is_about_something_that_is_measured(target: targets.Target) -> None:
    [work] = [each for each in WORKS if each.name == target.work]
    cell: Cell = next(each for each in work.cells if each.name == target.cell)
    assert target.metric in {each.key for each in work.metrics}
    for subject in (target.ours, target.peer):
        if subject is not None:
            door = DOORS[subject.server, subject.door]
            assert work.name == "start" or work.name in door.works
            assert work.doors(door, cell)


def test_the_document_has_the_servers_the_markers_and_the_plots() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert report.who() in text
    assert text.index(report.BEGIN) < text.index(report.END)
    for plot in re.findall(r"\(performance/([\w-]+)\.svg\)", text):
        assert plot in report.PLOTS
        assert (DOCUMENT.parent / "performance" / f"{plot}.svg").is_file()
