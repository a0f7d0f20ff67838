"""What a `Result` has beside its data, in every revision and dialect, in tasks, and where it is too large."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jsonschema
import pytest
from every_revision import VERSIONS, Caller
from legacy_client import MCP, SECONDS, STREAM, Events, Stage, decoded
from mcp_types.methods import validate_server_result
from pydantic import BaseModel

from mcp_app import Audio, Image, ResourceLink, Result, tool
from mcp_app.protocol.mcp.revisions import STATELESS

EVENTS = "/api/v1/mcp/sse"
RUNS = "/api/v1/mcp/runs"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
WAV = b"RIFF" + bytes(4) + b"WAVE" + bytes(20)
IMAGE = {"type": "image", "data": base64.b64encode(PNG).decode(), "mimeType": "image/png"}
META = {"com.example/took": 3}


class Rows(BaseModel):
    rows: list[int]


ROWS = Rows(rows=[1, 2])


def rich(**changed: Any) -> dict[str, Any]:
    return {"text": "2 rows", "content": [Image(PNG)], "meta": META, **changed}


@tool(read_only=True)
async def found() -> Result[Rows]:
    """A model, with all that may stand beside it."""
    return Result(ROWS, **rich())


@tool
def stepwise() -> Iterator[int | Result[Rows]]:
    """The same of a generator."""
    yield 1
    yield Result(ROWS, **rich())


@tool
async def silent() -> Result[Rows]:
    """Without a text: the JSON stands for it."""
    return Result(ROWS, **rich(text=None))


@tool
async def undeclared():  # type: ignore[no-untyped-def]
    """Declares nothing."""
    return Result({"rows": [1, 2]}, **rich())


@tool
async def undeclared_list():  # type: ignore[no-untyped-def]
    """Declares nothing, and returns no object."""
    return Result([1, 2], text="2 rows")


@tool
async def single() -> Result[int]:
    """No object."""
    return Result(2, text="two")


@tool
async def pictures() -> Result[Image]:
    """Content with more of it beside it."""
    return Result(Image(PNG), text="a picture", content=["and a caption"])


@tool
async def newer() -> Result[None]:
    """What older revisions lack."""
    return Result(None, text="both", content=[Audio(WAV), ResourceLink("https://example.com/x", name="x")])


@tool
async def wrong() -> Result[Rows]:
    """Something that is no text."""
    return Result(ROWS, text=5)  # type: ignore[arg-type]


@pytest.fixture
def rich_stage(stage: Stage) -> Stage:
    for each in (found, stepwise, silent, undeclared, undeclared_list, single, pictures, newer, wrong):
        stage.tools.add(each)
    return stage


def is_structured(version: str) -> bool:
    return version >= "2025-06-18"


# --- by MCP ----------------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("name", ["found", "stepwise"])
async def test_the_text_the_blocks_the_value_and_meta(rich_stage: Stage, version: str, name: str) -> None:
    caller = Caller(rich_stage, version)
    result = await caller.call(name)
    assert result["content"] == [{"type": "text", "text": "2 rows"}, IMAGE]
    assert result.get("structuredContent") == ({"rows": [1, 2]} if is_structured(version) else None)
    assert {**result["_meta"], **META} == result["_meta"]
    schema = await caller.schema(name)
    if is_structured(version):
        assert schema["properties"]["rows"]["type"] == "array"
        jsonschema.Draft202012Validator(schema).validate(result["structuredContent"])
    if version != "2024-11-05":
        validate_server_result("tools/call", version, result)
    last = (await caller.streamed(name))[-1]["result"]
    assert last["content"] == result["content"]
    assert last["_meta"].items() >= META.items()


@VERSIONS
async def test_of_a_generator_the_parts_and_an_authors_meta_stand_together(rich_stage: Stage, version: str) -> None:
    meta = (await Caller(rich_stage, version).call("stepwise"))["_meta"]
    assert [value for name, value in meta.items() if name.endswith("/partial")] == [[1]]
    assert meta["com.example/took"] == 3


@VERSIONS
async def test_without_a_text_the_json_stands_for_it(rich_stage: Stage, version: str) -> None:
    result = await Caller(rich_stage, version).call("silent")
    assert result["content"] == [{"type": "text", "text": '{"rows":[1,2]}'}, IMAGE]
    assert result.get("structuredContent") == ({"rows": [1, 2]} if is_structured(version) else None)


@VERSIONS
async def test_data_is_not_lost_where_nothing_is_declared_and_a_text_stands_for_it(
    rich_stage: Stage, version: str
) -> None:
    caller = Caller(rich_stage, version)
    for name, data in (("undeclared", {"rows": [1, 2]}), ("undeclared_list", [1, 2])):
        assert await caller.schema(name) is None
        result = await caller.call(name)
        assert result["content"][0] == {"type": "text", "text": "2 rows"}
        structured = data if version == STATELESS else {"result": data} if is_structured(version) else None
        assert result.get("structuredContent") == structured


@VERSIONS
async def test_a_value_that_is_no_object(rich_stage: Stage, version: str) -> None:
    result = await Caller(rich_stage, version).call("single")
    assert result["content"] == [{"type": "text", "text": "two"}]
    structured = 2 if version == STATELESS else {"result": 2} if is_structured(version) else None
    assert result.get("structuredContent") == structured


@VERSIONS
async def test_data_that_is_content_stands_between_text_and_blocks(rich_stage: Stage, version: str) -> None:
    result = await Caller(rich_stage, version).call("pictures")
    texts = [{"type": "text", "text": each} for each in ("a picture", "and a caption")]
    assert result["content"] == [texts[0], IMAGE, texts[1]]
    assert "structuredContent" not in result


@VERSIONS
async def test_blocks_are_those_of_the_revision(rich_stage: Stage, version: str) -> None:
    result = await Caller(rich_stage, version).call("newer")
    audio = "resource" if version == "2024-11-05" else "audio"
    link = "resource_link" if is_structured(version) else "text"
    assert [each["type"] for each in result["content"]] == ["text", audio, link]


@VERSIONS
async def test_what_is_no_text_is_a_failure_of_the_tool(
    rich_stage: Stage, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = await Caller(rich_stage, version).call("wrong")
    assert result["isError"] is True
    assert "The tool wrong gave a Result with a text of type int, not str." in result["content"][0]["text"]
    assert "The tool wrong gave a Result with a text of type int" in caplog.text


async def test_an_author_cannot_take_the_place_of_our_own_meta(stage: Stage) -> None:
    @tool
    async def takes() -> AsyncIterator[int | Result[int]]:
        yield 7
        yield Result(1, meta={key: "mine"})

    key = "unset"
    stage.tools.add(takes)
    caller = Caller(stage, STATELESS)
    key = next(name for name in (await caller.call("takes"))["_meta"] if name.endswith("/partial"))
    assert (await caller.call("takes"))["_meta"][key] == [7]


# --- in the plain dialect --------------------------------------------------------------------------------------------

BESIDE = {"text": "2 rows", "content": [IMAGE], "meta": META}


async def plain(stage: Stage, name: str, accept: str) -> dict[str, Any]:
    answer = await stage.ask("POST", {"tool": name}, path=EVENTS, accept=accept)
    end: dict[str, Any] = (await Events(answer).rest())[-1] if accept == STREAM else decoded(answer)
    return end


BOTH_WAYS = pytest.mark.parametrize("accept", [STREAM, "application/json"])


@BOTH_WAYS
async def test_to_a_plain_client_it_stands_beside_the_data(rich_stage: Stage, accept: str) -> None:
    for name in ("found", "stepwise", "undeclared"):
        end = await plain(rich_stage, name, accept)
        assert (end["type"], end["data"]) == ("complete", {"rows": [1, 2]})
        assert end["metadata"]["beside"] == BESIDE
        assert "content" not in end["metadata"]
    end = await plain(rich_stage, "pictures", accept)
    assert (end["data"], end["metadata"]["content"]) == ([IMAGE], True)
    assert end["metadata"]["beside"] == {"text": "a picture", "content": [{"type": "text", "text": "and a caption"}]}


async def test_a_detached_run_shows_it_in_its_state_and_a_repeated_start_in_its_stream(rich_stage: Stage) -> None:
    started = decoded(await rich_stage.ask("POST", {"tool": "found"}, path=RUNS))
    run = await rich_stage.runs.find(started["id"], "anonymous")
    await asyncio.wait_for(run.stopped(), SECONDS)
    state = decoded(await rich_stage.ask("GET", path=started["url"]))
    assert (state["data"], state["metadata"]["beside"]) == ({"rows": [1, 2]}, BESIDE)
    path = f"{EVENTS}?tool=found&run={'k' * 16}"
    streams = [await Events(await rich_stage.ask("GET", path=path, accept=STREAM)).rest() for _ in range(2)]
    assert streams[0] == streams[1]
    assert streams[0][-1]["metadata"]["beside"] == BESIDE


# --- as a task -------------------------------------------------------------------------------------------------------


async def test_a_task_has_it_in_its_result(stage: Stage) -> None:
    @tool(task="must")
    async def later() -> Result[Rows]:
        return Result(ROWS, **rich())

    stage.tools.add(later)
    prefix = "io.modelcontextprotocol/"
    tasks = {"extensions": {f"{prefix}tasks": {}}}

    async def asked(method: str, params: dict[str, Any]) -> dict[str, Any]:
        meta = {f"{prefix}protocolVersion": STATELESS, f"{prefix}clientCapabilities": tasks}
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        headers = {"mcp_method": method, "mcp_name": params.get("name") or params["taskId"]}
        answer = await stage.ask("POST", message, path=MCP, mcp_protocol_version=STATELESS, **headers)
        result: dict[str, Any] = decoded(answer)["result"]
        return result

    task = await asked("tools/call", {"name": "later", "arguments": {}})
    await asyncio.wait_for((await stage.runs.find(task["taskId"], "anonymous")).stopped(), SECONDS)
    result = (await asked("tasks/get", {"taskId": task["taskId"]}))["result"]
    assert result["content"] == [{"type": "text", "text": "2 rows"}, IMAGE]
    assert result["structuredContent"] == {"rows": [1, 2]}
    assert result["_meta"].items() >= META.items()


# --- too large for an event ------------------------------------------------------------------------------------------

LARGE = b"\x89PNG\r\n\x1a\n" + bytes(1_500_000)


@tool
async def large_picture() -> Result[Rows]:
    """A large picture beside a value."""
    return Result(ROWS, **rich(content=["small", Image(LARGE)]))


@tool
async def large_data() -> Result[str]:
    """A large value with a small picture beside it."""
    return Result("x" * 1_500_000, **rich())


@tool
async def large_text() -> Result[int]:
    """Nothing that could be linked."""
    return Result(1, text="x" * 1_500_000)


@VERSIONS
async def test_a_large_picture_beside_a_value_is_linked_and_the_value_stays(stage: Stage, version: str) -> None:
    stage.tools.add(large_picture)
    caller = Caller(stage, version)
    result = await caller.call("large_picture")
    assert not result.get("isError")
    assert result.get("structuredContent") == ({"rows": [1, 2]} if is_structured(version) else None)
    assert [each.get("text") for each in result["content"][:2]] == ["2 rows", "small"]
    link = result["content"][2]
    uri = link["uri"] if is_structured(version) else link["text"].split("\n")[0].split(": ", 1)[1]
    response = await caller.request("resources/read", {"uri": uri, "name": uri})
    assert base64.b64decode(response["result"]["contents"][0]["blob"]) == LARGE


@VERSIONS
async def test_large_data_is_a_link_and_what_is_beside_it_is_there(stage: Stage, version: str) -> None:
    stage.tools.add(large_data)
    result = await Caller(stage, version).call("large_data")
    assert result.get("isError", False) is is_structured(version)  # older ones have no schemas
    assert {"type": "text", "text": "2 rows"} in result["content"]
    assert IMAGE in result["content"]
    assert "run://" in json.dumps(result["content"])
    assert result["_meta"].items() >= META.items()


@BOTH_WAYS
async def test_to_a_plain_client_every_link_has_its_url(stage: Stage, accept: str) -> None:
    stage.tools.add(large_picture)
    stage.tools.add(large_data)
    end = await plain(stage, "large_picture", accept)
    assert end["data"] == {"rows": [1, 2]}
    assert "linked" not in end["metadata"]
    assert (end["metadata"]["beside"]["text"], end["metadata"]["beside"]["meta"]) == ("2 rows", META)
    _, link = end["metadata"]["beside"]["content"]
    assert (await stage.ask("GET", path=link["url"])).body == LARGE
    end = await plain(stage, "large_data", accept)
    assert end["metadata"]["linked"] is True
    assert end["metadata"]["beside"] == BESIDE
    assert (await stage.ask("GET", path=end["data"][0]["url"])).body == b"x" * 1_500_000


@BOTH_WAYS
async def test_a_text_that_is_too_large_is_an_error_that_says_so(stage: Stage, accept: str) -> None:
    stage.tools.add(large_text)
    end = await plain(stage, "large_text", accept)
    assert end["error"]["code"] == "event_too_large"
    assert "What a result has beside its data of 1500011 bytes is larger than the " in end["error"]["message"]


# --- a message that is too large for an event of a stream ------------------------------------------------------------


@tool
async def nearly(text: str | None = None) -> Result[str]:
    """A value that fits once into an event of MCP, and not twice."""
    return Result("x" * 700_000, text=text, content=[Image(PNG)])


async def test_a_streamed_response_has_the_short_text_or_cuts_what_stands_twice(stage: Stage) -> None:
    stage.tools.add(nearly)
    caller = Caller(stage, "2025-11-25")
    whole = {"result": "x" * 700_000}
    result = (await caller.streamed("nearly", text="long"))[-1]["result"]
    assert result["structuredContent"] == whole
    assert result["content"] == [{"type": "text", "text": "long"}, IMAGE]
    result = (await caller.streamed("nearly"))[-1]["result"]
    assert result["structuredContent"] == whole
    assert result["content"][0]["text"].startswith("This text is cut")
    assert 250_000 < len(result["content"][0]["text"]) < 400_000
    assert result["content"][1:] == [IMAGE]
