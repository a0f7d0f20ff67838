"""The tool as callers meet it: its schema, its process, its stream, its end by leaving, and how its result is cut."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from live_server import serving

import mcp_app
from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset import tool as module
from mcp_app.builtin.analyze_dataset.report import report
from mcp_app.builtin.analyze_dataset.rows_file import rows_file
from mcp_app.builtin.analyze_dataset.settings import SAMPLE
from mcp_app.builtin.analyze_dataset.shapes import About, Analysis, DataFinding, Histogram
from mcp_app.builtin.analyze_dataset.tool import analyze_dataset
from mcp_app.builtin.query_database.database import Column, Row
from mcp_app.builtin.query_database.shapes import Table
from mcp_app.testing import ProgressEvent, client

ERAS = ["plain", "2026-07-28", "2025-11-25"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCP_APP_DATA_ROOT", str(tmp_path))
    lines = "".join(f"{number},{number % 7},{'odd' if number % 2 else 'even'}\n" for number in range(500))
    (tmp_path / "numbers.csv").write_text("n,rest,kind\n" + lines)
    return tmp_path


def test_the_tool_says_what_it_is() -> None:
    assert (analyze_dataset.name, analyze_dataset.title, analyze_dataset.read_only) == (
        "analyze_dataset",
        "Analyse a dataset",
        True,
    )
    properties = analyze_dataset.input_schema["properties"]
    assert set(properties) == {"path", "database", "sql", "columns", "findings", "max_rows", "max_characters"}
    assert properties["max_characters"]["default"] == 100_000
    assert analyze_dataset.output_schema is not None
    assert analyze_dataset.output_schema["properties"]["kind"]["const"] == "analysis"


async def test_no_duckdb_is_in_the_server() -> None:
    code = "import sys, mcp_app.builtin.analyze_dataset.tool; print('duckdb' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert output.decode().strip() == "False"


@pytest.mark.parametrize("era", ERAS)
async def test_findings_are_streamed_and_returned(root: Path, era: str) -> None:
    async with client(analyze_dataset, era=era) as c:
        run = c.run(analyze_dataset, path="numbers.csv")
        result = Analysis.model_validate(await run)
    assert (result.source, result.row_count, result.column_count) == ("numbers.csv", 500, 3)
    assert (result.truncated, result.notice) == (False, None)
    assert [each.about for each in result.findings][:2] == ["schema", "nulls"]
    assert run.text.startswith("numbers.csv: 500 rows, 3 columns.\n- numbers.csv has 3 columns")
    assert "SELECT" in run.text
    progress = [event for event in run.events if isinstance(event, ProgressEvent)]
    assert len(progress) >= len(result.findings)
    if era == "plain":
        streamed = [DataFinding.model_validate(event.raw["data"]) for event in progress]
        assert streamed[1:] == result.findings[1:]
        numbers = [event.raw["metadata"]["progress"] for event in progress]
        assert numbers == sorted(numbers)


async def test_the_rows_of_a_query_are_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MCP_APP_DATABASES", raising=False)
    sql = "select order_id, total from orders where total > 0"
    async with client(analyze_dataset) as c:
        run = c.run(analyze_dataset, database="shop", sql=sql)
        result = Analysis.model_validate(await run)
        first = await _first(c.run(analyze_dataset, sql=sql, findings=["schema"]))
        with pytest.raises(mcp_app.ToolError, match="no such table"):
            await c.run(analyze_dataset, sql="select * from no_such")
        limited = Analysis.model_validate(await c.run(analyze_dataset, sql=sql, max_rows=5))
    assert result.source == "a query of shop"
    assert result.row_count > 1000
    assert result.findings[0].sql == f"-- dataset is a query of shop:\n{sql}"
    assert {each.about for each in result.findings} >= {"schema", "nulls", "distinct", "range", "histogram"}
    assert "by its database: order_id INTEGER" in first["title"]
    assert limited.row_count == 5
    assert "Only the first 5 rows of the query" in (limited.notice or "")


async def _first(run: Any) -> dict[str, Any]:
    event = await run.until("progress")
    await run
    found: dict[str, Any] = event.raw["data"]
    return found


@pytest.mark.parametrize(
    "parameters",
    [{}, {"path": "numbers.csv", "sql": "select 1"}, {"path": "numbers.csv", "database": "shop"}, {"database": "shop"}],
)
async def test_what_to_analyse_has_to_be_one_thing(root: Path, parameters: dict[str, str]) -> None:
    async with client(analyze_dataset) as c:
        with pytest.raises(mcp_app.ToolError, match="a file or a query"):
            await c.run(analyze_dataset, **parameters)


async def test_an_error_names_what_there_is(root: Path) -> None:
    async with client(analyze_dataset) as c:
        with pytest.raises(mcp_app.ToolError) as caught:
            await c.run(analyze_dataset, path="other.csv")
        assert caught.value.hint == "There are: numbers.csv."
        with pytest.raises(mcp_app.ToolError) as caught:
            await c.run(analyze_dataset, path="numbers.csv", columns=["m"])
        assert caught.value.hint == "There are: n, rest, kind."
        with pytest.raises(mcp_app.errors.InvalidParams):
            await c.run(analyze_dataset, path="numbers.csv", findings=["magic"])


async def test_the_samples_are_there_while_no_root_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MCP_APP_DATA_ROOT", raising=False)
    names = sorted(path.name for path in SAMPLE.glob("*.csv"))
    assert names
    async with client(analyze_dataset) as c:
        for name in names:
            result = Analysis.model_validate(await c.run(analyze_dataset, path=name))
            assert result.row_count > 0
            assert not result.truncated


async def test_leaving_stops_the_work_and_leaves_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    with (tmp_path / "big.csv").open("w") as file:
        file.write("a,b,c\n")
        for number in range(1000):
            file.writelines(
                f"{number * 1000 + each},text {each * number % 977},{each % 13}.5\n" for each in range(2000)
            )
    app = mcp_app.create_app(tools=[analyze_dataset])
    call = {"tool": "analyze_dataset", "params": {"path": "big.csv"}}
    async with serving(app) as server, httpx.AsyncClient(timeout=30) as http:
        url = f"{server.url}/api/v1/mcp/sse"
        async with http.stream("POST", url, json=call, headers={"Accept": "text/event-stream"}) as response:
            lines = response.aiter_lines()  # kept: a generator that is forgotten closes the response
            async for line in lines:
                if line.startswith("data: ") and json.loads(line[6:])["type"] == "progress":
                    break
            assert list(scratch.glob("mcp-app-scratch-*/dataset.duckdb"))
        async with asyncio.timeout(10):
            while list(scratch.glob("mcp-app-scratch-*/dataset.duckdb")):  # noqa: ASYNC110 - gone when its statement has ended
                await asyncio.sleep(0.05)


def finding(number: int) -> DataFinding:
    columns = [{"name": "value", "type": "BIGINT"}, {"name": "rows", "type": "BIGINT"}]
    table = Table.model_validate({"columns": columns, "rows": [[n, n] for n in range(20)], "row_count": 20})
    drawn = Histogram(column=f"c{number}", edges=list(range(21)), counts=list(range(20)))
    about = ("schema", "nulls", "outliers", "distinct", "histogram")[number % 5]
    return DataFinding.model_validate(
        {"about": about, "column": f"c{number}", "title": f"Finding {number}.", "sql": "SELECT 1 " * 30}
    ).model_copy(update={"table": table if number % 2 else None, "histogram": None if number % 2 else drawn})


@pytest.mark.parametrize("most", [4_000, 20_000, 100_000])
@pytest.mark.parametrize("count", [1, 40, 400])
def test_a_result_fits_and_says_what_was_cut(most: int, count: int) -> None:
    findings = [finding(number) for number in range(count)]
    analysis, text = report(
        "x.csv",
        row_count=9,
        column_count=9,
        findings=findings,
        remarks=["It is read so."],
        left_out=["Something."],
        max_characters=most,
    )
    assert len(analysis.model_dump_json()) + len(text) <= most
    assert analysis.truncated
    assert (analysis.notice or "").startswith("It is read so. Something.")
    if analysis.findings == findings:
        assert "Left out" not in (analysis.notice or "")
    else:
        assert 'Ask for it with findings=["' in (analysis.notice or "")
        kept = [each.title for each in analysis.findings]
        assert kept == [each.title for each in findings if each.title in kept]  # in their order
    assert "Finding 0." in text


@pytest.mark.parametrize("most", [4_000, 20_000, 100_000])
@pytest.mark.parametrize("size", [5, 100])
@pytest.mark.parametrize("notes", [0, 1000])
def test_a_result_fits_whatever_names_and_notes_it_has(most: int, size: int, notes: int) -> None:
    """Each look that failed has left a note; a path has 1,000 characters at most."""
    abouts = get_args(About)
    analysis, text = report(
        "é" * 1000,
        row_count=10_000_000,
        column_count=200,
        findings=[
            DataFinding(about=abouts[n % 10], column='c"' * 60, title=f"Finding {n}.", sql="S" * size)
            for n in range(1000)
        ],
        remarks=["It is read so."],
        left_out=[f"Left out: range of {n} (the message of an error)." for n in range(notes)],
        max_characters=most,
    )
    assert most / 2 < len(analysis.model_dump_json()) + len(text) <= most
    assert analysis.notice is not None
    assert analysis.notice.startswith("It is read so.")
    assert ("More notes, for which there is no room: " in analysis.notice) is bool(notes)
    assert analysis.notice.endswith("columns=[…], or a larger max_characters.")


def test_the_most_useful_findings_are_kept_whole() -> None:
    findings = [finding(number) for number in range(100)]
    analysis, _ = report(
        "x.csv", row_count=9, column_count=9, findings=findings, remarks=[], left_out=[], max_characters=40_000
    )
    whole = {each.about for each in analysis.findings if each in findings}
    assert "schema" in whole
    assert not [each for each in analysis.findings if each.about == "histogram" and each in findings]


async def test_two_work_at_once_and_the_others_wait_and_are_told(root: Path) -> None:
    async with client(analyze_dataset) as c:
        runs = [c.run(analyze_dataset, path="numbers.csv") for _ in range(module.AT_ONCE + 1)]
        results = await asyncio.gather(*runs)
    assert [result["row_count"] for result in results] == [500] * (module.AT_ONCE + 1)
    messages = [[event.message for event in run.events if isinstance(event, ProgressEvent)] for run in runs]
    assert sum("waiting for" in str(each) for each in messages) == 1


@pytest.mark.parametrize(
    ("comes", "said"),
    [
        (False, "The query had no row after "),  # a statement without a first batch
        (True, "Time was up after 1 row of the query"),
    ],
)
async def test_a_query_that_takes_too_long_leaves_time_for_what_came(comes: bool, said: str) -> None:
    async def rows() -> AsyncGenerator[list[Column] | list[Row], None]:
        if comes:
            yield [Column(name="n", type="INTEGER")]
            yield [[1]]
        await asyncio.Event().wait()
        yield []

    left: list[str | None] = []

    async def heard(_: object) -> None:
        pass

    began = time.monotonic()
    try:
        async with rows_file(
            rows(),
            "x",
            max_rows=9,
            seconds=lambda: 0.6 - (time.monotonic() - began),
            on_columns=heard,
            on_rows=heard,
        ) as fetched:
            left.append(fetched.left_out)
    except ToolError as error:
        left.append(error.message)
    assert left[0] is not None
    assert left[0].startswith(said)


async def test_a_query_without_rows_is_said_to_have_none() -> None:
    async with client(analyze_dataset) as c:
        with pytest.raises(ToolError, match="The query has no rows to analyse"):
            await c.run(analyze_dataset, sql="select * from orders where false")
