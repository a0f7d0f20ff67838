"""What tools share in an application: there at every door, and closed whatever its owner's functions do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Annotated

import pytest
from quart.testing.app import LifespanError

from mcp_app import Context, Depends, Registry, Shared, complete, create_app, errors, override, prompt, resource, tool
from mcp_app.testing import client

BOOK: list[str] = []


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


async def test_it_is_there_for_tools_prompts_resources_and_completions(lane: bool) -> None:
    async with client(create_app(tools=[query], prompts=[ask], resources=[rows], lane=lane)) as plain:
        assert BOOK == ["open"]
        assert await plain.run("query", text="a") == "a by Pool of anonymous"
        assert await plain.with_options(by="get").run("query", text="b") == "b by Pool of anonymous"
        mcp = plain.with_options(era="2026-07-28")
        assert await mcp.run("query", text="c") == "c by Pool of anonymous"
        assert (await mcp.prompt("ask", word="red", plain="x")).text == "red by Pool of anonymous"
        assert (await mcp.read("rows://birds")).text == "birds of Pool"
        for argument in ("word", "plain"):
            assert await mcp.complete("ask", argument, "r") == ["red", "rose"]
        assert "conn" not in str([await each.tools() for each in (plain, mcp)])
        assert BOOK.count("open") == 1
    assert BOOK[-1] == "close"
    assert BOOK.count("take") == BOOK.count("give") == 4


async def test_a_parameter_that_is_made_cannot_be_sent() -> None:
    async with client(query) as c:
        with pytest.raises(errors.InvalidParams):
            await c.run("query", text="a", conn="mine")
        assert "take" not in BOOK


async def test_a_tool_that_is_added_later_has_it_made_then() -> None:
    registry = Registry()
    async with client(registry) as c:
        assert BOOK == []
        registry.add(query)
        assert await c.run("query", text="a") == "a by Pool of anonymous"
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
        async with client(query) as c:
            assert await c.run("query", text="a") == "a by nobody"
    assert BOOK == []


async def test_the_metric_of_abandoned_closings() -> None:
    async with create_app(tools=[query]).test_app() as app:
        page = await (await app.test_client().get("/metrics")).get_data(as_text=True)
    assert "# TYPE mcp_app_closings_abandoned counter\nmcp_app_closings_abandoned 0\n" in page
