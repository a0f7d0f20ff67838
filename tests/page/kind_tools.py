"""Tools that send what says of itself what it is: rows, charts, findings, workflows; some of it on demand, some wrong.

Not a test; no test's expectations belong here.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

from page_tools import HOSTILE, Stage

from mcp_app import Context, Result, Tool, ToolError, tool

COLUMNS = [
    {"name": "id", "type": "INTEGER"},
    {"name": "customer", "type": "TEXT"},
    {"name": "total", "type": "DECIMAL(12,2)"},
    {"name": "amount", "type": "NUMERIC"},
    {"name": "note", "type": "TEXT"},
    {"name": "ordered_at", "type": "TIMESTAMP"},
]
CUSTOMERS = ["Ada Lovelace", "=1+1", 'Grace "G" Hopper', "Linus, T.", "Ünal Ö.", "-2+3"]
BEYOND_A_DOUBLE = 9007199254740993


def order(n: int) -> list[Any]:
    """One row: numbers as numbers and as texts, nothing, and an empty text."""
    total = round((n * 7919 % 10_007) / 4, 2)
    amount = str(BEYOND_A_DOUBLE + n * 7919 % 1009) if n % 2 else f"{n}.500"
    note = [None, "", "paid by card", "a gift, to be sent\nafter the 1st of May"][n % 4]
    return [n + 1, CUSTOMERS[n % 6], total, amount, note, f"2026-{n % 12 + 1:02}-{n % 28 + 1:02}T08:30:00"]


def table(rows: list[list[Any]], count: int | None = None, notice: str | None = None) -> dict[str, Any]:
    """A whole table, or the begin of one."""
    count = len(rows) if count is None else count
    return {
        "kind": "table", "columns": COLUMNS, "rows": rows,
        "row_count": count, "truncated": count > len(rows), "notice": notice,
    }  # fmt: skip


def bell(column: str, bins: int = 20, dates: bool = False) -> dict[str, Any]:
    """A histogram with one top and an empty bin."""
    counts = [round(4000 * math.exp(-((n - 6.5) ** 2) / 18)) for n in range(bins)]
    counts[-2] = 0
    edges = [f"2026-01-{n + 1:02}" for n in range(bins + 1)] if dates else [0.5 + 49.975 * n for n in range(bins + 1)]
    return {"kind": "histogram", "column": column, "edges": edges, "counts": counts}


def finding(about: str, title: str, column: str | None = None, **members: Any) -> dict[str, Any]:
    sql = f"SELECT count(*) FROM orders WHERE {column} IS NULL" if column else "SELECT * FROM orders"
    return {
        "kind": "finding", "about": about, "column": column, "title": title, "sql": sql,
        "table": None, "histogram": None,
    } | members  # fmt: skip


def small(names: list[str], rows: list[list[Any]]) -> dict[str, Any]:
    columns = [{"name": name, "type": "VARCHAR"} for name in names]
    return {
        "kind": "table", "columns": columns, "rows": rows, "row_count": len(rows), "truncated": False, "notice": None,
    }  # fmt: skip


FINDINGS = [
    finding("schema", "6 columns: 2 of numbers, 3 of text, 1 of moments", table=small(
        ["column", "type", "inferred"],
        [["id", "BIGINT", "key"], ["customer", "VARCHAR", "text"], ["total", "DOUBLE", "amount"]])),
    finding("nulls", "note has no value in 3,000 of 12,000 rows (25 %)", "note"),
    finding("distinct", "customer has 6 values, of which Ada Lovelace is the most frequent", "customer", table=small(
        ["value", "rows"], [["Ada Lovelace", 2000], ["Linus, T.", 2000], [None, 12]])),
    finding("range", "total is from 0.5 to 1,000", "total"),
    finding("histogram", "total has one top, at 325 to 375", "total", histogram=bell("total")),
    finding("histogram", "ordered_at lies in January 2026", "ordered_at", histogram=bell("ordered_at", dates=True)),
    finding("outliers", "17 values of total are more than 3 deviations from the mean", "total"),
    finding("duplicates", "No row is there twice"),
    finding("correlations", "total and amount go together (r = 0.93)", table=small(
        ["one", "other", "r"], [["total", "amount", 0.93]])),
]  # fmt: skip


def streaming_tools(stage: Stage) -> dict[str, Tool]:
    @tool(read_only=True)
    async def query(ctx: Context, count: int = 12, batch: int = 4, on_demand: bool = False) -> AsyncIterator[Any]:
        """Send rows in batches, and the begin of them as the result."""
        yield {"kind": "columns", "columns": COLUMNS}
        for first in range(0, count, batch):
            if on_demand:
                await stage.step()
            yield {"kind": "rows", "first": first, "rows": [order(n) for n in range(first, min(first + batch, count))]}
        if on_demand:
            await stage.step()
        left_out = f"{count - 100:,} rows are left out of the result: ask for fewer." if count > 100 else None
        yield Result(table([order(n) for n in range(min(count, 100))], count, left_out))

    @tool(read_only=True)
    async def query_elsewhere(ctx: Context, count: int = 12) -> Any:
        """Have the rows sent by a step, as a database in a process does."""
        return await ctx.call(query, count=count, batch=5)

    @tool(read_only=True)
    async def breaks(ctx: Context) -> AsyncIterator[Any]:
        """Break in the middle."""
        yield {"kind": "columns", "columns": COLUMNS}
        yield {"kind": "rows", "first": 0, "rows": [order(n) for n in range(7)]}
        raise ToolError("The connection was lost.", hint="Ask for fewer rows.")

    @tool(read_only=True)
    async def analyze(on_demand: bool = False, beyond: int = 0) -> AsyncIterator[Any]:
        """Send findings, and all of them as the result."""
        findings = [*FINDINGS, *(finding("range", f"column {n} is from 0 to {n}", f"c{n}") for n in range(beyond))]
        for one in findings:
            if on_demand:
                await stage.step()
            yield one
        if on_demand:
            await stage.step()
        members = {"source": "orders.csv", "row_count": 12_000, "column_count": 6, "truncated": False, "notice": None}
        data = {"kind": "analysis", **members, "findings": findings}
        yield Result(data, text="12,000 rows of 6 columns. A quarter of `note` has no value.")

    @tool(read_only=True)
    async def query_some(ctx: Context, count: int = 12) -> dict[str, Any]:
        """Have rows sent by a step, and make something of them that looks like them."""
        whole = await ctx.call(query, count=count, batch=5)
        return table([row for row in whole["rows"] if row[0] % 2 == 0])

    pour = tool(name="pour")(query.function)  # not read-only: its run is detached, and waits for nobody
    return {each.name: each for each in (query, pour, query_elsewhere, query_some, breaks, analyze)}


def workflow_tools(stage: Stage, others: dict[str, Tool]) -> list[Tool]:
    @tool(read_only=True)
    async def load(ctx: Context, rows: int = 3) -> str:
        """Load something, with steps of its own."""
        for name in ("fetch", "parse"):
            part = ctx.part(0, 50, name)
            await part.progress(1, rows, f"{name}: 1 of {rows}")
            await stage.step()
            await part.progress(rows, rows, "all of it")
        return "loaded"

    @tool(read_only=True)
    async def flow(ctx: Context, count: int = 100) -> dict[str, Any]:
        """Work in steps, of which one is tried again, one fails, and one is skipped; each says how it went."""
        steps: list[dict[str, Any]] = []

        async def ended(part: Context, name: str, tool: str, status: str, **members: Any) -> None:
            steps.append({"kind": "step", "id": name, "tool": tool, "status": status} | members)
            await part.partial(steps[-1], progress=1, total=1)

        part = ctx.part(0, 20, "load")
        loaded = await part.call(load)
        await ended(part, "load", "load", "ok", attempts=1, seconds=4.25, result=loaded)
        part = ctx.part(20, 40, "orders")
        await part.log("notice", "attempt 1 failed with busy; again in 0.1 s")
        rows = await ctx.part(20, 40, "orders#2").call(others["query"], count=count, batch=100)
        await ended(part, "orders", "query", "ok", attempts=2, seconds=1.5, result=rows | {"rows": rows["rows"][:20]})
        part = ctx.part(40, 60, "profile")
        found = await part.call(others["analyze"])
        await ended(part, "profile", "analyze", "ok", attempts=1, seconds=0.75, result=found)
        part = ctx.part(60, 80, "mail")
        await part.progress(0, 1, "connecting to the mail server")
        await stage.step()
        error = {"code": "tool_failed", "message": "The mail server refused the address.", "hint": "Correct it."}
        await ended(part, "mail", "send_mail", "failed", attempts=3, seconds=12, error=error)
        part = ctx.part(80, 100, "report")
        reason = "It needs mail, which failed."
        await ended(part, "report", "publish", "skipped", attempts=0, seconds=0, reason=reason)
        return {"kind": "workflow", "steps": steps, "truncated": False, "notice": None}

    @tool(read_only=True)
    async def long_flow(ctx: Context, count: int = 12) -> dict[str, Any]:
        """Ask many questions one after the other, of which the last leaves its result out."""
        steps: list[dict[str, Any]] = []
        for n in range(count):
            rows = await ctx.part(0, 100, f"q{n}").call(others["query"], count=8, batch=4)
            result = {"result": rows} if n < count - 1 else {"result": None, "left_out": 1234}
            steps.append({"kind": "step", "id": f"q{n}", "tool": "query", "status": "ok", "attempts": 1} | result)
            await ctx.part(0, 100, f"q{n}").partial(steps[-1], progress=1, total=1)
        return {"kind": "workflow", "steps": steps, "truncated": True, "notice": "The result of q11 is left out."}

    return [load, flow, long_flow]


def odd_tools() -> list[Tool]:
    @tool(read_only=True)
    async def hostile_kinds() -> AsyncIterator[Any]:
        """Say in markup what is in tables, charts and findings."""
        columns = [{"name": HOSTILE, "type": HOSTILE}, {"name": "__proto__", "type": None}]
        yield {"kind": "columns", "columns": columns}
        yield {"kind": "rows", "first": 0, "rows": [[HOSTILE, HOSTILE], [{"x": HOSTILE}, [HOSTILE]]]}
        chart = {"kind": "histogram", "column": HOSTILE, "edges": [HOSTILE, HOSTILE], "counts": [1]}
        yield finding(HOSTILE, HOSTILE, HOSTILE, sql=HOSTILE, histogram=chart)
        steps = [
            {"id": HOSTILE, "tool": HOSTILE, "status": HOSTILE, "reason": HOSTILE, "error": HOSTILE, "result": HOSTILE}
        ]
        yield Result({"kind": "workflow", "steps": steps, "notice": HOSTILE})

    @tool(read_only=True)
    async def odd_kinds() -> AsyncIterator[Any]:
        """Say kinds, and have other members than they have; rows that differ, and rows that did not come."""
        yield {"kind": "rows", "rows": "none"}
        yield {"kind": "histogram", "edges": [1, 2], "counts": [1, 2, 3]}
        yield {"kind": "constructor", "step": "of no kind"}
        yield {"kind": "columns", "columns": [{"name": "a"}, {"name": "b"}]}
        yield {"kind": "rows", "first": 5, "rows": [[1, 2], [3], [4, 5, 6], []]}
        yield Result({"kind": "table", "columns": "a, b", "rows": [], "why": "its columns are a text"})

    @tool(read_only=True)
    async def many_tables(count: int = 100) -> AsyncIterator[Any]:
        """Begin one table after the other, each with two rows."""
        for n in range(count):
            yield {"kind": "columns", "columns": [{"name": f"n{n}"}]}
            yield {"kind": "rows", "first": 0, "rows": [[n], [n]]}

    @tool(read_only=True)
    async def parts_of_kinds() -> dict[str, Any]:
        """Have charts and tables as members of a result of its own."""
        parts = {"of": "orders", "totals": bell("total"), "newest": table([order(n) for n in range(3)])}
        return parts | {"others": [bell("amount"), bell("rating")]}

    return [hostile_kinds, odd_kinds, many_tables, parts_of_kinds]


def kind_tools(stage: Stage) -> list[Tool]:
    streaming = streaming_tools(stage)
    return [*streaming.values(), *workflow_tools(stage, streaming), *odd_tools()]
