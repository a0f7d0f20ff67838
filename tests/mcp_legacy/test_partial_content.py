"""`ctx.partial` of content blocks: progress with `_meta` as it happens, and again in the result, in every revision."""

from __future__ import annotations

import json
from typing import Any

import pytest
from legacy_client import MCP, STREAM, Events, Stage, call, decoded

from mcp_app import Context, EmbeddedResource, File, Image, Text, tool

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
TYPES = [["text"], ["image"], ["resource"], ["resource"], ["text", "image"]]
MODERN = "2026-07-28"


@tool
async def parts(ctx: Context) -> str:
    """Gives parts of its result before the whole."""
    await ctx.partial(Text("half"), progress=1, total=4)
    await ctx.partial(Image(PNG, mime_type="image/png"))
    await ctx.partial(EmbeddedResource(uri="test://part", text="a part", mime_type="text/plain"), progress=3, total=4)
    await ctx.partial(File(b"1,2", name="a.csv", mime_type="text/csv"))
    await ctx.partial([Text("see:"), Image(PNG, mime_type="image/png")])
    return "whole"


async def messages(stage: Stage, version: str, token: str | None, accept: str) -> list[Any]:
    """All that a call says, whichever way the revision has it."""
    stage.tools.add(parts)
    meta = {} if token is None else {"progressToken": token}
    params = {"name": "parts", "arguments": {}, "_meta": meta}
    if version == MODERN:
        prefix = "io.modelcontextprotocol/"
        meta |= {f"{prefix}protocolVersion": version, f"{prefix}clientCapabilities": {}}
        headers = {"mcp_protocol_version": version, "mcp_method": "tools/call", "mcp_name": "parts"}
        answer = await stage.ask("POST", call("tools/call", params), accept=accept, **headers)
    elif version == "2024-11-05":
        events = Events(await stage.ask("GET", path=MCP, accept=STREAM))
        first = await events.next()
        assert first is not None
        client = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "o", "version": "1"}}
        for message in (call("initialize", client, 1), call("tools/call", params, 2)):
            assert (await stage.ask("POST", message, path=first.data)).status == 202
            found = [await events.message()]
        while "result" not in found[-1]:
            found.append(await events.message())
        return found
    else:
        answer = await (await stage.client(version)).post(call("tools/call", params), accept=accept)
    return [decoded(answer)] if isinstance(answer.body, bytes) else await Events(answer).rest()


@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "application/json"])
@pytest.mark.parametrize("token", ["t", None])
@pytest.mark.parametrize("version", [MODERN, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
async def test_parts_that_are_content(stage: Stage, version: str, token: str | None, accept: str) -> None:
    said = await messages(stage, version, token, accept)
    *before, last = said
    result = last["result"]
    assert result["content"] == [{"type": "text", "text": "whole"}]
    [name] = [each for each in result["_meta"] if each.endswith("/partial")]
    repeated = result["_meta"][name]
    assert [[block["type"] for block in part] for part in repeated] == TYPES
    assert repeated[1][0]["mimeType"] == "image/png"
    assert repeated[2][0]["resource"] == {"uri": "test://part", "mimeType": "text/plain", "text": "a part"}
    if token is None or (accept == "application/json" and version != "2024-11-05"):
        assert before == []  # nobody wants to hear of it before the end, and nothing is lost
        return
    assert [each["method"] for each in before] == ["notifications/progress"] * 5
    assert [each["params"]["_meta"] for each in before] == [{name: part} for part in repeated]
    numbers = [each["params"]["progress"] for each in before]
    assert numbers == sorted(set(numbers))
    assert (numbers[0], before[0]["params"]["total"]) == (1, 4)
    assert [each["params"]["message"] for each in before][:3] == ["half", "image/png", "resource"]
    assert all(len(json.dumps(each["params"]["message"])) < 210 for each in before)
