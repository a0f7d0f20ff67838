"""Tools of one type, and running a resource or a prompt as a server does, held against MCP's own types. No test."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from mcp_types.methods import validate_server_result

from mcp_app import Tool, tool
from mcp_app.authoring.context import Caller
from mcp_app.protocol.access import Access
from mcp_app.protocol.event import Event
from mcp_app.runs.execution import work
from mcp_app.runs.threads import Threads

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100"
    "18dd8db00000000049454e44ae426082"
)
WAV = b"RIFF\x26\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
WAV += b"data\x02\x00\x00\x00\x00\x00"

REVISIONS = ("2025-11-25", "2026-07-28")


def taking(annotation: Any, default: Any = ..., **options: Any) -> Tool:
    """A tool named `function` with one parameter, `x`, of that type."""

    def function(x: Any) -> None: ...

    function.__annotations__ = {"x": annotation}
    if default is not ...:
        function.__defaults__ = (default,)
    return tool(**options)(function)


def returning(annotation: Any) -> Tool:
    """A tool named `function` that declares to return that type."""

    def function() -> None: ...

    function.__annotations__ = {"return": annotation}
    return tool(function)


def is_listed(made: Tool, x: Any) -> bool:
    """Whether a caller may send it, by the listed schema."""
    schema = dict(made.input_schema)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker()).is_valid({"x": x})


async def called(callee: Any, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[Event]]:
    """What the call's result is as JSON, and the events it sent before."""
    events: list[Event] = []

    async def emit(batch: Sequence[Event]) -> None:
        events.extend(batch)

    caller = Caller(access=Access("somebody"), headers={}, deadline=time.monotonic() + 10, clock=time.monotonic)
    async with asyncio.timeout(10):
        outcome = await work(callee, arguments, caller, emit, Threads(4))
    return json.loads(outcome.result.data), events


def valid(method: str, result: dict[str, Any]) -> None:
    """Raises when MCP's types do not take this as the result of the method, or would leave something out of it."""
    more = {"2025-11-25": {}, "2026-07-28": {"resultType": "complete"}}
    for revision in REVISIONS:
        complete = {**more[revision], **result}
        if revision == "2026-07-28" and method not in {"tools/call", "prompts/get", "completion/complete"}:
            complete = {"ttlMs": 0, "cacheScope": "private", **complete}
        validate_server_result(method, revision, complete)
