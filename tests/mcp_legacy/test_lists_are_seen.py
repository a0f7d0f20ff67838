"""What is offered is seen by clients that read one page, in every revision, whatever there is of it."""

from __future__ import annotations

from typing import Any

import pytest
from every_revision import VERSIONS, Caller
from legacy_client import Stage

from mcp_app import Prompts, Registry, Resources, prompt, resource, tool
from mcp_app.dialects.mcp.lists import PAGE_BYTES
from mcp_app.protocol.event import encode

MANY = 260
CLIENTS_BOUND = 1024 * 1024
"""Bytes of one event that the official SDK's clients take."""


def fill(tools: Registry, resources: Resources, prompts: Prompts, count: int, description: str) -> None:
    for number in range(count):
        tools.add(tool(name=f"tool_{number:03}", description=description)(lambda: None))

        @resource(f"many://{number}", description=description)
        def one() -> str:
            return ""

        @resource(f"many://{number}/{{name}}", description=description)
        def each(name: str) -> str:
            return ""

        @prompt(name=f"prompt_{number:03}", description=description)
        def ask() -> str:
            return ""

        resources.add(one)
        resources.add(each)
        prompts.add(ask)


LISTED = {
    "tools/list": ("tools", "name", "tool_"),
    "resources/list": ("resources", "uri", "many://"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate", "many://"),
    "prompts/list": ("prompts", "name", "prompt_"),
}


@VERSIONS
async def test_more_than_a_hundred_are_on_one_page(stage: Stage, version: str) -> None:
    fill(stage.tools, stage.resources, stage.prompts, MANY, "A short description.")
    for method, (member, name, prefix) in LISTED.items():
        result = (await Caller(stage, version).request(method, {}))["result"]
        assert "nextCursor" not in result
        assert len([each for each in result[member] if each[name].startswith(prefix)]) == MANY, method


@VERSIONS
@pytest.mark.parametrize("method", LISTED)
async def test_a_page_is_no_larger_than_clients_take(stage: Stage, version: str, method: str) -> None:
    fill(stage.tools, stage.resources, stage.prompts, 40, "é" * 25_000)
    member, name, prefix = LISTED[method]
    caller = Caller(stage, version)
    seen: list[str] = []
    pages = 0
    cursor: dict[str, Any] = {}
    while True:
        response = await caller.request(method, cursor)
        assert len(encode(response)) <= CLIENTS_BOUND
        seen += [each[name] for each in response["result"][member] if each[name].startswith(prefix)]
        pages += 1
        if "nextCursor" not in response["result"]:
            break
        cursor = {"cursor": response["result"]["nextCursor"]}
    assert len(seen) == len(set(seen)) == 40
    assert pages == 40 * 50_000 // PAGE_BYTES + 1


async def test_a_page_has_what_was_added_and_not_what_was_removed(stage: Stage) -> None:
    async def names() -> list[str]:
        result = (await Caller(stage, "2025-11-25").request("tools/list", {}))["result"]
        return [each["name"] for each in result["tools"]]

    before = await names()
    added = tool(name="added")(lambda: None)
    stage.tools.add(added)
    assert await names() == [*before, "added"]
    stage.tools.remove(added)
    stage.tools.add(tool(name="added", description="Another.")(lambda: None))
    result = (await Caller(stage, "2025-11-25").request("tools/list", {}))["result"]
    assert result["tools"][-1]["description"] == "Another."
