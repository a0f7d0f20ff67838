"""Steps that ask their caller: the same user is asked, and what has ended is not called again in the next round."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel
from workflow_stage import TOOLS, of, step

from mcp_app import Context, errors, tool
from mcp_app.builtin.run_workflow.rounds import MAX_KEPT_CHARACTERS
from mcp_app.builtin.run_workflow.tool import StepFailed, run_workflow
from mcp_app.testing import DECLINE, Client, Era, Question, client

CALLS: list[str] = []


class Yes(BaseModel):
    yes: bool


@tool
async def effect(name: str, size: int = 1) -> str:
    """Do what must not be done twice."""
    CALLS.append(name)
    return f"{name} " * size


@tool(read_only=True)
async def look(name: str, size: int) -> str:
    """Look at something, which may be done again."""
    CALLS.append(name)
    return "x" * size


@tool
async def breaks(name: str) -> None:
    """Have an effect, and fail."""
    CALLS.append(name)
    raise errors.ToolError("broken")


@tool
async def confirm(ctx: Context, what: Any) -> bool:
    """Ask the user."""
    CALLS.append("confirm")
    return (await ctx.ask(Yes, f"Really {what}?")).yes


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    CALLS.clear()


@pytest.fixture
async def c() -> AsyncIterator[Client]:
    async with client(run_workflow, effect, look, breaks, confirm, *TOOLS) as opened:
        yield opened


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_what_has_ended_is_called_once_in_all_rounds(era: Era, c: Client) -> None:
    asked: list[Question] = []

    def answer(question: Question) -> dict[str, bool]:
        asked.append(question)
        return {"yes": True}

    result = await c.with_options(era=era, answer=answer).run(
        "run_workflow",
        steps=[
            step("pay", "effect", params={"name": "paid"}),
            step("broken", "breaks", params={"name": "tried"}, on_error="continue", needs=["pay"]),
            step("sure", "confirm", params={"what": of("pay")}, needs=["broken"]),
            step("again", "confirm", params={"what": of("sure")}),
            step("end", "effect", params={"name": "done"}, needs=["again"]),
        ],
    )
    assert [each["status"] for each in result["steps"]] == ["ok", "failed", "ok", "ok", "ok"]
    assert [question.message for question in asked] == ["Really paid ?", "Really True?"]
    assert (CALLS.count("paid"), CALLS.count("tried"), CALLS.count("done")) == (1, 1, 1)


async def test_questions_have_the_step_in_front_and_those_at_once_are_one_round(c: Client) -> None:
    """By which a client of MCP 2026-07-28 answers them."""
    keys: list[str | int] = []

    def answer(question: Question) -> dict[str, bool]:
        keys.append(question.key)
        return {"yes": True}

    await c.with_options(era="2026-07-28", answer=answer).run(
        "run_workflow", steps=[step("one", "confirm", params={"what": 1}), step("two", "confirm", params={"what": 2})]
    )
    assert keys == ["one/ask-1", "two/ask-1"]
    assert CALLS.count("confirm") == 4


async def test_what_is_at_work_when_a_round_ends_begins_again(c: Client) -> None:
    begun: list[int] = []

    @tool
    async def long() -> str:
        begun.append(1)
        await asyncio.sleep(0.05)
        return "done"

    async with client(run_workflow, long, confirm, era="2026-07-28", answer=lambda _: {"yes": True}) as c:
        result = await c.run("run_workflow", steps=[step("a", "long"), step("sure", "confirm", params={"what": 1})])
    assert [each["status"] for each in result["steps"]] == ["ok", "ok"]
    assert len(begun) == 2


@pytest.mark.parametrize("era", ["2026-07-28", "2025-11-25"])
async def test_a_user_who_declines_fails_the_step_and_is_not_asked_again(era: Era, c: Client) -> None:
    asking = c.with_options(era=era, answer=lambda _: DECLINE)
    with pytest.raises(StepFailed) as caught:
        await asking.run("run_workflow", steps=[step("sure", "confirm", params={"what": "so"})])
    assert "declined" in caught.value.details[0]["problem"]


async def test_who_cannot_be_asked_has_a_failed_step(c: Client) -> None:
    result = await c.run(
        "run_workflow",
        steps=[step("sure", "confirm", params={"what": "so"}, on_error="continue"), step("next", needs=["sure"])],
    )
    sure, following = result["steps"]
    assert sure["error"]["code"] == "missing_capability"
    assert following["status"] == "ok"


async def test_what_is_large_is_looked_at_again_and_effects_are_kept(c: Client) -> None:
    """A client carries 256 KiB from round to round."""
    result = await c.with_options(era="2026-07-28", answer=lambda _: {"yes": True}).run(
        "run_workflow",
        steps=[
            step("large", "look", params={"name": "seen", "size": MAX_KEPT_CHARACTERS}),
            step("small", "look", params={"name": "small", "size": 10}),
            step("pay", "effect", params={"name": "paid", "size": 1000}),
            step("sure", "confirm", params={"what": "so"}, needs=["large", "small", "pay"]),
        ],
        results=["sure"],
    )
    assert result["steps"][3]["result"] is True
    assert (CALLS.count("seen"), CALLS.count("small"), CALLS.count("paid")) == (2, 1, 1)


async def test_what_is_kept_of_all_that_may_be_repeated_has_one_bound(c: Client) -> None:
    half = MAX_KEPT_CHARACTERS * 6 // 10
    await c.with_options(era="2026-07-28", answer=lambda _: {"yes": True}).run(
        "run_workflow",
        steps=[
            step("a", "look", params={"name": "first", "size": half}),
            step("b", "look", params={"name": "second", "size": half}, needs=["a"]),
            step("sure", "confirm", params={"what": "so"}, needs=["b"]),
        ],
        results=["sure"],
    )
    assert (CALLS.count("first"), CALLS.count("second")) == (1, 2)


async def test_an_effect_that_cannot_be_kept_is_not_had_twice(c: Client) -> None:
    with pytest.raises(errors.EventTooLarge, match="is known in this round"):
        await c.with_options(era="2026-07-28", answer=lambda _: {"yes": True}).run(
            "run_workflow",
            steps=[
                step("pay", "effect", params={"name": "paid", "size": 100_000}),
                step("sure", "confirm", params={"what": "so"}, needs=["pay"]),
            ],
        )
    assert CALLS.count("paid") == 1
