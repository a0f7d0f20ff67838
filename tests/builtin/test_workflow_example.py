"""The example of the reference is the file that its commands send, and it runs on what ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mcp_app.builtin.query_database.tool import describe_table, list_tables, query_database
from mcp_app.builtin.run_workflow.tool import run_workflow
from mcp_app.testing import client

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "cities.json"


def test_the_page_shows_the_file() -> None:
    page = (ROOT / "docs" / "reference-run-workflow.md").read_text(encoding="utf-8")
    assert f"```json\n{EXAMPLE.read_text(encoding='utf-8')}```" in page


async def test_it_runs_on_the_sample() -> None:
    async with client(query_database, list_tables, run_workflow) as c:
        result: Any = await c.run("run_workflow", **json.loads(EXAMPLE.read_text(encoding="utf-8")))
    country, cities, tables = result["steps"]
    assert country["result"]["rows"][0][0] == "Germany"
    assert [row[0] for row in cities["result"]["rows"]] == ["Berlin", "Munich"]
    assert tables["result"]["databases"][0]["name"] == "shop"


async def test_two_branches_meet_as_the_page_says() -> None:
    page = (ROOT / "docs" / "reference-run-workflow.md").read_text(encoding="utf-8")
    steps = json.loads(page.split("So two branches meet again:\n\n```json\n")[1].partition("```")[0])
    async with client(query_database, list_tables, describe_table, run_workflow) as c:
        result: Any = await c.run("run_workflow", steps=steps)
    look, orders, end = result["steps"]
    assert {each["status"] for each in (look, end)} == {"ok"}
    assert orders["status"] == "ok"
    assert end["result"]["rows"] == [[orders["result"]["name"]]]
