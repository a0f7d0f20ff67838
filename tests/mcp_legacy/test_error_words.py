"""The words in which a model, and who writes a client, reads what is wrong: in every revision the same, each once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from legacy_client import Client, Stage, decoded

from mcp_app import ToolError, tool

REVISIONS = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]


@pytest.fixture(params=REVISIONS)
async def client(request: pytest.FixtureRequest, stage: Stage) -> Client:
    return await stage.client(request.param)


async def text(client: Client, name: str, **arguments: Any) -> str:
    result = decoded(await client.tool(name, **arguments))["result"]
    assert result["isError"] is True
    [block] = result["content"]
    said: str = block["text"]
    return said


async def error(client: Client, method: str, params: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = decoded(await client.request(method, params))["error"]
    assert "route" not in json.dumps(found)
    return found


async def test_a_tools_arguments(client: Client) -> None:
    assert await text(client, "add", a="x", b=1) == (
        "arguments.a: Input should be a valid integer, such as 5.\nThe arguments of add are: a, b."
    )
    said = await text(client, "add", a=1, b=2, c=3, d=4)
    assert said.count("arguments: There are no fields named c, d.") == 1
    assert said.endswith("The arguments of add are: a, b.")


async def test_a_tools_own_failure(client: Client, stage: Stage) -> None:
    @tool
    def full() -> str:
        raise ToolError("the disk is full")

    stage.tools.add(full)
    assert await text(client, "full") == "the disk is full"
    assert await text(client, "fails") == "it went wrong\ntry another"


async def test_a_prompts_arguments(client: Client) -> None:
    said = await error(client, "prompts/get", {"name": "greet", "arguments": {"nam": "Ada"}})
    assert said["code"] == -32602
    assert said["message"].count("arguments.nam:") == said["message"].count("arguments.name:") == 1
    assert said["data"]["hint"] == "The arguments of greet are: name."


@pytest.mark.parametrize(
    ("method", "params", "message"),
    [
        ("tools/call", {"name": "ad"}, "There is no tool named 'ad'. Did you mean add?"),
        ("prompts/get", {"name": "great"}, "There is no prompt named 'great'. Did you mean greet?"),
        ("resources/read", {"uri": "test://tex"}, "There is no resource at 'test://tex'. Did you mean test://text?"),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "who", "value": ""}},
            "There is no argument named 'who'. The arguments are: name.",
        ),
    ],
)
async def test_what_is_not_there(client: Client, method: str, params: dict[str, Any], message: str) -> None:
    assert (await error(client, method, params))["message"] == message


async def test_a_last_event_id_that_is_none(stage: Stage) -> None:
    client = await stage.client()
    answer = await client.get("nonsense")
    assert answer.status == 400
    assert decoded(answer)["error"]["message"] == "Last-Event-ID is none that this server gives out."
    assert "hint" not in decoded(answer)["error"]["data"]


async def test_programs_read_the_error_object(client: Client, stage: Stage) -> None:
    async def meta(name: str, **arguments: Any) -> Any:
        return decoded(await client.tool(name, **arguments))["result"].get("_meta")

    @tool
    def wordy() -> str:
        raise ToolError("x" * 20_000)

    stage.tools.add(wordy)
    [(name, failed)] = (await meta("fails")).items()
    assert name.endswith("/error")
    assert failed == {"code": "tool_failed", "message": "it went wrong", "hint": "try another"}
    [invalid] = (await meta("add", a="x", b=1)).values()
    assert invalid["code"] == "invalid_params"
    assert [each["field"] for each in invalid["details"]] == ["arguments.a"]
    assert await meta("wordy") is None
