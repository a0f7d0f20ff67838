"""The tool as callers meet it: its schema, its errors, and its events through the served application."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from typing import Any

import httpx
import pytest
from live_server import serving
from scan_world import DOMAIN, World

import mcp_app
from mcp_app.builtin.scan_domain import tool as scan_domain_tool
from mcp_app.builtin.scan_domain.report import Report

TOOL = scan_domain_tool.scan_domain


class Listener:
    """Stands in for a run: takes what the tool says."""

    def __init__(self) -> None:
        self.parts: list[tuple[Any, float | None, float | None]] = []

    async def partial(self, data: Any, *, progress: float | None = None, total: float | None = None) -> None:
        self.parts.append((data, progress, total))


@pytest.fixture
def environment(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world, found by the tool through its environment variables."""
    for name, value in {
        "ALLOW_NETWORKS": "127.0.0.1/32",
        "NAMESERVER": f"127.0.0.1:{world.dns.port}",
        "CA_FILE": str(world.authority.root),
        "HTTP_PORT": str(world.http_port),
        "HTTPS_PORT": str(world.https_port),
    }.items():
        monkeypatch.setenv(f"MCP_APP_SCAN_{name}", value)
    return world


def test_the_tool_says_what_it_is() -> None:
    assert (TOOL.name, TOOL.title, TOOL.read_only) == ("scan_domain", "Scan a domain", True)
    assert TOOL.input_schema["required"] == ["domain"]
    assert TOOL.input_schema["properties"]["domain"]["examples"] == ["example.com"]
    assert TOOL.output_schema is not None
    assert set(TOOL.output_schema["properties"]) == {"domain", "grade", "score", "verdict", "findings", "steps"}
    assert TOOL.time_limit is not None
    assert TOOL.time_limit < 120


@pytest.mark.parametrize("domain", ["https://example.com/", "127.0.0.1", "", "a\nb.test", 7, None])
def test_a_wrong_domain_is_refused_before_a_run_starts(domain: object) -> None:
    with pytest.raises(mcp_app.errors.InvalidParams) as caught:
        TOOL.arguments({"domain": domain})
    assert caught.value.object()["details"][0]["field"] == "params.domain"
    assert caught.value.status == 422


async def test_events_come_through_the_served_application(environment: World) -> None:
    app = mcp_app.create_app(tools=[TOOL])
    async with serving(app) as server, httpx.AsyncClient(timeout=30) as client:
        response = await client.post(
            f"{server.url}/api/v1/mcp/sse",
            json={"tool": "scan_domain", "params": {"domain": DOMAIN.upper()}},
            headers={"Accept": "text/event-stream"},
        )

    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in events] == ["started", *["progress"] * 6, "complete"]
    assert [event["metadata"] for event in events[1:7]] == [{"progress": n, "total": 6} for n in range(1, 7)]
    assert {event["data"]["step"] for event in events[1:7]} == {"dns", "tls", "http", "redirects", "headers", "files"}
    report = Report.model_validate(events[-1]["data"])
    assert (report.domain, report.grade) == (DOMAIN, "A")


async def test_a_caller_of_json_gets_the_report(environment: World) -> None:
    app = mcp_app.create_app(tools=[TOOL])
    async with serving(app) as server, httpx.AsyncClient(timeout=30) as client:
        url = f"{server.url}/api/v1/mcp/sse"
        response = await client.post(
            url, json={"tool": "scan_domain", "params": {"domain": DOMAIN}}, headers={"Accept": "application/json"}
        )
        refused = await client.post(
            url, json={"tool": "scan_domain", "params": {"domain": "http://x/"}}, headers={"Accept": "application/json"}
        )

    assert response.status_code == 200
    assert "In very good order." in response.text
    assert refused.status_code == 422
    assert "params.domain" in refused.text


async def test_without_any_dns_it_still_streams_to_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.dns.silent = True
    monkeypatch.setenv("MCP_APP_SCAN_NAMESERVER", f"127.0.0.1:{world.dns.port}")
    monkeypatch.setenv("MCP_APP_SCAN_DNS_SECONDS", "0.5")
    listener = Listener()

    report = await TOOL(domain=DOMAIN, ctx=listener)

    assert [(progress, total) for _, progress, total in listener.parts] == [(n, 6) for n in range(1, 7)]
    assert report.grade == "unknown"


async def test_settings_that_are_wrong_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_SCAN_NAMESERVER", "dns.example")
    monkeypatch.setenv("MCP_APP_SCAN_HTTP_PORT", "0")

    with pytest.raises(mcp_app.ToolError) as caught:
        await TOOL(domain=DOMAIN, ctx=Listener())

    hint = caught.value.object()["hint"]
    assert "MCP_APP_SCAN_NAMESERVER" in hint
    assert "MCP_APP_SCAN_HTTP_PORT" in hint


def test_listing_the_tool_imports_none_of_the_extra() -> None:
    program = """
import sys
import mcp_app.builtin
print(sorted({"dns", "httpcore", "httpx", "cryptography", "anyio", "certifi", "idna"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)

    assert done.stdout == "[]\n", done.stderr


def test_an_international_name_without_idna_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_idna(name: str, *args: Any, **named: Any) -> Any:
        if name == "idna":
            raise ModuleNotFoundError("No module named 'idna'", name="idna")
        return imported(name, *args, **named)

    monkeypatch.setattr(builtins, "__import__", without_idna)

    with pytest.raises(mcp_app.errors.InvalidParams, match="pip install idna"):
        TOOL.arguments({"domain": "bücher.example"})
    assert TOOL.arguments({"domain": "xn--bcher-kva.example"}) == {"domain": "xn--bcher-kva.example"}
