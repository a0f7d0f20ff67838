"""docs/how-to-offer.md: its file is served, and MCP clients of 2026-07-28 get what the page says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from doc_page import ROOT, blocks
from live_server import LiveServer, process

VERSION = "2026-07-28"
META = {
    f"io.modelcontextprotocol/{name}": value
    for name, value in {
        "protocolVersion": VERSION,
        "clientCapabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }.items()
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("offer")
    [block] = blocks(ROOT / "docs" / "how-to-offer.md", "python")
    (folder / "notes.py").write_text(block.text, encoding="utf-8")
    with process("notes.py", cwd=folder) as live:
        yield live


def sent(method: str, name: str | None, params: dict[str, Any]) -> dict[str, Any]:
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": VERSION, "Mcp-Method": method}
    if name is not None:
        headers["Mcp-Name"] = name
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META, **params}}
    return {"headers": headers, "json": message}


def asked(server: LiveServer, method: str, repeated: str | None = None, /, **params: Any) -> Any:
    request = sent(method, repeated, params)
    answer = httpx.post(f"{server.url}/mcp", **request, timeout=30).json()
    return answer.get("result", answer.get("error"))


def read(server: LiveServer, uri: str) -> Any:
    return asked(server, "resources/read", uri, uri=uri)


def test_resources(server: LiveServer) -> None:
    assert [each["uri"] for each in asked(server, "resources/list")["resources"]] == ["notes://all"]
    [template] = asked(server, "resources/templates/list")["resourceTemplates"]
    assert template["uriTemplate"] == "notes://{number}"
    [all_of_them] = read(server, "notes://all")["contents"]
    assert (all_of_them["mimeType"], all_of_them["text"].splitlines()[1]) == ("text/markdown", "- Call Ada.")
    [one] = read(server, "notes://1")["contents"]
    assert (one["mimeType"], json.loads(one["text"])) == ("application/json", {"text": "Buy milk."})
    nothing = read(server, "notes://7")
    assert (nothing["code"], nothing["data"]["uri"]) == (-32602, "notes://7")
    assert read(server, "notes://x")["code"] == -32602


def test_the_prompt_and_its_completion(server: LiveServer) -> None:
    [listed] = asked(server, "prompts/list")["prompts"]
    assert [(each["name"], each["required"]) for each in listed["arguments"]] == [
        ("number", True), ("language", True), ("tone", False)
    ]  # fmt: skip
    made = asked(server, "prompts/get", "translate", name="translate", arguments={"number": "1", "language": "Greek"})
    carried, text = (each["content"] for each in made["messages"])
    assert carried["resource"]["uri"] == "notes://1"
    assert text["text"] == "Translate this into Greek, and be friendly."
    for argument, typed, expected in [("language", "G", ["German", "Greek"]), ("tone", "f", ["formal", "friendly"])]:
        reference = {"ref": {"type": "ref/prompt", "name": "translate"}, "argument": {"name": argument, "value": typed}}
        assert asked(server, "completion/complete", **reference)["completion"]["values"] == expected


def test_a_picture(server: LiveServer) -> None:
    tools = {each["name"]: each for each in asked(server, "tools/list")["tools"]}
    assert "outputSchema" not in tools["picture"]
    content = asked(server, "tools/call", "picture", name="picture", arguments={"number": 1})["content"]
    assert [each["type"] for each in content] == ["text", "image"]
    assert content[1]["mimeType"] == "image/png"
    plain = httpx.post(
        f"{server.url}/api/v1/mcp/sse", json={"tool": "picture", "params": {"number": 1}, "stream": False}
    )
    assert plain.json()["data"] == content


def test_who_listens_is_told(server: LiveServer) -> None:
    wanted = {"resourceSubscriptions": ["notes://all", "notes://2", "notes://1"]}
    request = sent("subscriptions/listen", None, {"notifications": wanted})
    with httpx.stream("POST", f"{server.url}/mcp", **request, timeout=30) as stream:
        messages = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
        assert next(messages)["params"]["notifications"] == wanted
        call = {"name": "write_note", "arguments": {"number": 2, "text": "Ada called."}}
        assert asked(server, "tools/call", "write_note", **call)["content"][0]["text"] == "written"
        assert [next(messages)["params"]["uri"] for _ in range(2)] == ["notes://all", "notes://2"]
    assert "Ada called." in read(server, "notes://2")["contents"][0]["text"]
