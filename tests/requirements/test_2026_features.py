"""MCP 2026-07-28, server/*: what is offered is declared, listed alike for everybody, and cached as it says."""

from __future__ import annotations

import base64
import re
import socket
from typing import Any

import jsonschema
import pytest
from modern_client import ALL, Stage
from modern_requests import REQUESTS

from mcp_app import Audio, Image, prompt, resource, tool

LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
CACHEABLE: list[tuple[str, dict[str, Any]]] = [
    *((method, {}) for method in ("server/discover", *LISTS)),
    ("resources/read", {"uri": "test://text"}),
    ("resources/read", {"uri": "test://users/7"}),
]
INVALID = (400, -32602)


async def capabilities(here: Stage) -> dict[str, Any]:
    found: dict[str, Any] = (await here.ask("server/discover")).result["capabilities"]
    return found


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("tools", {"listChanged": True}),
        ("prompts", {"listChanged": True}),
        ("resources", {"listChanged": True, "subscribe": True}),
        ("completions", {}),
        ("logging", {}),
    ],
)
async def test_what_is_offered_is_declared(here: Stage, name: str, declared: dict[str, Any]) -> None:
    assert (await capabilities(here))[name] == declared


@pytest.mark.parametrize(("method", "member"), LISTS.items())
async def test_a_list_is_the_same_for_every_client_and_after_everything(here: Stage, method: str, member: str) -> None:
    before = (await here.ask(method)).result
    assert before[member]
    assert isinstance(before[member], list)
    for each in REQUESTS:
        await here.ask(*each)
    changes: list[dict[str, Any]] = [{}, {"capabilities": {}}, {"client": {"name": "other", "version": "9"}}]
    for change in changes:
        assert (await here.ask(method, **change)).result == before


@pytest.mark.parametrize(("method", "member"), LISTS.items())
async def test_a_list_may_be_empty(here: Stage, method: str, member: str) -> None:
    """Then the capability is there all the same, and the list is there and empty."""
    for each in list(here.tools):
        here.tools.remove(each)
    for asked in list(here.prompts):
        here.prompts.remove(asked)
    for read in list(here.resources):
        here.resources.remove(read)
    assert (await here.ask(method)).result[member] == []


@pytest.mark.parametrize(("method", "params"), CACHEABLE)
async def test_what_can_be_cached_says_so(here: Stage, method: str, params: dict[str, Any]) -> None:
    result = (await here.ask(method, params)).result
    assert type(result["ttlMs"]) is int
    assert result["ttlMs"] >= 0
    assert result["cacheScope"] in {"public", "private"}


async def test_all_pages_have_the_same_scope(here: Stage) -> None:
    for number in range(250):

        def one(number: int = number) -> int:
            return number

        here.tools.add(tool(name=f"tool_{number}", description="x" * 10_000)(one))
    cursor, pages = None, []
    while True:
        page = (await here.ask("tools/list", {} if cursor is None else {"cursor": cursor})).result
        pages.append(page)
        cursor = page.get("nextCursor")
        if cursor is None:
            break
    assert len(pages) > 2
    assert len({page["cacheScope"] for page in pages}) == 1
    names = [each["name"] for page in pages for each in page["tools"]]
    assert names == [each.name for each in here.tools], "each once, in the order of definition"


@pytest.mark.parametrize("method", LISTS)
@pytest.mark.parametrize("cursor", ["", "x", "eyJwYWdlIjogMn0=", "A" * 10_000, "\x00", "ä"])
async def test_a_cursor_that_is_none_of_ours(here: Stage, method: str, cursor: str) -> None:
    answer = await here.ask(method, {"cursor": cursor}, id="mine")
    assert answer.refusal == INVALID
    assert answer.id == "mine"


async def test_listed_tools_are_of_the_specifications_shape(here: Stage) -> None:
    for each in (await here.ask("tools/list")).result["tools"]:
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", each["name"])
        for name in ("inputSchema", "outputSchema"):
            if name in each:
                jsonschema.Draft202012Validator.check_schema(each[name])
                assert each[name].get("$schema", jsonschema.Draft202012Validator.META_SCHEMA["$id"]) == (
                    "https://json-schema.org/draft/2020-12/schema"
                )
        assert each["inputSchema"]["type"] == "object"


async def test_structured_content_fits_the_listed_schema_and_stands_as_text_too(here: Stage) -> None:
    @tool
    def table(rows: int) -> dict[str, list[int]]:
        return {"rows": list(range(rows))}

    here.tools.add(table)
    schemas = {each["name"]: each.get("outputSchema") for each in (await here.ask("tools/list")).result["tools"]}
    for name, arguments in (("add", {"first": 1}), ("table", {"rows": 3}), ("talk", {})):
        result = (await here.ask("tools/call", {"name": name, "arguments": arguments})).result
        jsonschema.Draft202012Validator(schemas[name]).validate(result["structuredContent"])
        assert result["content"][0]["type"] == "text"
        assert result["content"][0]["text"]


@pytest.mark.parametrize(
    "arguments",
    [{}, {"first": None}, {"first": "one"}, {"first": 1.5}, {"first": True}, {"first": 1, "third": 2}, {"first": [1]}],
)
async def test_arguments_that_do_not_fit_are_for_the_model_to_mend(here: Stage, arguments: dict[str, Any]) -> None:
    answer = await here.ask("tools/call", {"name": "add", "arguments": arguments})
    assert (answer.status, answer.result["isError"]) == (200, True)
    assert ("third" if "third" in arguments else "first") in answer.result["content"][0]["text"]


# --- resources -------------------------------------------------------------------------------------------------------

NOT_THERE = ["test://nothing", "test://text/", "test://text?x=1", "test://users/", "test://users/1/2", "other://text",
             "file:///etc/passwd", "test://users/..%2F..%2Fetc%2Fpasswd", "test://users/256x", "no URI", "", "test:",
             "test://users/%zz", "test://text\n", "\x00", "t" * 5000, "javascript:alert(1)"]  # fmt: skip


@pytest.mark.parametrize("uri", NOT_THERE, ids=range(len(NOT_THERE)))
async def test_a_resource_that_is_not_there(here: Stage, uri: str) -> None:
    answer = await here.ask("resources/read", {"uri": uri}, id="mine")
    assert answer.refusal == INVALID
    assert answer.id == "mine"


async def test_a_resource_that_is_not_there_is_named(here: Stage) -> None:
    assert (await here.ask("resources/read", {"uri": "test://nothing"})).error["data"]["uri"] == "test://nothing"


async def test_bytes_are_base64(here: Stage) -> None:
    [content] = (await here.ask("resources/read", {"uri": "test://users/255"})).result["contents"]
    assert base64.b64decode(content["blob"], validate=True) == b"\xff"
    assert "text" not in content


async def test_a_failure_of_ours_is_an_internal_error(here: Stage) -> None:
    assert (await here.ask("resources/read", {"uri": "test://broken"})).error["code"] == -32603


@pytest.mark.parametrize("uri", ["no scheme", "1x://a", "", "http://a b", "x://\n"])
def test_a_resource_is_not_offered_under_what_is_no_uri(uri: str) -> None:
    with pytest.raises(Exception, match=r"(?i)uri|empty|template"):

        @resource(uri)
        def of_no_uri() -> str:
            return ""


# --- prompts and completion ------------------------------------------------------------------------------------------


async def test_pictures_and_sound_in_prompts_are_base64_with_their_type(here: Stage) -> None:
    @prompt
    def shown() -> list[Any]:
        return [Image(b"\x89PNG\r\n\x1a\n", "image/png"), Audio(b"RIFF\x00\x00\x00\x00WAVE", "audio/wav")]

    here.prompts.add(shown)
    messages = (await here.ask("prompts/get", {"name": "shown"})).result["messages"]
    kinds = [(each["content"]["type"], each["content"]["mimeType"]) for each in messages]
    assert kinds == [("image", "image/png"), ("audio", "audio/wav")]
    for each in messages:
        assert base64.b64decode(each["content"]["data"], validate=True)
        assert each["role"] in {"user", "assistant"}


@pytest.mark.parametrize(
    "params",
    [
        {"name": "nobody"},
        {"name": "advise"},
        {"name": "advise", "arguments": {}},
        {"name": "advise", "arguments": {"count": "2"}},
        {"name": "advise", "arguments": {"topic": 1}},
        {"name": "advise", "arguments": {"topic": "x", "count": "many"}},
        {"name": "advise", "arguments": {"topic": "x", "other": "y"}},
        {"name": "advise", "arguments": {"topic": None}},
    ],
)
async def test_a_prompt_with_wrong_arguments(here: Stage, params: dict[str, Any]) -> None:
    answer = await here.ask("prompts/get", params, id="mine")
    assert answer.refusal == INVALID
    assert answer.id == "mine"


PROMPT = {"type": "ref/prompt", "name": "advise"}
TEMPLATE = {"type": "ref/resource", "uri": "test://users/{user}"}
TOPIC = {"name": "topic", "value": "a"}


@pytest.mark.parametrize(
    "params",
    [
        {"ref": {"type": "ref/prompt", "name": "nobody"}, "argument": TOPIC},
        {"ref": {"type": "ref/resource", "uri": "test://nothing/{x}"}, "argument": TOPIC},
        {"ref": {"type": "ref/tool", "name": "add"}, "argument": TOPIC},
        {"ref": {"type": "ref/prompt"}, "argument": TOPIC},
        {"ref": PROMPT, "argument": {"name": "nothing", "value": "a"}},
        {"ref": TEMPLATE, "argument": {"name": "topic", "value": "a"}},
        {"ref": PROMPT, "argument": {"name": "topic"}},
        {"ref": PROMPT, "argument": {"name": "topic", "value": 1}},
        {"ref": PROMPT},
        {"argument": TOPIC},
        {"ref": PROMPT, "argument": TOPIC, "context": {"arguments": {"count": 1}}},
        {"ref": PROMPT, "argument": TOPIC, "context": []},
    ],
)
async def test_a_completion_of_nothing_is_refused(here: Stage, params: dict[str, Any]) -> None:
    answer = await here.ask("completion/complete", params, id="mine")
    assert answer.refusal == INVALID
    assert answer.id == "mine"


async def test_a_completion_tells_no_more_than_the_type_does(here: Stage) -> None:
    for ref, name in ((PROMPT, "topic"), (TEMPLATE, "user")):
        params = {"ref": ref, "argument": {"name": name, "value": ""}}
        for can in ({}, ALL):
            completion = (await here.ask("completion/complete", params, capabilities=can)).result["completion"]
            assert completion["values"] == []


async def test_a_reference_to_the_network_is_listed_and_not_followed(
    here: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody opens a connection")

    monkeypatch.setattr(socket.socket, "connect", nobody)
    monkeypatch.setattr(socket.socket, "connect_ex", nobody)
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    schema = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}

    @tool(input_schema=schema)
    def outward(a: int = 1) -> int:
        return a

    here.tools.add(outward)
    listed = {each["name"]: each["inputSchema"] for each in (await here.ask("tools/list")).result["tools"]}
    assert listed["outward"] == schema
    called = await here.ask("tools/call", {"name": "outward", "arguments": {"a": 2}})
    assert called.result["structuredContent"] == 2
