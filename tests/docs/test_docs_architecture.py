"""docs/architecture.md and docs/hypercorn-defects.md are drawn from the code's own tables."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import re
from types import ModuleType

import pytest
from doc_page import ROOT, codes, rows, section

from bench import endurance
from mcp_app.protocol import policy
from mcp_app.protocol.stream import TRANSITIONS, Input
from mcp_app.runs.writer import SLICE_SECONDS, YIELD_TURNS
from mcp_app.server import engine

ARCHITECTURE = ROOT / "docs" / "architecture.md"
DEFECTS = ROOT / "docs" / "hypercorn-defects.md"


def import_policy() -> ModuleType:
    path = ROOT / "tests" / "architecture" / "import_policy.py"
    spec = importlib.util.spec_from_file_location("import_policy_as_documented", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_life_of_a_stream() -> None:
    documented = {
        row[0].strip("`"): {
            what.name: cell.strip("`") for what, cell in zip(Input, [*row[1:], ""], strict=False) if cell.strip("`")
        }
        for row in rows(section(ARCHITECTURE, "The life of a stream"))
    }
    assert documented == {
        state.name: {what.name: to.name for what, to in moves.items()} for state, moves in TRANSITIONS.items()
    }


def test_the_inputs_are_named_in_their_order() -> None:
    head = next(
        line for line in section(ARCHITECTURE, "The life of a stream").splitlines() if line.startswith("| state")
    )
    assert [cell.strip() for cell in head.strip("|").split("|")][1:] == [what.name for what in Input]


def test_policy_rows() -> None:
    documented = rows(section(ARCHITECTURE, "Policy is data"))
    assert documented == [
        [row.name, row.on_leave.value, row.on_cap.value, "yes" if row.resumable else "no"] for row in policy.ROWS
    ]


def test_who_may_import_whom() -> None:
    documented = {codes(row[0])[0]: set(codes(row[1])) for row in rows(section(ARCHITECTURE, "Who may import whom"))}
    assert documented == {part: set(may.split()) for part, may in import_policy().MAY_IMPORT.items()}


@pytest.mark.parametrize("title", ["The house", "The journey of one call"])
def test_the_files_that_are_named_exist(title: str) -> None:
    for row in rows(section(ARCHITECTURE, title)):
        for name in codes(row[1]):
            if "/" in name or name.endswith(".py"):
                assert (ROOT / "mcp_app" / name).exists(), name


def test_every_room_is_in_the_picture() -> None:
    picture = (ROOT / "docs" / "architecture.md").read_text().partition("## The house")[2].split("```")[1]
    for folder in (ROOT / "mcp_app").iterdir():
        if (folder / "__init__.py").exists():
            assert f"{folder.name}/" in picture, folder.name


def test_numbers_of_the_decisions() -> None:
    text = section(ARCHITECTURE, "Decisions, and what was measured")
    assert re.findall(r"has the loop for (\S+) ms, then stays away for (\d+) turns", text) == [
        (f"{SLICE_SECONDS * 1000:g}", str(YIELD_TURNS))
    ]


def test_the_window() -> None:
    text = section(ARCHITECTURE, "The window: who waits for whom")
    assert f"{policy.WINDOW_ENTRIES} entries or {policy.WINDOW_BYTES // 2**20} MiB" in text
    assert f"{policy.PLAIN_DETACHED.keep.entries:,} events and {policy.PLAIN_DETACHED.keep.bytes // 2**20} MiB" in text


THREAD = re.compile(r"https://github\.com/[\w-]+/[\w-]+/(?:issues|pull)/\d+")


def engine_source(path: str) -> str:
    """The module of `module.Class.method` in the engine, where that is found."""
    name, *attributes = path.split(".")
    module = importlib.import_module(f"{engine.__name__}.{name}")
    functools.reduce(getattr, attributes, module)
    return inspect.getsource(module)


def defects() -> list[list[str]]:
    """The rows of the first table."""
    table = re.search(r"^\| rule .*?\n(?!\|)", DEFECTS.read_text(), re.MULTILINE | re.DOTALL)
    assert table is not None
    found = rows(table[0])
    assert all(len(row) == 5 for row in found), [row for row in found if len(row) != 5]
    return found


@pytest.mark.parametrize("row", defects(), ids=lambda row: row[0])
def test_each_rule_is_where_it_is_said_to_be_with_its_threads_and_its_test(row: list[str]) -> None:
    named = codes(row[3])
    tests = [each for each in named if each.startswith("test_")]
    sources = "".join(engine_source(each) for each in named if each not in tests)
    assert all(thread in sources for thread in THREAD.findall(row[4]))
    found = {each: [path.read_text() for path in (ROOT / "tests").glob(f"*/{each}.py")] for each in tests}
    assert tests
    assert all(len(texts) == 1 for texts in found.values()), found.keys()
    released = any("as_released" in text for [text] in found.values())
    assert released or row[0] == "worker processes"


def test_every_thread_of_the_engine_is_documented() -> None:
    folder = ROOT / "mcp_app" / "server" / "engine"
    said = {thread for path in folder.glob("*.py") for thread in THREAD.findall(path.read_text())}
    assert said == {thread for row in defects() for thread in THREAD.findall(row[4])}


@pytest.mark.parametrize("row", rows(section(DEFECTS, "Speed-ups")), ids=lambda row: row[0])
def test_each_speedup_says_its_gain_where_it_is(row: list[str]) -> None:
    source = engine_source(codes(row[0])[0])
    assert set(re.findall(r"[\d.]+\d", row[2])) <= set(re.findall(r"[\d.]+\d", source))


def test_what_is_measured_is_documented() -> None:
    source = inspect.getsource(endurance.main)
    labels = re.findall(r'\(f?"([^"|]+)",', source[source.index("table:") :])
    scenarios = [
        label.replace("{kind}", kind) for label in labels for kind in (endurance.KINDS if "{kind}" in label else [""])
    ]
    first, *_ = (ROOT / "docs" / "endurance.md").read_text(encoding="utf-8").split("\n## ")
    documented = [row[0] for row in rows(first)]
    assert documented == scenarios
    assert len(documented) >= 9
