"""The trace of a call through the whole path: to the tool, on to what it calls, into the log, and to the client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mcp_app import Context, Settings, Tool, create_app, errors, tool
from mcp_app.testing import Client, Question, client

SECONDS = 20.0
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TOLD = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "rojo=00f067aa0ba902b7", "baggage": "user=ada"}
OTHER = f"00-{TRACE[::-1]}-00f067aa0ba902b7-00"
ROOT = Path(__file__).resolve().parents[2]


@tool
async def told(ctx: Context) -> dict[str, Any]:
    return {"headers": ctx.trace.headers(), "trace_id": ctx.trace.trace_id, "baggage": ctx.trace.baggage}


@tool(task="may")
async def may_be_a_task(ctx: Context) -> dict[str, Any]:
    return {"headers": ctx.trace.headers(), "trace_id": ctx.trace.trace_id, "baggage": ctx.trace.baggage}


@tool
async def broken(ctx: Context) -> None:
    raise RuntimeError("no word of this to the caller")


@tool
async def asking(ctx: Context) -> int:
    return len(await ctx.roots())


WHOLE = {"headers": TOLD, "trace_id": TRACE, "baggage": {"user": "ada"}}


async def test_every_way_to_call_carries_it(lane: bool) -> None:
    async with client(create_app(Settings(), [told, may_be_a_task], lane=lane)) as untold:
        c = untold.with_options(headers=TOLD)
        for how in ("post", "detached"):
            assert await c.with_options(by=how).run("told") == WHOLE  # type: ignore[arg-type]
        assert await c.with_options(json=True).run("told") == WHOLE
        assert await untold.run("told") == {"headers": {}, "trace_id": None, "baggage": {}}

        async def by_meta(caller: Client, name: str, **meta: Any) -> Any:
            result = await caller.request("tools/call", {"name": name, "arguments": {}, "_meta": meta})
            return result["structuredContent"]

        modern = untold.with_options(era="2026-07-28", json=True)
        assert await by_meta(modern, "told", **TOLD) == WHOLE
        told_twice = await by_meta(modern.with_options(headers=TOLD), "told", traceparent=OTHER)
        assert told_twice["headers"] == {"traceparent": OTHER, "baggage": "user=ada"}
        for name in ("told", "may_be_a_task"):  # one that may be promoted at the cap, and one that may be a task
            assert await by_meta(modern.with_options(tasks=True), name, **TOLD) == WHOLE
        nonsense = await by_meta(modern, "told", traceparent="nonsense", tracestate=7, baggage=["x"])
        assert nonsense["headers"] == {}


async def test_a_session_carries_it_to_the_tool_and_back_to_the_client(lane: bool) -> None:
    asked: list[Any] = []

    def answer(question: Question) -> list[str]:
        asked.append(question.params["_meta"])
        return []

    async with client(create_app(Settings(), [told, asking], lane=lane), era="2025-11-25", answer=answer) as c:
        for name, result in (("told", WHOLE), ("asking", {"result": 0})):
            found = await c.request("tools/call", {"name": name, "arguments": {}, "_meta": TOLD})
            assert found["structuredContent"] == result
    assert asked == [TOLD]


async def test_what_is_masked_has_the_trace_in_the_log(lane: bool) -> None:
    async with client(create_app(Settings(), [broken], lane=lane)) as c:
        traced, untraced = c.with_options(headers=TOLD).run("broken"), c.run("broken")
        for run in (traced, untraced):
            with pytest.raises(errors.ToolFailed):
                await run
    assert f"[trace_id {TRACE}]: broken failed [error_id " in traced.log
    assert "broken failed" in untraced.log
    assert "trace_id" not in untraced.log


@contextmanager
def warehouse(seen: list[dict[str, str]]) -> Iterator[str]:
    class Shelf(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"7 pieces")

        def log_message(self, *_: object) -> None:
            """Not to standard error."""

    with HTTPServer(("127.0.0.1", 0), Shelf) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join(SECONDS)


async def test_the_example_of_the_how_to_sends_it_on(lane: bool) -> None:
    text = (ROOT / "docs/how-to-trace.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    module = ModuleType("trace_example")
    exec(compile(text, "docs/how-to-trace.md", "exec"), module.__dict__)
    stock = module.stock
    assert isinstance(stock, Tool)
    seen: list[dict[str, str]] = []
    with warehouse(seen) as url:
        async with client(create_app(Settings(), [stock], lane=lane), headers=TOLD) as c:
            assert await c.run("stock", article="4711", url=url) == "7 pieces"
    assert [{name: each.get(name) for name in TOLD} for each in seen] == [TOLD]
