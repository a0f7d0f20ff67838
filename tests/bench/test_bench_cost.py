"""Counting instructions: what the counters write, the figures made of it, which tree is served by which door; and one
count of a real server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bench import environments, report
from bench.cost import calls, counters
from bench.cost.__main__ import DOCUMENT, Served, check_out, counted
from bench.cost.callers import Known
from bench.cost.figures import BEGIN, END, Cell, Side, ratio, rendered
from bench.dialects import Answer, Call, WrongAnswer
from bench.starting import PROGRAMS
from mcp_app.server.certificates import ensure

ECHO = Cell("echo", "h2", "lane")
TEN = Cell("ten events", "h2", "lane")

DUMP = """\
# callgrind format
version: 1
creator: callgrind-3.19.0
desc: Trigger: Client Request
events: Ir
summary: 6122636

fn=(806) summary
0 2
"""


def test_a_dump_of_callgrind_has_one_total() -> None:
    assert counters.callgrind_total(DUMP) == 6_122_636
    with pytest.raises(ValueError, match="0 summary lines"):
        counters.callgrind_total("events: Ir\n")
    with pytest.raises(ValueError, match="2 summary lines"):
        counters.callgrind_total(DUMP + DUMP)


def test_what_perf_writes() -> None:
    written = "# started on Mon Nov 30 09:35:13 2026\n\n1234567,,instructions:u,191950901,100.00,0.998,insn per cycle\n"
    assert counters.perf_total(written, "instructions:u") == 1_234_567
    assert counters.perf_total("191.95,msec,task-clock:u,191950901,100.00,,\n", "task-clock:u") == 191


@pytest.mark.parametrize("value", ["<not supported>", "<not counted>"])
def test_what_perf_could_not_count_is_no_number(value: str) -> None:
    with pytest.raises(ValueError, match="has not counted instructions:u"):
        counters.perf_total(f"{value},,instructions:u,0,100.00,,\n", "instructions:u")
    with pytest.raises(ValueError, match="has not counted instructions:u"):
        counters.perf_total("", "instructions:u")


def test_the_machine_without_either_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match="apt-get install valgrind"):
        counters.best()


def test_figures_are_means_with_their_spread() -> None:
    old = Side("fab417c", [{ECHO: 1000.0, TEN: 2000.0}, {ECHO: 1003.0, TEN: 2000.0}])
    new = Side("this tree", [{ECHO: 900.0, TEN: 2004.0}, {ECHO: 902.7, TEN: 2008.0}])
    assert old.of(ECHO) == 1001.5
    assert old.spread(ECHO) == pytest.approx(3 / 1001.5)
    assert old.spread(TEN) == 0
    assert ratio(old, new, ECHO) == pytest.approx(0.9)
    assert rendered(old, new, "Counted.") == (
        "Counted. Each is the mean of 2 processes, which differ by 0.30% at most.\n\n"
        "| work | protocol | door | old: fab417c | new: this tree | new ÷ old |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| echo | h2 | lane | 1,002 | 901 | 0.900 |\n"
        "| ten events | h2 | lane | 2,000 | 2,006 | 1.003 |"
    )


def test_one_process_says_nothing_of_a_spread() -> None:
    side = Side("x", [{ECHO: 1000.0}])
    assert rendered(side, side, "Counted.").startswith("Counted.\n\n| work")


def test_the_document_has_the_markers_and_a_table_of_every_cell() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    written = text[text.index(BEGIN) : text.index(END)]
    for work in calls.WORKS:
        for protocol in calls.PROTOCOLS:
            for door in calls.DOORS:
                assert f"| {work.name} | {protocol} | {door} |" in written
    assert report.inserted(text, written.removeprefix(BEGIN), BEGIN, END) == text


def test_every_tree_is_counted_by_every_door_with_the_same_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[calls.Process] = []

    def instructions(process: calls.Process, *_: object) -> dict[Cell, float]:
        asked.append(process)
        return {Cell("echo", "h2", process.door): process.hash_seed * (2.0 if process.tree.name == "new" else 1.0)}

    monkeypatch.setattr("bench.cost.__main__.instructions", instructions)
    sides = {"fab417c": Served(tmp_path / "old"), "this tree": Served(tmp_path / "new")}
    old, new = counted(sides, 3, tmp_path, counters.Callgrind())
    assert len(asked) == len(set(asked)) == 12
    assert [each.name for each in (old, new)] == ["fab417c", "this tree"]
    assert list(old.processes[0]) == [Cell("echo", "h2", "lane"), Cell("echo", "h2", "quart")]
    assert [each[ECHO] for each in old.processes] == [1, 2, 3]
    assert [each[ECHO] for each in new.processes] == [2, 4, 6]


def test_a_commit_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="git does not know the commit no-such-commit"):
        check_out("no-such-commit", tmp_path)


def test_a_commit_is_checked_out(tmp_path: Path) -> None:
    command = ["git", "-C", str(environments.ROOT), "rev-parse", "HEAD"]
    head = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50).stdout
    assert head.startswith(check_out("HEAD", tmp_path))
    assert (tmp_path / "mcp_app" / "__init__.py").is_file()


# --- which tree, by which door ---------------------------------------------------------------------------------------

MAIN = """\
import os, sys
from mcp_app import create_app
print(create_app(), os.environ.get("MCP_APP_FAST_LANE"), *sys.argv)
"""


@pytest.mark.parametrize(
    ("signature", "door", "printed"),
    [
        ("tools=None", "lane", "None true mcp-app serve tools.py"),
        ("tools=None", "quart", "None false mcp-app serve tools.py"),
        ("tools=None, *, lane=True", "lane", "True None mcp-app serve tools.py"),
        ("tools=None, *, lane=True", "quart", "False None mcp-app serve tools.py"),
    ],
)
def test_a_tree_is_served_by_the_door_that_was_asked_for(
    tmp_path: Path, signature: str, door: str, printed: str
) -> None:
    package = tmp_path / "mcp_app"
    package.mkdir()
    answer = "lane" if "lane" in signature else "None"
    (package / "__init__.py").write_text(f"def create_app({signature}):\n    return {answer}\n")
    (package / "__main__.py").write_text(MAIN)
    assert _by_door(tmp_path, tmp_path, door).stdout.strip() == printed


def test_a_tree_is_not_mistaken_for_another(tmp_path: Path) -> None:
    done = _by_door(environments.ROOT, tmp_path, "lane")
    assert done.returncode == 1
    assert f"not that of {tmp_path}" in done.stderr


def _by_door(path: Path, tree: Path, door: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROGRAMS / "ours_by_door.py", tree, door, "serve", "tools.py"],
        env={"PYTHONPATH": str(path)},
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


# --- a real server ---------------------------------------------------------------------------------------------------


class Uncounted:
    """A counter that counts nothing: the calls are made, on a server at its own speed."""

    name = "none"
    calls = 2

    def command(self, directory: Path, command: Sequence[str]) -> list[str]:
        return list(command)

    def prepare(self, pid: int, directory: Path) -> None:
        self.pid = pid

    def count(self, pid: int, directory: Path, work: Callable[[], None]) -> int:
        assert pid == self.pid
        work()
        return 10


@pytest.mark.parametrize("door", calls.DOORS)
def test_every_kind_of_call_is_answered_by_both_doors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    monkeypatch.setattr(calls, "WARM_CALLS", 1)
    found = calls.instructions(
        calls.Process(environments.ROOT, door, 1), _certificates(tmp_path), tmp_path, Uncounted()
    )
    assert found == {Cell(work.name, protocol, door): 5.0 for protocol in calls.PROTOCOLS for work in calls.WORKS}


@pytest.mark.needs("valgrind")
def test_a_call_costs_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "WARM_CALLS", 1)
    monkeypatch.setattr(calls, "WORKS", calls.WORKS[:1])
    counter = counters.best()
    monkeypatch.setattr(counter, "calls", 4)
    found = calls.instructions(calls.Process(environments.ROOT, "lane", 1), _certificates(tmp_path), tmp_path, counter)
    assert list(found) == [Cell("echo", protocol, "lane") for protocol in calls.PROTOCOLS]
    assert all(100_000 < each < 100_000_000 for each in found.values()), found


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"did not start.*mcp_app is that of"):
        calls.instructions(calls.Process(tmp_path, "lane", 1), _certificates(tmp_path), tmp_path, Uncounted())


def test_an_answer_of_another_kind_is_not_counted() -> None:
    class Streaming:
        """An echo whose right answer comes as a stream."""

        def post(self, call: Call) -> int:
            return 1

        def answer(self, number: int) -> Answer:
            result = b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"hello"}]}}'
            return Answer(200, "text/event-stream", b"data: " + result + b"\n\n")

    with pytest.raises(WrongAnswer, match="echo: text/event-stream instead of application/json"):
        calls._call(Streaming(), calls.WORKS[0], 1, Known())


def _certificates(directory: Path) -> tuple[Path, Path]:
    made = ensure(directory / "certs")[0]
    return made.certificate, made.key
