"""The tests of hello.py and interview.py, as an author writes them: no server, no port, no sleep.

Run by `pytest examples/test_tools.py`, explained in docs/how-to-test-tools.md.
"""

import pytest

from mcp_app import ToolError, errors
from mcp_app.testing import DECLINE, Era, MakeClient, ProgressEvent, Question

pytest_plugins = "mcp_app.testing"

pytestmark = pytest.mark.asyncio  # not necessary with asyncio_mode = "auto"


async def test_hello_greets_letter_by_letter(mcp_client: MakeClient) -> None:
    async with mcp_client("hello.py") as c:
        run = c.run("hello", name="Ada")
        letters = [event.message async for event in run if isinstance(event, ProgressEvent)]
        assert letters == ["A", "d", "a"]
        assert await run == "Hello, Ada!"


async def test_a_long_countdown_is_kept_alive_and_ends_at_the_cap(mcp_client: MakeClient) -> None:
    async with mcp_client("hello.py", heartbeat_seconds=0.3) as c:
        run = c.run("countdown", start=1000)
        await c.clock.advance(10)
        assert len(run.events) == 22  # `started`, and one each half second
        assert run.heartbeats == 20
        await c.clock.advance(110)
        with pytest.raises(errors.TimeCap):
            await run


async def test_who_leaves_ends_the_countdown(mcp_client: MakeClient) -> None:
    async with mcp_client("hello.py") as c:
        run = c.run("countdown", start=1000)
        await run.until("progress")
        await run.leave()
        assert "countdown left" in run.log


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_an_order_is_what_the_user_says(mcp_client: MakeClient, era: Era) -> None:
    def answer(question: Question) -> object:
        assert question.message == "What would you like to drink?"
        return {"drink": "tea", "cups": 2}

    async with mcp_client("interview.py", era=era, answer=answer) as c:
        assert await c.run("order") == {"drink": "tea", "cups": 2, "euros": 3.6}


async def test_no_order_without_a_user(mcp_client: MakeClient) -> None:
    async with mcp_client("interview.py", era="2026-07-28") as c:
        with pytest.raises(ToolError, match=r"capability elicitation\.form was not declared"):
            await c.run("order")
        with pytest.raises(ToolError, match="declined"):
            await c.with_options(answer=lambda _: DECLINE).run("order")


async def test_the_price_list(mcp_client: MakeClient) -> None:
    async with mcp_client("interview.py", era="2026-07-28") as c:
        assert (await c.read("menu://tea")).text == '{"drink":"tea","euros":1.8}'
        assert await c.complete("menu://{drink}", "drink", "e") == ["espresso"]
        assert "raining" in (await c.prompt("recommend", weather="raining")).text
