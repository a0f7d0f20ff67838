"""Results that are too large for an event: a link in every revision and dialect, and what it leads to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from every_revision import VERSIONS, Caller, client_of
from legacy_client import SECONDS, STREAM, Events, Stage, decoded
from mcp_types.methods import validate_server_result

from mcp_app import File, Image, Result, prompt, resource, tool
from mcp_app.protocol.access import Access
from mcp_app.protocol.event import encode
from mcp_app.protocol.linked import MAX_RESULT_BYTES
from mcp_app.runs.results import METADATA_BYTES

EVENTS = "/api/v1/mcp/sse"
RUNS = "/api/v1/mcp/runs"
MODERN = "2026-07-28"
PNG = b"\x89PNG\r\n\x1a\n" + hashlib.shake_128(b"picture").digest(1_500_000)
TEXT = "é€ \n" * 400_000
BOUND = 1024 * 1024
ROOM = BOUND - METADATA_BYTES


@tool(read_only=True)
async def picture() -> Image:
    """A large picture."""
    return Image(PNG)


@tool(read_only=True)
def rows() -> list[Any]:
    """A picture, and a file."""
    return ["two files", Image(PNG), File(b"a,b\n" * 300_000, name="rows.csv")]


@tool(read_only=True)
async def text() -> str:
    """Declares what it returns."""
    return TEXT


@tool(read_only=True)
async def undeclared():  # type: ignore[no-untyped-def]
    """Declares nothing."""
    return {"text": TEXT}


@tool(read_only=True)
async def parts() -> AsyncIterator[str | Result[str]]:
    """Large parts, one after the other."""
    yield "small"
    for _ in range(3):
        yield TEXT
    yield Result("done")


@tool(read_only=True)
async def huge() -> str:
    """Larger than anything that is kept."""
    return "x" * (MAX_RESULT_BYTES + 1)


@tool(read_only=True)
def huge_picture() -> Image:
    """The same as a picture."""
    return Image(PNG + bytes(MAX_RESULT_BYTES))


TOOLS = [picture, rows, text, undeclared, parts, huge, huge_picture]


@pytest.fixture
def large(stage: Stage) -> Stage:
    for each in TOOLS:
        stage.tools.add(each)
    return stage


def links(result: Any, version: str) -> list[dict[str, Any]]:
    """The links of a result: blocks, or in the older revisions their texts."""
    if version >= "2025-06-18":
        return [each for each in result["content"] if each["type"] == "resource_link"]
    texts = [each["text"].split("\n")[0] for each in result["content"] if each["type"] == "text"]
    return [{"uri": each.split(": ", 1)[1]} for each in texts if ": run://" in each]


# --- by MCP ----------------------------------------------------------------------------------------------------------


@VERSIONS
async def test_a_large_picture_is_linked_and_the_link_leads_to_it(large: Stage, version: str) -> None:
    client = await client_of(large, version)
    result = await client.result("tools/call", {"name": "picture", "arguments": {}})
    assert not result.get("isError")
    (link,) = links(result, version)
    if version >= "2025-06-18":
        assert (link["mimeType"], link["size"], link["name"]) == ("image/png", len(PNG), "result-1.png")
    read = await client.result("resources/read", {"uri": link["uri"]})
    (contents,) = read["contents"]
    assert (contents["uri"], contents["mimeType"]) == (link["uri"], "image/png")
    assert base64.b64decode(contents["blob"]) == PNG
    if version == MODERN:
        assert (read["ttlMs"], read["cacheScope"]) == (0, "private")
        validate_server_result("tools/call", MODERN, result)
        validate_server_result("resources/read", MODERN, read)


@VERSIONS
async def test_of_several_blocks_only_the_large_are_linked(large: Stage, version: str) -> None:
    client = await client_of(large, version)
    result = await client.result("tools/call", {"name": "rows", "arguments": {}})
    assert result["content"][0]["text"] == "two files"
    first, second = links(result, version)
    seen = (await client.result("resources/read", {"uri": first["uri"]}))["contents"][0]
    assert base64.b64decode(seen["blob"]) == PNG
    rows = (await client.result("resources/read", {"uri": second["uri"]}))["contents"][0]
    assert (rows["mimeType"], rows["text"]) == ("text/csv", "a,b\n" * 300_000)


@VERSIONS
async def test_a_value_without_a_schema_is_linked(large: Stage, version: str) -> None:
    client = await client_of(large, version)
    result = await client.result("tools/call", {"name": "undeclared", "arguments": {}})
    assert not result.get("isError")
    assert "structuredContent" not in result
    (link,) = links(result, version)
    (contents,) = (await client.result("resources/read", {"uri": link["uri"]}))["contents"]
    assert contents["mimeType"] == "application/json"
    assert json.loads(contents["text"]) == {"text": TEXT}


@VERSIONS
async def test_a_schema_is_never_broken_the_large_result_is_an_error_with_the_link(large: Stage, version: str) -> None:
    """ "Servers MUST provide structured results that conform to this schema": or none, which only an error may have."""
    client = await client_of(large, version)
    result = await client.result("tools/call", {"name": "text", "arguments": {}})
    if version != "2024-11-05":
        validate_server_result("tools/call", version, result)
    assert "structuredContent" not in result
    assert result.get("isError", False) is (version >= "2025-06-18")  # older ones have no schemas
    (link,) = links(result, version)
    if version >= "2025-06-18":
        said = result["content"][0]["text"]
        assert str(len(TEXT.encode())) in said
        assert str(BOUND) in said
        assert link["uri"] in said
    (contents,) = (await client.result("resources/read", {"uri": link["uri"]}))["contents"]
    assert (contents["mimeType"], contents["text"]) == ("text/plain", TEXT)


@VERSIONS
async def test_what_is_too_large_to_keep_says_so_to_its_caller(large: Stage, version: str) -> None:
    client = await client_of(large, version)
    for name in ("huge", "huge_picture"):
        result = await client.result("tools/call", {"name": name, "arguments": {}})
        assert result["isError"] is True
        said = result["content"][0]["text"]
        assert f"larger than the {MAX_RESULT_BYTES} bytes" in said
        assert "Ask for less at once" in said


@VERSIONS
async def test_what_is_not_kept_is_no_resource(large: Stage, version: str) -> None:
    client = await client_of(large, version)
    result = await client.result("tools/call", {"name": "picture", "arguments": {}})
    uri = links(result, version)[0]["uri"]
    run = uri.removeprefix("run://")[:32]
    code = -32602 if version == MODERN else -32002
    for unknown in (f"run://{run}/results/2", f"run://{'0' * 32}/results/1", f"run://{run}/results/01"):
        assert (await client.result("resources/read", {"uri": unknown}))["code"] == code


@VERSIONS
async def test_what_a_resource_or_prompt_gives_has_no_links_and_says_how_large_it_was(
    large: Stage, version: str
) -> None:
    @resource("test://large")
    def large_resource() -> bytes:
        return PNG

    @prompt
    def large_prompt() -> str:
        return TEXT

    large.resources.add(large_resource)
    large.prompts.add(large_prompt)
    client = await client_of(large, version)
    for method, params in (("resources/read", {"uri": "test://large"}), ("prompts/get", {"name": "large_prompt"})):
        error = await client.result(method, params)
        assert error["code"] == -32603
        assert re.fullmatch(
            rf"A result of \d+ bytes is larger than the {ROOM} bytes that it may have\.", error["message"]
        )


async def test_an_authors_own_scheme_of_that_name_is_still_the_authors(large: Stage) -> None:
    @resource("run://{which}/results/{number}")
    def own(which: str, number: int) -> str:
        return f"{which} {number}"

    large.resources.add(own)
    client = Caller(large, MODERN)
    for which in ("x", "0" * 32):
        read = await client.result("resources/read", {"uri": f"run://{which}/results/1"})
        assert read["contents"][0]["text"] == f"{which} 1"
    uri = links(await client.result("tools/call", {"name": "picture", "arguments": {}}), MODERN)[0]["uri"]
    assert "blob" in (await client.result("resources/read", {"uri": uri}))["contents"][0]


async def test_it_is_its_principals_only(large: Stage) -> None:
    client = Caller(large, MODERN)
    uri = links(await client.result("tools/call", {"name": "picture", "arguments": {}}), MODERN)[0]["uri"]
    large.runs.known.runs[uri.removeprefix("run://")[:32]]._caller.access = Access("somebody else")
    assert (await client.result("resources/read", {"uri": uri}))["code"] == -32602
    answer = await large.ask("GET", path=uri.replace("run://", f"{RUNS}/"))
    assert answer.status == 404


async def test_the_bound_is_a_setting(make: Callable[..., Stage]) -> None:
    stage = make(max_event_bytes=64 * 1024)

    @tool
    async def some(size: int) -> Image:
        return Image(PNG[:size])

    stage.tools.add(some)
    client = Caller(stage, MODERN)
    for size, kind in ((40_000, "image"), (60_000, "resource_link")):
        result = await client.result("tools/call", {"name": "some", "arguments": {"size": size}})
        assert [each["type"] for each in result["content"]] == [kind]
    stage = make(max_event_bytes=4 * BOUND)
    stage.tools.add(picture)
    result = await Caller(stage, MODERN).result("tools/call", {"name": "picture", "arguments": {}})
    assert base64.b64decode(result["content"][0]["data"]) == PNG


# --- in the plain dialect --------------------------------------------------------------------------------------------


async def called(stage: Stage, name: str, accept: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The events before the last, and the last."""
    answer = await stage.ask("POST", {"tool": name}, path=EVENTS, accept=accept)
    if accept == STREAM:
        events = await Events(answer).rest()
        return events[1:-1], events[-1]
    value = decoded(answer)
    return value["progress"], value


BOTH_WAYS = pytest.mark.parametrize("accept", [STREAM, "application/json"])


@BOTH_WAYS
async def test_a_link_has_its_url(large: Stage, accept: str) -> None:
    for name, data, mime_type in (
        ("picture", PNG, "image/png"),
        ("text", TEXT.encode(), "text/plain"),
        ("undeclared", encode({"text": TEXT}), "application/json"),
    ):
        _, end = await called(large, name, accept)
        assert end["type"] == "complete"
        assert (end["metadata"]["content"], end["metadata"]["linked"]) == (True, True)
        (link,) = end["data"]
        assert (link["type"], link["mimeType"], link["size"]) == ("resource_link", mime_type, len(data))
        assert link["url"] == link["uri"].replace("run://", f"{RUNS}/")
        assert "kept until 600 seconds after the end of the run" in link["description"]
        answer = await large.ask("GET", path=link["url"])
        fields = dict(answer.headers)
        assert (answer.status, answer.body) == (200, data)
        assert fields["Content-Type"] == mime_type + ("; charset=utf-8" if mime_type == "text/plain" else "")
        assert fields["Accept-Ranges"] == "bytes"
        # Whatever a tool returns, it is no page of this server's.
        assert fields["Content-Security-Policy"] == "default-src 'none'; sandbox; frame-ancestors 'none'"
        assert fields["X-Content-Type-Options"] == "nosniff"
        assert fields["Content-Disposition"] == f"attachment; filename*=UTF-8''{link['name']}"


@BOTH_WAYS
async def test_parts_are_linked_one_by_one(large: Stage, accept: str) -> None:
    before, end = await called(large, "parts", accept)
    assert (before[0]["data"], end["data"]) == ("small", "done")
    assert [each["metadata"] for each in before[1:]] == [{"content": True, "linked": True}] * 3
    for number, each in enumerate(before[1:], 1):
        assert each["data"][0]["uri"].endswith(f"/results/{number}")
        assert (await large.ask("GET", path=each["data"][0]["url"])).body == TEXT.encode()


async def test_a_run_shows_the_url_in_its_state(large: Stage) -> None:
    started = decoded(await large.ask("POST", {"tool": "picture"}, path=RUNS))
    run = await large.runs.find(started["id"], "anonymous")
    await asyncio.wait_for(run.stopped(), SECONDS)
    state = decoded(await large.ask("GET", path=started["url"]))
    assert state["metadata"]["linked"] is True
    assert (await large.ask("GET", path=state["data"][0]["url"])).body == PNG


@BOTH_WAYS
async def test_what_is_too_large_is_an_error_that_says_what_to_do(large: Stage, accept: str) -> None:
    for name in ("huge", "huge_picture"):
        _, end = await called(large, name, accept)
        assert end["error"]["code"] == "event_too_large"
        assert f"larger than the {MAX_RESULT_BYTES} bytes" in end["error"]["message"]
        assert "Ask for less at once" in end["error"]["hint"]


async def test_ranges_and_conditions(large: Stage) -> None:
    _, end = await called(large, "picture", "application/json")
    url = end["data"][0]["url"]

    async def get(method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        answer = await large.ask(method, path=url, **headers)
        assert isinstance(answer.body, bytes)
        return answer.status, dict(answer.headers), answer.body

    size = len(PNG)
    _, fields, _ = await get()
    tag = fields["ETag"]
    status, fields, body = await get(range="bytes=10-19")
    assert (status, body, fields["Content-Range"]) == (206, PNG[10:20], f"bytes 10-19/{size}")
    assert (fields["ETag"], fields["Content-Type"]) == (tag, "image/png")
    status, fields, body = await get(range="bytes=-5")
    assert (status, body) == (206, PNG[-5:])
    status, fields, body = await get(range=f"bytes={size}-")
    assert (status, fields["Content-Range"]) == (416, f"bytes */{size}")
    assert json.loads(body)["error"]["code"] == "range_not_satisfiable"
    for headers in ({"range": "bytes=0-1,5-6"}, {"range": "lines=1-2"}, {"range": "bytes=0-1", "if_range": '"other"'}):
        status, fields, body = await get(**headers)
        assert (status, body, "Content-Range" in fields) == (200, PNG, False)
    assert (await get(range="bytes=0-1", if_range=tag))[0] == 206
    assert (await get(if_none_match=tag, range="bytes=0-1"))[::2] == (304, b"")
    status, fields, body = await get("HEAD", range="bytes=0-1")
    assert (status, fields["Content-Length"], body) == (200, str(size), b"")


async def test_what_there_is_not(large: Stage) -> None:
    _, end = await called(large, "picture", "application/json")
    url = end["data"][0]["url"]
    for wrong in (f"{url[:-1]}2", f"{url[:-1]}0", f"{url[:-1]}x", f"{url[:-1]}01", f"{RUNS}/{'0' * 32}/results/1"):
        answer = await large.ask("GET", path=wrong)
        assert (answer.status, decoded(answer)["error"]["code"]) == (404, "unknown_run"), wrong
    for wrong in (f"{url}/1", url.replace("results", "result"), f"{RUNS}//results/1/"):
        assert (await large.ask("GET", path=wrong)).status == 404
    assert (await large.ask("POST", {}, path=url)).status == 405
    started = decoded(await large.ask("POST", {"tool": "add", "params": {"a": 1, "b": 2}}, path=RUNS))
    answer = await large.ask("GET", path=f"{started['url']}/results/1")
    assert (answer.status, decoded(answer)["error"]["code"]) == (404, "unknown_run")


# --- as a task -------------------------------------------------------------------------------------------------------


async def test_a_call_that_may_be_a_task_and_ends_at_once_keeps_what_it_links(stage: Stage) -> None:
    @tool(task="may")
    async def now() -> Image:
        return Image(PNG)

    @tool(task="must")
    async def later() -> Image:
        return Image(PNG)

    stage.tools.add(now)
    stage.tools.add(later)
    tasks = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
    client = Caller(stage, MODERN, tasks)
    result = await client.result("tools/call", {"name": "now", "arguments": {}})
    (link,) = links(result, MODERN)
    assert "blob" in (await client.result("resources/read", {"uri": link["uri"]}))["contents"][0]
    task = await client.result("tools/call", {"name": "later", "arguments": {}})
    run = await stage.runs.find(task["taskId"], "anonymous")
    await asyncio.wait_for(run.stopped(), SECONDS)
    polled = await client.result("tasks/get", {"taskId": task["taskId"]})
    (link,) = links(polled["result"], MODERN)
    assert "blob" in (await client.result("resources/read", {"uri": link["uri"]}))["contents"][0]


async def test_what_a_task_keeps_of_its_request_is_weighed(stage: Stage) -> None:
    @tool(task="must")
    async def later(text: str) -> int:
        return len(text)

    stage.tools.add(later)
    client = Caller(stage, MODERN, {"extensions": {"io.modelcontextprotocol/tasks": {}}})
    task = await client.result("tools/call", {"name": "later", "arguments": {"text": "x" * 300_000}})
    run = await stage.runs.find(task["taskId"], "anonymous")
    await asyncio.wait_for(run.stopped(), SECONDS)
    assert 300_000 < stage.runs.finished.bytes < 700_000
