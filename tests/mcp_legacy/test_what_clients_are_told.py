"""What clients are told of the server and of what it offers: in each revision all that it knows, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from every_revision import VERSIONS, Caller
from legacy_client import Stage

from mcp_app import Icon, prompt, resource, tool
from mcp_app.endpoint import Endpoint
from mcp_app.manifest import parse_manifest
from mcp_app.protocol.mcp.revisions import STATELESS

PICTURE = "data:image/png;base64," + "A" * 4000
ICONS = [
    {"src": PICTURE, "mimeType": "image/png", "sizes": ["48x48"]},
    {"src": "https://tools.example.com/icon.svg", "sizes": ["any"], "theme": "dark"},
]
CARD = {
    "name": "com.example/tools",
    "version": "1.4.0",
    "title": "Example tools",
    "description": "Tools for examples.",
    "websiteUrl": "https://tools.example.com/docs",
    "icons": ICONS,
    "instructions": "Look before you write.",
}
TITLES = {"title"}
ICONED = TITLES | {"description", "websiteUrl", "icons"}
KNOWN = {"2026-07-28": ICONED, "2025-11-25": ICONED, "2025-06-18": TITLES, "2025-03-26": set(), "2024-11-05": set()}
"""The members of `Implementation` that each revision's schema.json has, but for name and version."""


@pytest.fixture
async def told(stage: Stage) -> Stage:
    """A stage whose server has a card and instructions."""
    manifest = parse_manifest(json.dumps(CARD).encode(), file="mcp.json")
    stage.endpoint = Endpoint(
        *(stage.settings, stage.tools, manifest, stage.runs, stage.log, stage.resources, stage.prompts),
        instructions=manifest.card.instructions,
    )
    return stage


async def introduction(stage: Stage, version: str) -> dict[str, Any]:
    """What the client is told first: `serverInfo` and `instructions`."""
    if version != STATELESS:
        return dict((await stage.client(version)).initialized)
    result = (await Caller(stage, version).request("server/discover", {}))["result"]
    return {**result, "serverInfo": result["_meta"]["io.modelcontextprotocol/serverInfo"]}


@VERSIONS
async def test_the_server_says_who_it_is_as_the_revision_knows_it(told: Stage, version: str) -> None:
    info = (await introduction(told, version))["serverInfo"]
    assert info == {name: CARD[name] for name in ("name", "version", *KNOWN[version])}


@VERSIONS
async def test_models_are_told_the_instructions(told: Stage, version: str) -> None:
    assert (await introduction(told, version))["instructions"] == "Look before you write."


@VERSIONS
async def test_without_instructions_nothing_is_told(stage: Stage, version: str) -> None:
    assert "instructions" not in await introduction(stage, version)


async def test_other_results_do_not_repeat_the_icons(told: Stage) -> None:
    result = await Caller(told, STATELESS).call("add", a=1, b=2)
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"] == {
        name: CARD[name] for name in ("name", "version", "title")
    }


HINTS = [
    ({}, {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}),
    (
        {"read_only": True, "open_world": False},
        {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False},
    ),
    (
        {"destructive": False, "idempotent": True},
        {"readOnlyHint": False, "destructiveHint": False, "idempotentHint": True, "openWorldHint": True},
    ),
]


@VERSIONS
@pytest.mark.parametrize(("options", "hints"), HINTS)
async def test_all_four_hints_are_always_told(
    stage: Stage, version: str, options: dict[str, Any], hints: dict[str, bool]
) -> None:
    stage.tools.add(tool(name="made", **options)(lambda: None))
    shown = (await listed(stage, version, "tools/list", "tools"))["made"]["annotations"]
    if not KNOWN[version]:
        assert shown.pop("title") == "Made", "2025-03-26 has titles here only"
    assert shown == hints


async def listed(stage: Stage, version: str, method: str, member: str) -> dict[str, dict[str, Any]]:
    result = (await Caller(stage, version).request(method, {}))["result"]
    return {each["name"]: each for each in result[member]}


LISTS = [
    ("tools/list", "tools"),
    ("resources/list", "resources"),
    ("resources/templates/list", "resourceTemplates"),
    ("prompts/list", "prompts"),
]


@VERSIONS
@pytest.mark.parametrize(("method", "member"), LISTS)
async def test_icons_meta_and_tags_are_listed_where_the_revision_has_them(
    told: Stage, version: str, method: str, member: str
) -> None:
    about: dict[str, Any] = {
        "icons": [Icon("https://tools.example.com/i.png", "image/png", ["48x48", "96x96"], "light")],
        "meta": {"com.other/unit": {"name": "°C"}, "ui": None},
        "tags": ["weather", "slow", "weather"],
    }
    told.tools.add(tool(name="made", **about)(lambda: None))
    told.prompts.add(prompt(name="made", **about)(_nothing))
    told.resources.add(resource("made://one", name="made", **about)(_nothing))
    told.resources.add(resource("made://{which}", name="made", **about)(_which))
    shown = (await listed(told, version, method, member))["made"]
    icons = [
        {
            "src": "https://tools.example.com/i.png",
            "mimeType": "image/png",
            "sizes": ["48x48", "96x96"],
            "theme": "light",
        }
    ]
    assert shown.get("icons") == (icons if "icons" in KNOWN[version] else None)
    meta = {"com.example.tools/tags": ["weather", "slow"], "com.other/unit": {"name": "°C"}, "ui": None}
    assert shown.get("_meta") == (meta if KNOWN[version] else None)


def _nothing() -> str:
    return ""


def _which(which: str) -> str:
    return which


@VERSIONS
@pytest.mark.parametrize(("method", "member"), LISTS)
async def test_what_has_none_of_them_lists_none(told: Stage, version: str, method: str, member: str) -> None:
    for each in (await listed(told, version, method, member)).values():
        assert not {"icons", "_meta"} & each.keys()


async def test_the_plain_list_has_them_too(told: Stage) -> None:
    made = tool(name="made", open_world=False, icons=[Icon(PICTURE)], tags={"b", "a"}, meta={"ui": 1})(lambda: None)
    told.tools.add(made)
    answer = await told.ask("GET", path="/api/v1/mcp/tools")
    assert isinstance(answer.body, bytes)
    shown = {each["name"]: each for each in json.loads(answer.body)["tools"]}
    told_of = {name: shown["made"][name] for name in ("open_world", "icons", "tags", "meta")}
    assert told_of == {"open_world": False, "icons": [{"src": PICTURE}], "tags": ["a", "b"], "meta": {"ui": 1}}
    assert shown["add"]["open_world"] is True
    assert not {"icons", "tags", "meta"} & shown["add"].keys()


async def test_the_documents_follow_what_is_added(told: Stage) -> None:
    async def document(path: str) -> dict[str, Any]:
        answer = await told.ask("GET", path=path)
        assert isinstance(answer.body, bytes)
        return dict(json.loads(answer.body))

    scanners = "/.well-known/mcp/server-card.json"
    before = await document(scanners)
    assert [each["uri"] for each in before["resources"]] == ["test://text"]
    assert [each["name"] for each in before["prompts"]] == ["greet"]
    assert before["resourceTemplates"] == []
    assert before["serverInfo"] == {name: CARD[name] for name in ("name", "version", *ICONED)}
    told.resources.add(resource("made://{which}", tags=["x"])(_which))
    told.prompts.add(prompt(name="made")(_nothing))
    after = await document(scanners)
    assert after["resourceTemplates"][0]["_meta"] == {"com.example.tools/tags": ["x"]}
    assert [each["name"] for each in after["prompts"]] == ["greet", "made"]
    for path in (scanners, "/mcp.json", "/.well-known/mcp.json"):
        assert (await document(path))["instructions"] == "Look before you write."
    assert "instructions" not in await document("/mcp/server-card"), "its schema has no such member"
