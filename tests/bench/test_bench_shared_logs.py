"""What an event costs in a shared log: the measurement itself, for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import shared_logs


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
async def test_each_number_of_runs_has_a_row(kind: str, tmp_path: Path) -> None:
    url = kind if kind == "memory" else f"sqlite://{tmp_path}/log.db?survives=power"
    head, line, *rows = (await shared_logs.table([url], [1, 20], 0.05)).splitlines()
    assert head.count("|") == line.count("|") == 8
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    name = kind if kind == "memory" else "sqlite?survives=power"
    assert [row[:2] for row in cells] == [[name, "1"], [name, "20"]]
    assert all(float(row[2].replace(",", "")) > 0 and float(row[4].replace(",", "")) > 0 for row in cells)
    if kind == "sqlite":
        assert float(cells[1][3]) > 1


def test_what_is_no_shared_log_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_logs, "shared_log", lambda settings: None)
    with pytest.raises(SystemExit, match="is no shared log"):
        shared_logs.of("redis://localhost")
