"""Analyses in this process: what a file of some bytes comes to, without a server, a run or a process for the tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mcp_app.builtin.analyze_dataset.analysis import Outcome, Wanted, analyse
from mcp_app.builtin.analyze_dataset.data_file import open_below
from mcp_app.builtin.analyze_dataset.shapes import About, DataFinding


class Heard:
    """A listener that keeps what it hears. `on_found` is called with each finding, before the next is looked for."""

    def __init__(self, on_found: Callable[[DataFinding], None] = lambda finding: None) -> None:
        self.findings: list[DataFinding] = []
        self.looked: list[float] = []
        self.percents: list[float] = []
        self._on_found = on_found

    async def found(self, finding: DataFinding, looked: float) -> None:
        self.findings.append(finding)
        self.looked.append(looked)
        self._on_found(finding)

    async def reading(self, percent: float) -> None:
        self.percents.append(percent)


async def analysed(
    root: Path,
    name: str,
    data: bytes | str | None = None,
    *,
    columns: Sequence[str] | None = None,
    findings: Sequence[About] | None = None,
    max_rows: int = 1_000_000,
    seconds: Callable[[], float] = lambda: 60.0,
    heard: Heard | None = None,
) -> Outcome:
    """The outcome of a file `name` below `root`, which is written first if `data` are given."""
    if data is not None:
        (root / name).write_bytes(data.encode() if isinstance(data, str) else data)
    wanted = Wanted(columns, None if findings is None else frozenset(findings), max_rows)
    with open_below(root, name) as file:
        return await analyse(file, wanted, heard or Heard(), seconds)


def only(outcome: Outcome, about: About, column: str | None = None) -> DataFinding:
    """The one finding about that."""
    [found] = [each for each in outcome.findings if each.about == about and each.column == column]
    return found


def rows_of(finding: DataFinding) -> list[list[Any]]:
    assert finding.table is not None
    return finding.table.rows


def types_of(outcome: Outcome) -> dict[str, str]:
    """By column."""
    return {name: type_ for name, type_, *_ in rows_of(only(outcome, "schema"))}
