"""Letters between nodes: in order, done once, replied to; a log that is away, a node that is dead, a letter of another
release."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from loop_clock import on_loop_clock
from nodes_stage import now, settle

from mcp_app.eventlog.shared_memory import MemorySharedLog, SharedMemory
from mcp_app.nodes import letters
from mcp_app.nodes.letters import Letter
from mcp_app.nodes.post import Post
from mcp_app.protocol.errors import Cancelled, InternalError, LogUnavailable, UnknownRun


class Office:
    """A post, its log, and what has come."""

    def __init__(self, shared: SharedMemory) -> None:
        self.log = MemorySharedLog(shared)
        self.post = Post(self.log)
        self.came: list[Any] = []
        self.post.on("note", self.note)
        self.post.on("ask", self.ask)
        self.post.on("refuse", self.refuse)
        self.post.on("break", self.fail)

    def note(self, letter: Letter) -> None:
        self.came.append(letter["text"])

    async def ask(self, letter: Letter) -> str:
        self.came.append(letter["text"])
        await asyncio.sleep(1)
        return f"{letter['text']}!"

    def refuse(self, letter: Letter) -> None:
        raise UnknownRun("This run is not known.")

    def fail(self, letter: Letter) -> None:
        raise RuntimeError("a secret of this process")


@asynccontextmanager
async def offices(count: int = 2, lease: float = 1e9) -> AsyncIterator[list[Office]]:
    shared = SharedMemory(now, lease)
    made = [Office(shared) for _ in range(count)]
    for office in made:
        office.post.begin(await office.log.join())
    try:
        yield made
    finally:
        for office in made:
            await office.post.close()
            await office.log.close()


@on_loop_clock
async def test_letters_arrive_in_their_order_and_many_in_one_message() -> None:
    async with offices() as (here, there):
        for number in range(1000):
            here.post.tell(there.post.node, {"do": "note", "text": number})
        await settle()
        assert there.came == list(range(1000))


@on_loop_clock
async def test_they_wait_for_a_log_that_is_away() -> None:
    async with offices() as (here, there):
        here.log.reachable = False
        for number in range(3):
            here.post.tell(there.post.node, {"do": "note", "text": number})
        await asyncio.sleep(30)
        assert there.came == []
        here.log.reachable = True
        await asyncio.sleep(2)
        assert there.came == [0, 1, 2]


@on_loop_clock
async def test_a_letter_that_is_asked_again_is_done_once_and_answered_each_time() -> None:
    async with offices() as (here, there):
        letter = {"do": "ask", "text": "x"}
        with pytest.raises(TimeoutError):
            await here.post.ask(there.post.node, letter, 0.5, "an-id")
        assert await here.post.ask(there.post.node, letter, 10, "an-id") == "x!"
        assert await here.post.ask(there.post.node, letter, 10, "an-id") == "x!"
        assert there.came == ["x"]
        assert await here.post.ask(there.post.node, letter, 10) == "x!"
        assert there.came == ["x", "x"]


@on_loop_clock
async def test_an_error_of_a_reply_is_raised_where_it_was_asked_and_a_defect_is_masked() -> None:
    async with offices() as (here, there):
        with pytest.raises(UnknownRun, match="not known"):
            await here.post.ask(there.post.node, {"do": "refuse"}, 10)
        with pytest.raises(InternalError) as caught:
            await here.post.ask(there.post.node, {"do": "break"}, 10)
        assert "secret" not in str(caught.value)


@on_loop_clock
async def test_one_for_a_dead_node_is_told_of_and_keeps_no_other() -> None:
    async with offices(3) as (here, there, dead):
        told: list[str] = []
        here.post.on_dead = told.append
        node = dead.post.node
        await dead.log.leave(node)
        here.post.tell(node, {"do": "note", "text": "lost"})
        here.post.tell(there.post.node, {"do": "note", "text": "there"})
        await settle()
        assert told == [node]
        assert (there.came, dead.came) == (["there"], [])


@on_loop_clock
async def test_what_cannot_be_read_or_is_of_no_kind_that_is_known_is_left_out() -> None:
    async with offices() as (here, there):
        for message in (b"\xff", b"{}", b"[1]", b'[{"no":"kind"}]', b'[{"do":"note"}]'):
            await here.log.send(there.post.node, message)
        here.post.tell(there.post.node, {"do": "of a newer release"})
        here.post.tell(there.post.node, {"do": "break"})
        here.post.tell(there.post.node, {"do": "note", "text": "read"})
        await settle()
        assert there.came == ["read"]


@on_loop_clock
async def test_all_others_are_told_at_once() -> None:
    async with offices(3) as (here, there, elsewhere):
        await here.post.tell_all({"do": "note", "text": "x"})
        await settle()
        assert (here.came, there.came, elsewhere.came) == ([], ["x"], ["x"])
        here.log.reachable = False
        with pytest.raises(LogUnavailable):
            await here.post.tell_all({"do": "note", "text": "y"})


def test_an_error_is_of_its_class_again_and_one_of_a_newer_release_is_masked() -> None:
    error = letters.error_of(letters.error_object(Cancelled("No more.", hint="Try.")))
    assert (type(error), error.message, error.hint) == (Cancelled, "No more.", "Try.")
    assert type(letters.error_of({"code": "of_tomorrow", "message": "x", "hint": ""})) is InternalError
