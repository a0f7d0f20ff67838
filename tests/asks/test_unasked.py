"""Most calls that could ask something never do: what asking takes is made for the first question, and once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from mcp_app.asking import CallState, InputRequired, LazyAsker, RetryAsker
from mcp_app.asking.asker import Ask, form
from mcp_app.protocol.errors import McpAppError

CAPABILITIES = {"elicitation": {"form": {}}}
LIMIT = 5.0


class Name(BaseModel):
    name: str


class Making:
    """Makes rounds, and counts them. `responses` are those of the client."""

    def __init__(self, responses: dict[str, Any] | None = None) -> None:
        self.made: list[RetryAsker] = []
        self.ends: asyncio.Queue[InputRequired | McpAppError] = asyncio.Queue()
        self.asker = LazyAsker(CAPABILITIES, self._make)
        self.asker.attach(self._emit, self.ends.put_nowait)
        self._responses = responses or {}

    def _make(self) -> RetryAsker:
        self.made.append(RetryAsker(CAPABILITIES, None, self._responses))
        return self.made[-1]

    async def _emit(self, _: object) -> None:
        raise AssertionError("a round says nothing on the stream")


def question() -> Ask[Name]:
    return form(Name, "Name?")


async def test_nothing_is_made_for_who_asks_nothing() -> None:
    making = Making()
    assert making.asker.capabilities == CAPABILITIES
    assert not making.asker.polled
    assert not making.made


async def test_the_first_round_ends_with_what_is_asked_in_it() -> None:
    making = Making()
    asked = [asyncio.create_task(making.asker.ask(question(), key)) for key in ("a", "b")]
    end = await asyncio.wait_for(making.ends.get(), LIMIT)
    assert isinstance(end, InputRequired)
    assert list(end.requests) == ["a", "b"]
    assert len(making.made) == 1
    for each in asked:
        each.cancel()
    await asyncio.wait(asked, timeout=LIMIT)
    assert not making.made[0].asking


async def test_what_is_made_once_is_kept_for_the_questions_after_it() -> None:
    making = Making()
    assert await making.asker.once.value("id", lambda: 7) == 7
    asked = asyncio.create_task(making.asker.ask(question(), "a"))
    end = await asyncio.wait_for(making.ends.get(), LIMIT)
    assert isinstance(end, InputRequired)
    assert CallState.from_payload(end.state).known == {"id": 7}
    asked.cancel()
    await asyncio.wait({asked}, timeout=LIMIT)


async def test_an_answer_that_came_with_the_call_is_taken() -> None:
    making = Making({"a": {"action": "accept", "content": {"name": "Ada"}}})
    assert await asyncio.wait_for(making.asker.ask(question(), "a"), LIMIT) == Name(name="Ada")
    assert making.ends.empty()


async def test_what_making_raises_reaches_who_asks() -> None:
    def broken() -> RetryAsker:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await LazyAsker(CAPABILITIES, broken).ask(question(), "a")
