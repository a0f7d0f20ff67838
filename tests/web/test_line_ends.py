"""Line ends that only Unicode knows are escaped in all JSON that is sent: clients that split text there read on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from web_direct import EVENTS, RUNS
from web_wire import stream

from mcp_app import Context, Registry, Resources, Result, ToolError, prompt, resource, tool
from mcp_app.authoring.prompt import Prompts
from mcp_app.config.settings import Settings
from mcp_app.endpoint import Endpoint
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.manifest import load_manifest
from mcp_app.runs import Runs
from mcp_app.web.messages import Answer, Request

ENDS = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei\rj\nk"
"""A letter between each two characters at which str.splitlines() splits."""

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/logLevel": "debug",
    "progressToken": ENDS,
}


class Note(BaseModel):
    text: str


@tool(description=ENDS, read_only=True)
async def speak(ctx: Context, text: str, table: dict[str, str]) -> AsyncIterator[dict[str, str] | Result[Note]]:
    await ctx.log("warning", text, data=table)
    await ctx.progress(1, 2, text)
    await ctx.partial(text)
    yield table
    yield Result(Note(text=text))


@tool
def refuse(text: str) -> None:
    raise ToolError(text, hint=text)


@resource("test://note", description=ENDS)
def note() -> str:
    return ENDS


@resource("test://table")
def table() -> dict[str, str]:
    return {ENDS: ENDS}


@prompt(description=ENDS)
def advise(topic: str) -> str:
    return topic


@pytest.fixture
async def endpoint(tmp_path: Path) -> Endpoint:
    manifest = tmp_path / "mcp.json"
    card = {"name": "com.example/notes", "version": "1.0", "title": ENDS, "description": ENDS}
    manifest.write_text(json.dumps(card), "utf-8")
    log = MemoryLog()
    runs = Runs(Settings(), log)
    resources, prompts = Resources([note, table]), Prompts([advise])
    return Endpoint(Settings(), Registry([speak, refuse]), load_manifest(manifest), runs, log, resources, prompts)


async def bytes_of(endpoint: Endpoint, method: str, target: str, body: Any = None, **headers: str) -> bytes:
    """What is sent, whole."""
    path, _, query = target.partition("?")
    fields = {"host": "127.0.0.1:8000", "content-type": "application/json"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent = b"" if body is None else json.dumps(body).encode()
    answer: Answer = await endpoint.answer(Request(method, path, query.encode(), fields, sent))
    return answer.body if isinstance(answer.body, bytes) else (await stream(answer)).raw


def texts(sent: bytes) -> list[str]:
    """Every string in what was sent, names among them. Fails for a line that only some clients see."""
    text = sent.decode()
    assert not set(text) & set(ENDS) - set("abcdefghijk\n"), "a line end that is not escaped"
    lines = [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")] or [text]
    found: list[str] = []
    pending: list[Any] = [json.loads(line) for line in lines if line]
    while pending:
        match pending.pop():
            case str() as each:
                found.append(each)
                if each[:1] in {"{", "["}:  # JSON as text, for models
                    pending.append(json.loads(each))
            case list() as each:
                pending += each
            case Mapping() as each:
                pending += [*each, *each.values()]
    return found


CALL = {"tool": "speak", "params": {"text": ENDS, "table": {ENDS: ENDS}}}


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
async def test_in_each_event_of_a_call(endpoint: Endpoint, accept: str) -> None:
    sent = await bytes_of(endpoint, "POST", EVENTS, CALL, accept=accept)
    # the log's message with its data's name and value, progress, the part, the item's name and value, the result
    assert texts(sent).count(ENDS) == 8
    refused = {"tool": "refuse", "params": {"text": ENDS}}
    assert texts(await bytes_of(endpoint, "POST", EVENTS, refused, accept=accept)).count(ENDS) == 2


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
@pytest.mark.parametrize(
    ("method", "name", "params", "count"),
    [
        ("tools/list", "", {}, 1),
        ("resources/list", "", {}, 1),
        ("prompts/list", "", {}, 1),
        ("server/discover", "", {}, 1),
        ("tools/call", "refuse", {"name": "refuse", "arguments": {"text": ENDS}}, 1),
        ("resources/read", "test://note", {"uri": "test://note"}, 1),
        ("resources/read", "test://table", {"uri": "test://table"}, 2),
        ("prompts/get", "advise", {"name": "advise", "arguments": {"topic": ENDS}}, 1),
        ("tools/call", "speak", {"name": "speak", "arguments": CALL["params"]}, 2),
    ],
)
async def test_in_each_message_of_mcp(
    endpoint: Endpoint, accept: str, method: str, name: str, params: dict[str, Any], count: int
) -> None:
    message = {"jsonrpc": "2.0", "id": ENDS, "method": method, "params": {**params, "_meta": META}}
    headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": method, "accept": accept}
    sent = await bytes_of(endpoint, "POST", "/mcp", message, **headers, **({"mcp_name": name} if name else {}))
    assert texts(sent).count(ENDS) >= 1 + count, "its id, and what was asked for"


async def test_in_a_detached_run_and_in_what_is_read_beside_calls(endpoint: Endpoint) -> None:
    started = json.loads(await bytes_of(endpoint, "POST", RUNS, CALL))
    events = await bytes_of(endpoint, "GET", started["events_url"])
    assert texts(events).count(ENDS) == 8
    assert texts(await bytes_of(endpoint, "GET", f"{RUNS}/{started['id']}")).count(ENDS) == 1
    assert texts(await bytes_of(endpoint, "GET", "/api/v1/mcp/tools")).count(ENDS) == 1
    for path in ("/mcp.json", "/.well-known/mcp.json", "/.well-known/mcp/server-card.json", "/mcp/server-card"):
        assert ENDS in texts(await bytes_of(endpoint, "GET", path)), path


async def test_in_what_an_error_repeats(endpoint: Endpoint) -> None:
    for body, where in (
        ({"tool": "refuse", "params": {ENDS: 1}}, f"params.{ENDS}"),
        ({"tool": "speak", ENDS: 1}, ENDS),
    ):
        assert where in texts(await bytes_of(endpoint, "POST", EVENTS, body))
