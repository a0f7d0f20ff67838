"""What a client under test was sent, held against MCP's own types. Not a test."""

from __future__ import annotations

from typing import Any

from mcp_types.methods import parse_server_notification, parse_server_request, validate_server_result

from mcp_app.testing import ClientRun


async def ended(run: ClientRun, version: str = "2026-07-28", method: str = "tools/call") -> dict[str, Any]:
    """The result of a call, as it was sent. Each message of the call is checked by the schema of the revision."""
    await run
    for event in run.events:
        raw: Any = event.raw
        if event.type == "complete":
            validate_server_result(method, version, raw)
        elif event.type == "ask":
            parse_server_request(raw["method"], version, raw["params"])
        else:
            parse_server_notification(raw["method"], version, raw["params"])
    return dict(run.events[-1].raw)
