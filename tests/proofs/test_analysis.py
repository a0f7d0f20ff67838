"""An analysis of many rows: its memory stays below a GiB, and its first finding comes before the rows are read.

Rows are what the other proofs have examples of. What was measured is printed: `make proof ARGS=analysis`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import duckdb
import psutil
import pytest

from mcp_app import Settings
from mcp_app.builtin.analyze_dataset.shapes import Analysis
from mcp_app.builtin.analyze_dataset.tool import analyze_dataset
from mcp_app.testing import client

from .examples import count

IN_SUITE = 50_000

BYTES = 1024**3
"""Resident, of the process that analyses."""

SECONDS = 600.0

pytestmark = pytest.mark.time_bound(SECONDS)

COLUMNS = """
    i AS id,
    'customer ' || hash(i) % 100000 AS customer,
    DATE '2020-01-01' + (hash(i * 7) % 1500)::INTEGER AS day,
    round(exp(5 + (hash(i * 3) % 10000) / 2500.0), 2) AS price,
    (hash(i * 11) % 20)::INTEGER AS quantity,
    CASE WHEN hash(i * 13) % 10 > 0 THEN ['red', 'green', 'blue', 'grey'][1 + (hash(i * 5) % 4)::INTEGER] END AS colour,
    'user' || i || '@example.com' AS email,
    hash(i * 17) % 2 = 0 AS paid
"""
"""Ten million of these are 0.75 GB of CSV."""


@pytest.fixture(params=["csv", "parquet"])
def data(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("MCP_APP_DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = tmp_path / f"rows.{request.param}"
    with duckdb.connect(config={"memory_limit": "1GiB"}) as writer:
        writer.execute(f"COPY (SELECT {COLUMNS} FROM range({count(IN_SUITE)}) t(i)) TO '{path}'")
    yield path
    path.unlink()


class Peak:
    """The most resident memory of the processes that work for this one. `bytes` is the kernel's own mark."""

    bytes = 0

    def look(self) -> None:
        for child in psutil.Process().children():
            for line in Path(f"/proc/{child.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    self.bytes = max(self.bytes, int(line.split()[1]) * 1024)


@asynccontextmanager
async def watched() -> AsyncIterator[Peak]:
    peak = Peak()

    async def watch() -> None:
        while True:
            peak.look()
            await asyncio.sleep(0.2)

    task = asyncio.create_task(watch())
    try:
        yield peak
        peak.look()
    finally:
        task.cancel()


async def test_many_rows_are_analysed_in_less_than_a_gib(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(cap_seconds=SECONDS)  # what others do on the machine is not what is proved
    async with client(analyze_dataset, settings=settings, patience=SECONDS) as c, watched() as peak:
        begun = time.monotonic()
        run = c.run(analyze_dataset, path=data.name)
        first = await run.until("progress")
        first_after = time.monotonic() - begun
        result = Analysis.model_validate(await run)
        seconds = time.monotonic() - begun
        peak.look()
    assert first.raw["data"]["about"] == "schema"
    assert result.row_count == count(IN_SUITE)
    assert {each.about for each in result.findings} >= {"nulls", "distinct", "range", "histogram", "duplicates"}
    assert not result.truncated, result.notice
    assert 0 < peak.bytes < BYTES
    with capsys.disabled():
        print(
            f"\n{data.name}: {result.row_count:,} rows: first finding after"
            f" {first_after:.2f} s, all {len(result.findings)} after {seconds:.1f} s, peak {peak.bytes / 2**20:.0f} MiB"
        )
