"""The OpenAPI document: valid by an independent validator, and as the readers of such documents demand it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, Field
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from mcp_app import Tool, tool
from mcp_app.builtin import OFFERED
from mcp_app.manifest import LiveServer, documents_of, parse_manifest
from mcp_app.manifest.openapi import openapi
from mcp_app.manifest.openapi_schemas import MAX_DESCRIPTION, MAX_PARAMETER_DESCRIPTION, shortened

BASE = "https://tools.example.com/below"
CARD: dict[str, Any] = {
    "name": "com.example/tools",
    "version": "1.4.0",
    "title": "Example tools",
    "description": "Tools that take time.",
    "websiteUrl": "https://example.com/docs",
}


class Node(BaseModel):
    """A tree."""

    name: str
    children: list[Node] = []


@tool(read_only=True, tags=["trees"])
async def grow(tree: Annotated[Node, Field(description="a " * 500)], depth: int | None = None) -> Node:
    """Let it grow."""
    return tree


@tool(title="Count up")
async def count(upto: int = 3) -> AsyncIterator[int]:
    """Yield numbers."""
    for number in range(upto):
        yield number


@tool
async def nothing() -> None:
    """Take nothing."""


@tool
async def anything(table: dict[str, int]):  # type: ignore[no-untyped-def]
    """Say nothing of what is returned."""
    return table


@tool(
    input_schema={
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "left": {"$ref": "#"},
            "also": {"$ref": "#/properties/left"},
            "kind": {"$ref": "#/$defs/a~1b"},
            "many": {"type": "array", "items": {"$ref": "#/$defs/a~1b/properties/n"}},
        },
        "$defs": {"a/b": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
    }
)
async def verbatim(left: Any = None, also: Any = None, kind: Any = None, many: Any = None) -> str:
    """Take what its schema says."""
    return json.dumps([left, also, kind, many])


TOOLS = [grow, count, nothing, anything, verbatim]


def made(tools: list[Tool] | None = None, base: str = BASE, **more: Any) -> dict[str, Any]:
    manifest = parse_manifest(json.dumps(CARD).encode(), file="mcp.json")
    live = LiveServer(tools=TOOLS if tools is None else tools, heartbeat_seconds=15, cap_seconds=120, **more)
    document: dict[str, Any] = json.loads(json.dumps(openapi(manifest, live, base)))
    return document


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


def validator(document: dict[str, Any], schema: Any) -> jsonschema.Draft202012Validator:
    """One that follows references into the document."""
    whole = Registry().with_resource("urn:document", Resource(contents=document, specification=DRAFT202012))
    return jsonschema.Draft202012Validator(_absolute(schema), registry=whole)


def _absolute(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_absolute(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: f"urn:document{each}" if name == "$ref" and each.startswith("#") else _absolute(each)
        for name, each in schema.items()
    }


def body(document: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    operation = document["paths"][f"/api/v1/mcp/tools/{name}"]["post"]
    return validator(document, operation["requestBody"]["content"]["application/json"]["schema"])


@pytest.mark.parametrize("tools", [TOOLS, [], [nothing], list(OFFERED.tools)])
def test_it_is_valid(tools: list[Tool]) -> None:
    OpenAPIV31SpecValidator(made(tools)).validate()


def test_the_validator_finds_what_is_wrong() -> None:
    """Otherwise the test above could not fail."""
    document = made()
    del document["paths"]["/api/v1/mcp/tools/grow"]["post"]["responses"]["200"]["description"]
    assert list(OpenAPIV31SpecValidator(document).iter_errors())


def test_what_the_server_is() -> None:
    document = made(instructions="Grow before you count.")
    assert document["openapi"] == "3.1.0"
    assert document["info"] == {
        "title": "Example tools",
        "version": "1.4.0",
        "description": "Tools that take time.\n\nGrow before you count.",
    }
    assert document["servers"] == [{"url": BASE}]
    assert document["externalDocs"] == {"url": "https://example.com/docs"}


def test_each_tool_is_one_operation() -> None:
    document = made()
    assert list(document["paths"]) == [f"/api/v1/mcp/tools/{each.name}" for each in TOOLS]
    assert [list(item) for item in document["paths"].values()] == [["post"]] * len(TOOLS)
    grown, counted = (document["paths"][f"/api/v1/mcp/tools/{name}"]["post"] for name in ("grow", "count"))
    assert (grown["operationId"], grown["summary"], grown["description"]) == ("grow", "Grow", "Let it grow.")
    assert (grown["tags"], grown["x-openai-isConsequential"]) == (["trees"], False)
    assert (counted["summary"], counted["x-openai-isConsequential"]) == ("Count up", True)
    assert "tags" not in counted


def test_the_path_is_beside_the_one_that_mcp_json_configures() -> None:
    file = CARD | {"_meta": {"com.example.tools/streaming": {"events": "/live/events"}}}
    manifest = parse_manifest(json.dumps(file).encode(), file="mcp.json")
    live = LiveServer(tools=[nothing], heartbeat_seconds=15, cap_seconds=120)
    assert list(openapi(manifest, live, BASE)["paths"]) == ["/live/tools/nothing"]


def test_a_tool_without_parameters_has_no_body() -> None:
    """Open WebUI refuses to call an operation that has one, when the model gives no parameters."""
    document = made()
    assert "requestBody" not in document["paths"]["/api/v1/mcp/tools/nothing"]["post"]
    required = {
        op["operationId"]: op["requestBody"]["required"] for _, op in operations(document) if "requestBody" in op
    }
    assert required == {"grow": True, "count": False, "anything": True, "verbatim": False}


@pytest.mark.parametrize(
    ("name", "params", "fits"),
    [
        ("grow", {"tree": {"name": "a", "children": [{"name": "b"}]}}, True),
        ("grow", {"tree": {"name": "a", "children": [{"name": 1}]}}, False),
        ("grow", {}, False),
        ("count", {}, True),
        ("count", {"upto": "three"}, False),
        ("count", {"more": 1}, False),
        ("anything", {"table": {"a": 1}}, True),
        ("anything", {"table": {"a": "b"}}, False),
        ("verbatim", {"left": {"left": {"kind": {"n": 1}}}, "also": {"kind": {"n": 2}}, "many": [1]}, True),
        ("verbatim", {"left": {"left": {"kind": {"n": "1"}}}}, False),
        ("verbatim", {"also": {"kind": {}}}, False),
        ("verbatim", {"many": ["1"]}, False),
    ],
)
def test_a_body_is_described_as_the_tool_takes_it(name: str, params: dict[str, Any], fits: bool) -> None:
    assert body(made(), name).is_valid(params) is fits
    assert (
        jsonschema.Draft202012Validator(dict(next(each for each in TOOLS if each.name == name).input_schema)).is_valid(
            params
        )
        is fits
    )


@tool(scopes=["trees:write", "trees:read"])
async def fell() -> None:
    """Fell a tree."""


@pytest.mark.parametrize(
    ("asks", "lets_in", "counted", "felled"),
    [
        (False, False, None, None),
        (True, False, [{"bearer": []}], [{"bearer": ["trees:read", "trees:write"]}]),
        (True, True, [{}, {"bearer": []}], [{"bearer": ["trees:read", "trees:write"]}]),
    ],
)
def test_what_callers_must_show(asks: bool, lets_in: bool, counted: Any, felled: Any) -> None:
    document = made([count, fell], asks=asks, lets_in=lets_in)
    OpenAPIV31SpecValidator(document).validate()
    items = document["paths"].values()
    assert [item["post"].get("security") for item in items] == [counted, felled]
    schemes = document["components"].get("securitySchemes", {})
    assert {name: (each["type"], each["scheme"]) for name, each in schemes.items()} == (
        {"bearer": ("http", "bearer")} if asks else {}
    )


@pytest.mark.parametrize(
    ("name", "data", "fits"),
    [
        ("grow", {"name": "a", "children": []}, True),
        ("grow", {"name": 1}, False),
        ("grow", [{"type": "resource_link", "url": "/api/v1/mcp/runs/1/results/1"}], True),
        ("count", None, True),
        ("nothing", None, True),
        ("nothing", 1, False),
        ("anything", {"x": []}, True),
    ],
)
def test_an_answer_is_described_as_it_is_sent(name: str, data: Any, fits: bool) -> None:
    document = made()
    answers = document["paths"][f"/api/v1/mcp/tools/{name}"]["post"]["responses"]
    answer = {
        "type": "complete",
        "tool": name,
        "data": data,
        "progress": [],
        "metadata": {"duration_ms": 1, "events": 2},
    }
    content = answers["200"]["content"]
    assert list(content) == ["application/json", "text/event-stream"]
    checked = validator(document, content["application/json"]["schema"])
    assert checked.is_valid(answer) is fits
    assert not checked.is_valid(answer | {"tool": "another"})
    error = {"type": "error", "error": {"code": "unknown_tool", "message": "None.", "hint": "Look."}}
    for status in ("422", "default"):
        described = validator(document, answers[status]["content"]["application/json"]["schema"])
        assert described.is_valid(error)
        assert not described.is_valid(answer)


def test_no_text_is_longer_than_chatgpt_takes() -> None:
    @tool(title="t" * 400, description="A sentence. " * 100)
    async def talks(tree: Annotated[Node, Field(description="a " * 500)]) -> None: ...

    document = made([talks, *TOOLS])
    for _, operation in operations(document):
        assert len(operation["summary"]) <= MAX_DESCRIPTION
        assert len(operation["description"]) <= MAX_DESCRIPTION
    said = [each for _, operation in operations(document) for each in descriptions(operation.get("requestBody", {}))]
    assert MAX_PARAMETER_DESCRIPTION - 2 <= max(map(len, said)) <= MAX_PARAMETER_DESCRIPTION
    assert document["paths"]["/api/v1/mcp/tools/talks"]["post"]["description"].endswith("A sentence.")


def descriptions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("description"), str):
            yield value["description"]
        for each in value.values():
            yield from descriptions(each)
    elif isinstance(value, list):
        for each in value:
            yield from descriptions(each)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.get("type") == "object":
            yield value
        for each in value.values():
            yield from objects(each)
    elif isinstance(value, list):
        for each in value:
            yield from objects(each)


def test_every_object_has_properties_as_chatgpt_wants() -> None:
    for tools in (TOOLS, list(OFFERED.tools)):
        found = list(objects(made(tools)))
        assert len(found) > 10
        assert all("properties" in each for each in found)


def test_names_become_those_of_functions_and_stay_apart() -> None:
    def named(name: str) -> Tool:
        @tool(name=name)
        async def one(node: Node) -> None:
            """One."""

        return one

    names = ["a.b", "a_b", "a-b", "a..b", "x" * 128, "x" * 127 + "y", ".", ".."]
    document = made([named(name) for name in names])
    ids = {path.rpartition("/")[2]: operation["operationId"] for path, operation in operations(document)}
    assert list(ids) == names[:-2], "a path of dots is another path"
    assert (ids["a.b"], ids["a_b"], ids["a-b"], ids["a..b"]) == ("a_b_2", "a_b", "a-b", "a__b")
    assert ids["x" * 128] == "x" * 64
    assert ids["x" * 127 + "y"] == "x" * 62 + "_2"
    assert len(set(ids.values())) == len(ids)
    OpenAPIV31SpecValidator(document).validate()
    for path, _ in operations(document):
        assert body(document, path.rpartition("/")[2]).is_valid({"node": {"name": "a"}})
        assert not body(document, path.rpartition("/")[2]).is_valid({"node": {}})


@given(st.text(max_size=60), st.integers(2, 50))
def test_what_is_shortened_is_a_beginning(text: str, most: int) -> None:
    short = shortened(text, most)
    assert len(short) <= most
    assert short == text if len(text) <= most else text.startswith(short.removesuffix("…"))
    assert text.strip() == "" or short != "" or text[:most].strip() == ""


def test_whole_sentences_are_kept() -> None:
    assert shortened("One two. Three four five.", 20) == "One two. Three four…"
    assert shortened("One two three. Four five.", 20) == "One two three."
    assert shortened("One two three four five", 12) == "One two…"
    assert shortened("x" * 30, 10) == "x" * 9 + "…"


def test_it_is_served_with_the_other_documents() -> None:
    manifest = parse_manifest(json.dumps(CARD).encode(), file="mcp.json")
    live = LiveServer(tools=TOOLS, heartbeat_seconds=15, cap_seconds=120)
    [served] = [
        each for each in documents_of(manifest, live, base_url=BASE, cacheable=True) if each.path == "/openapi.json"
    ]
    assert served.content_type == "application/json"
    assert json.loads(served.body) == made()
