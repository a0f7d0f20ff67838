"""What a call becomes in every revision: a part is a part, and an author's error the author's, however it looks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jsonschema
import pytest
from every_revision import VERSIONS, Caller
from legacy_client import Stage
from pydantic import BaseModel

from mcp_app import Context, Image, Result, ToolError, tool
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452")


async def plain(stage: Stage, name: str, *, accept: str = "application/json", **params: Any) -> Answer:
    return await stage.ask("POST", {"tool": name, "params": params}, path="/api/v1/mcp/sse", accept=accept)


# --- parts of a result that look like progress -----------------------------------------------------------------------

LOOKS: list[Any] = [{"message": "hello"}, {}, {"message": "world", "by": "x"}, {"message": ""}]


@tool
async def chat() -> AsyncIterator[dict[str, str]]:
    """Yield what looks like progress."""
    for each in LOOKS:
        yield each


@tool
async def parts(ctx: Context) -> str:
    """Send what looks like progress, and progress."""
    await ctx.progress(1, 2, "working")
    for each in LOOKS:
        await ctx.partial(each)
    await ctx.progress(2, 2)
    return "done"


@VERSIONS
async def test_items_that_look_like_progress_are_in_the_result(stage: Stage, version: str) -> None:
    stage.tools.add(chat)
    result = await Caller(stage, version).call("chat")
    assert [json.loads(block["text"]) for block in result["content"]] == LOOKS


@VERSIONS
async def test_parts_that_look_like_progress_are_in_the_result_and_progress_is_not(stage: Stage, version: str) -> None:
    stage.tools.add(parts)
    result = await Caller(stage, version).call("parts")
    assert [block["text"] for block in result["content"]] == ["done"]
    [kept] = [value for name, value in result["_meta"].items() if name.endswith("/partial")]
    assert kept == LOOKS


@VERSIONS
async def test_the_items_of_a_generator_are_counted(stage: Stage, version: str) -> None:
    stage.tools.add(chat)
    events = await Caller(stage, version).streamed("chat")
    assert [each["params"]["progress"] for each in events if each.get("method") == "notifications/progress"] == [
        *range(1, len(LOOKS) + 1)
    ]


async def test_to_a_plain_client_all_of_it_is_progress(stage: Stage) -> None:
    stage.tools.add(parts)
    progress = json.loads((await plain(stage, "parts")).body)["progress"]
    assert [(each["type"], each["data"]) for each in progress] == [
        ("progress", {"message": "working"}),
        *(("progress", each) for each in LOOKS),
        ("progress", {}),
    ]
    stage.tools.add(chat)
    answer = await plain(stage, "chat", accept="text/event-stream")
    assert isinstance(answer.body, Frames)
    sent = b"".join([chunk async for chunk in answer.body]).decode()
    assert 'data: {"type":"progress","data":{"message":"hello"}}' in sent
    assert 'data: {"type":"progress","data":{}}' in sent


# --- whose an error is -----------------------------------------------------------------------------------------------

CODES = ["not_found", "overloaded", "cancelled", "invalid_request", "left", "purged", "time_cap", "no_customer"]
"""All but the last are codes of the server's own as well."""


@tool
async def refuses(code: str) -> str:
    """Raise an error of the author's own."""
    raise type("Own", (ToolError,), {"code": code})("Read me.")


@VERSIONS
@pytest.mark.parametrize("code", CODES)
async def test_an_authors_error_is_for_the_model_whatever_its_code(stage: Stage, version: str, code: str) -> None:
    stage.tools.add(refuses)
    result = await Caller(stage, version).call("refuses", code=code)
    assert result["isError"] is True
    assert result["content"][0]["text"].startswith("Read me.")


# --- what was not declared -------------------------------------------------------------------------------------------


@tool
async def number() -> int:
    """Return no number."""
    return Image(PNG)  # type: ignore[return-value]


@tool
async def numbers() -> list[int]:
    """Return no numbers."""
    return [Image(PNG)]  # type: ignore[list-item]


@tool
def unfinished() -> Iterator[int | Result[str]]:
    """End without the result."""
    yield 1


@tool
def yields_no_number() -> Iterator[int]:
    """Yield no number."""
    yield Image(PNG)  # type: ignore[misc]


@VERSIONS
@pytest.mark.parametrize("each", [number, numbers, unfinished, yields_no_number], ids=lambda each: each.name)
async def test_what_was_not_declared_is_a_failure(stage: Stage, version: str, each: Any) -> None:
    stage.tools.add(each)
    result = await Caller(stage, version).call(each.name)
    assert result["isError"] is True
    assert "declare" in result["content"][0]["text"]
    error = json.loads((await plain(stage, each.name)).body)["error"]
    assert error["code"] == "tool_failed"


@tool
async def anything() -> list[Any]:
    """Return what its annotation takes."""
    return [Image(PNG)]


@VERSIONS
async def test_who_declares_any_value_may_return_content(stage: Stage, version: str) -> None:
    stage.tools.add(anything)
    caller = Caller(stage, version)
    schema, result = await caller.schema("anything"), await caller.call("anything")
    assert [block["type"] for block in result["content"]] == ["image"]
    if schema is None:
        assert "structuredContent" not in result
    else:
        jsonschema.Draft202012Validator(schema).validate(result["structuredContent"])


# --- results that are objects by chance ------------------------------------------------------------------------------


class User(BaseModel):
    id: int


@tool
async def find(id: int) -> User | None:  # noqa: A002 - what is looked for
    """Find one, or none."""
    return User(id=id) if id else None


@VERSIONS
@pytest.mark.parametrize("which", [0, 1])
async def test_an_optional_object_fits_the_schema_that_is_listed(stage: Stage, version: str, which: int) -> None:
    stage.tools.add(find)
    caller = Caller(stage, version)
    schema, result = await caller.schema("find"), await caller.call("find", id=which)
    if schema is None:
        assert "structuredContent" not in result
    else:
        jsonschema.Draft202012Validator(schema).validate(result["structuredContent"])
    assert json.loads(result["content"][0]["text"]) == ({"id": 1} if which else None)
