"""What tools share in an application: there at every door, and closed whatever its owner's functions do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import pytest
from quart.testing.app import LifespanError

from mcp_app import Context, Depends, Registry, Shared, complete, create_app, override, prompt, resource, tool

BOOK: list[str] = []
SSE = "/api/v1/mcp/sse"


class Pool:
    """What is shared."""


async def make_pool() -> AsyncIterator[Pool]:
    BOOK.append("open")
    yield Pool()
    BOOK.append("close")


async def take(pool: Annotated[Pool, Shared(make_pool)], ctx: Context) -> AsyncIterator[str]:
    BOOK.append("take")
    yield f"{type(pool).__name__} of {ctx.principal}"
    BOOK.append("give")


def make_words() -> list[str]:
    return ["red", "rose", "blue"]


async def words(prefix: str, chosen: Mapping[str, str], words: Annotated[list[str], Shared(make_words)]) -> list[str]:
    return [each for each in words if each.startswith(prefix)]


def plain_words(prefix: str, chosen: Mapping[str, str], words: Annotated[list[str], Depends(make_words)]) -> list[str]:
    return [each for each in words if each.startswith(prefix)]


@tool(read_only=True)
async def query(text: str, conn: Annotated[str, Depends(take)]) -> str:
    return f"{text} by {conn}"


@prompt
async def ask(
    word: Annotated[str, complete(words)],
    plain: Annotated[str, complete(plain_words)],
    conn: Annotated[str, Depends(take)],
) -> str:
    return f"{word} by {conn}"


@resource("rows://{table}")
def rows(table: str, pool: Annotated[Pool, Shared(make_pool)]) -> str:
    return f"{table} of {type(pool).__name__}"


@pytest.fixture(autouse=True)
def empty_book() -> None:
    BOOK.clear()


def rpc(method: str, **params: Any) -> dict[str, Any]:
    meta = {
        f"io.modelcontextprotocol/{name}": value
        for name, value in {
            "protocolVersion": "2026-07-28",
            "clientCapabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }.items()
    }
    name = params.get("name") or params.get("uri")
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}
    return {
        "json": {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, **params}},
        "headers": {**headers, "Mcp-Method": method, **({"Mcp-Name": name} if name else {})},
    }


def message(text: str) -> dict[str, Any]:
    """A JSON-RPC answer, as JSON or as the only event of a stream."""
    data = next((line[6:] for line in text.splitlines() if line.startswith("data: ")), text)
    found: dict[str, Any] = json.loads(data)
    return found


async def test_it_is_there_for_tools_prompts_resources_and_completions(lane: bool) -> None:
    app = create_app(tools=[query], prompts=[ask], resources=[rows], lane=lane)
    async with app.test_app():
        assert BOOK == ["open"]
        client = app.test_client()

        async def asked(method: str, **params: Any) -> Any:
            answer = await client.post("/mcp", **rpc(method, **params))
            return message(await answer.get_data(as_text=True))["result"]

        plain = await client.post(SSE, json={"tool": "query", "params": {"text": "a"}}, headers={"Accept": "*/*"})
        assert "a by Pool of anonymous" in await plain.get_data(as_text=True)
        streamed = await client.get(f"{SSE}?tool=query&text=b", headers={"Accept": "text/event-stream"})
        assert "b by Pool of anonymous" in await streamed.get_data(as_text=True)
        called = await asked("tools/call", name="query", arguments={"text": "c"})
        assert called["content"][0]["text"] == "c by Pool of anonymous"
        got = await asked("prompts/get", name="ask", arguments={"word": "red", "plain": "x"})
        assert got["messages"][0]["content"]["text"] == "red by Pool of anonymous"
        read = await asked("resources/read", uri="rows://birds")
        assert read["contents"][0]["text"] == "birds of Pool"
        for argument in ("word", "plain"):
            reference = {"type": "ref/prompt", "name": "ask"}
            found = await asked("completion/complete", ref=reference, argument={"name": argument, "value": "r"})
            assert found["completion"]["values"] == ["red", "rose"]
        listed = await client.get("/api/v1/mcp/tools")
        assert "conn" not in await listed.get_data(as_text=True)
        assert BOOK.count("open") == 1
    assert BOOK[-1] == "close"
    assert BOOK.count("take") == BOOK.count("give") == 4


async def test_a_parameter_that_is_made_cannot_be_sent() -> None:
    async with create_app(tools=[query]).test_app() as app:
        call = {"tool": "query", "params": {"text": "a", "conn": "mine"}}
        answer = await app.test_client().post(SSE, json=call, headers={"Accept": "application/json"})
        assert answer.status_code == 422
        assert "take" not in BOOK


async def test_a_tool_that_is_added_later_has_it_made_then() -> None:
    registry = Registry()
    async with create_app(tools=registry).test_app() as app:
        assert BOOK == []
        registry.add(query)
        call = {"tool": "query", "params": {"text": "a"}}
        answer = await app.test_client().post(SSE, json=call, headers={"Accept": "application/json"})
        assert (await answer.get_json())["data"] == "a by Pool of anonymous"
        assert BOOK[0] == "open"
    assert BOOK[-1] == "close"


async def test_an_application_that_is_started_again_makes_it_again() -> None:
    app = create_app(tools=[query])
    for _ in range(2):
        async with app.test_app():
            pass
    assert BOOK == ["open", "close"] * 2


async def test_it_is_closed_when_the_owners_start_fails(lane: bool) -> None:
    app = create_app(tools=[query], lane=lane)

    @app.before_serving
    async def fails() -> None:
        raise OSError("no disk")

    with pytest.raises(LifespanError, match="no disk"):
        async with app.test_app():
            pass
    assert BOOK == ["open", "close"]


async def test_it_is_closed_when_the_owners_stop_fails(lane: bool) -> None:
    app = create_app(tools=[query], lane=lane)

    @app.while_serving
    async def fails() -> AsyncIterator[None]:  # type: ignore[misc]
        yield
        raise OSError("no disk")

    with pytest.raises(LifespanError, match="no disk"):
        async with app.test_app():
            pass
    assert BOOK == ["open", "close"]


async def test_the_owners_own_is_opened_after_it_and_closed_before_it() -> None:
    app = create_app(tools=[query])

    @app.while_serving
    async def own() -> AsyncIterator[None]:  # type: ignore[misc]
        BOOK.append("own open")
        yield
        BOOK.append("own close")

    async with app.test_app():
        pass
    assert BOOK == ["open", "own open", "own close", "close"]


async def test_an_override_at_the_start_makes_nothing() -> None:
    with override(take, "nobody"):
        async with create_app(tools=[query]).test_app() as app:
            call = {"tool": "query", "params": {"text": "a"}}
            answer = await app.test_client().post(SSE, json=call, headers={"Accept": "application/json"})
            assert (await answer.get_json())["data"] == "a by nobody"
    assert BOOK == []


async def test_the_metric_of_abandoned_closings() -> None:
    async with create_app(tools=[query]).test_app() as app:
        page = await (await app.test_client().get("/metrics")).get_data(as_text=True)
    assert "# TYPE mcp_app_closings_abandoned counter\nmcp_app_closings_abandoned 0\n" in page
