"""Queues: who works, who waits, who is refused, and who would wait for itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_clock import on_loop_clock
from pydantic import AfterValidator
from runs_stage import Stage, read_to_end, settle, shown, take

from mcp_app import Context, tool
from mcp_app.authoring.at_once import AtOnce
from mcp_app.authoring.tool import Tool
from mcp_app.protocol.access import ANONYMOUS
from mcp_app.protocol.errors import Cancelled, QueueFull, ToolFailed
from mcp_app.protocol.policy import PLAIN_DETACHED, PLAIN_POST
from mcp_app.runs.queues import Queues, Ticket

TWO = AtOnce(2, waiting=2)
ONE = AtOnce(1, waiting=5)


# --- queues by themselves --------------------------------------------------------------------------------------------


def queue() -> Callable[..., Ticket]:
    queues = Queues()
    return lambda limit=ONE, arguments=None, ancestors=(): queues.join("f", limit, arguments or {}, ancestors)


async def test_so_many_work_and_so_many_wait() -> None:
    join = queue()
    tickets = [join(TWO) for _ in range(4)]
    assert [each.before for each in tickets] == [0, 0, 1, 2]
    with pytest.raises(QueueFull) as caught:
        join(TWO)
    assert caught.value.message == "The tool f works on 2 calls at once, and 2 wait already."
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "5"})
    tickets[0].leave()
    assert [each.before for each in tickets[1:]] == [0, 0, 1]


async def test_who_leaves_while_waiting_makes_room() -> None:
    join = queue()
    first, second, third = join(), join(), join()
    second.leave()
    second.leave()
    assert third.before == 1
    first.leave()
    assert third.before == 0


async def test_each_value_has_a_queue_of_its_own_and_none_is_kept() -> None:
    queues = Queues()
    limit = AtOnce(1, per="domain", argument="domain")
    tickets = [queues.join("f", limit, {"domain": name}) for name in ("a", "b", "a", 1, "1")]
    assert [each.before for each in tickets] == [0, 0, 1, 0, 0]
    assert queues.waiting == 1
    for each in tickets:
        each.leave()
    assert (queues.waiting, queues._queues) == (0, {})


async def test_two_tools_of_one_name_share_nothing() -> None:
    join = queue()
    assert [join(AtOnce(1)).before, join(AtOnce(1)).before] == [0, 0]


@on_loop_clock
async def test_a_thread_keeps_its_place_until_it_has_ended() -> None:
    join = queue()
    first, second = join(), join()
    outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    first.until(outcome)
    first.leave()
    assert second.before == 1
    outcome.set_result(None)
    await asyncio.sleep(0)
    assert second.before == 0
    second.leave()


@given(st.integers(1, 3), st.integers(0, 3), st.lists(st.integers(-9, 1), max_size=40))
def test_never_more_than_may_in_the_order_they_came(calls: int, waiting: int, steps: list[int]) -> None:
    """A step below zero ends one of those that are there, the others bring one more."""

    async def play() -> None:
        queues, limit = Queues(), AtOnce(calls, waiting)
        there: list[Ticket] = []
        for step in steps:
            if step < 0 and there:
                there.pop(step % len(there)).leave()
            elif len(there) < calls + waiting:
                there.append(queues.join("f", limit, {}))
            else:
                with pytest.raises(QueueFull):
                    queues.join("f", limit, {})
            assert [each.before for each in there] == [max(0, n - calls + 1) for n in range(len(there))]
            assert queues.waiting == max(0, len(there) - calls)
        for each in there:
            each.leave()
        assert queues._queues == {}

    asyncio.run(play())


# --- who would wait for itself ---------------------------------------------------------------------------------------


async def test_a_child_that_would_wait_for_its_parent_fails_at_once() -> None:
    join = queue()
    parent = join()
    with pytest.raises(ToolFailed, match="The tool f works on one call at once, and would wait here for a call that"):
        join(ancestors=(parent,))
    assert join().before == 1


async def test_a_child_waits_where_somebody_else_will_be_done() -> None:
    join = queue()
    parent, other = join(TWO), join(TWO)
    child = join(TWO, ancestors=(parent,))
    assert child.before == 1
    other.leave()
    assert child.before == 0


async def test_the_last_of_those_that_wait_for_each_other_fails() -> None:
    join = queue()
    a, b = AtOnce(1), AtOnce(1)
    one, two = join(a), join(b)
    child = join(b, ancestors=(one,))
    with pytest.raises(ToolFailed):
        join(a, ancestors=(two,))
    two.leave()
    assert child.before == 0


async def test_both_children_of_two_parents_cannot_wait_for_both() -> None:
    join = queue()
    one, two = join(TWO), join(TWO)
    join(TWO, ancestors=(one,))
    with pytest.raises(ToolFailed):
        join(TWO, ancestors=(two,))


async def test_a_grandchild_waits_for_its_grandparent() -> None:
    join = queue()
    a, b = AtOnce(1), AtOnce(1)
    top = join(a)
    middle = join(b, ancestors=(top,))
    with pytest.raises(ToolFailed):
        join(a, ancestors=(top, middle))


async def test_who_is_found_to_go_on_holds_nobody_up() -> None:
    """A call below one that works is waiting, and will be done: what it works for is not stuck."""
    join = queue()
    a, b, c = AtOnce(2, waiting=5), AtOnce(1), AtOnce(1)
    one, two = join(a), join(a)
    free = join(c)  # by nobody that waits
    below_one = join(c, ancestors=(one,))
    child = join(a, ancestors=(two,))
    assert (below_one.before, child.before) == (1, 1)
    free.leave()
    assert below_one.before == 0
    join(b).leave()


# --- runs ------------------------------------------------------------------------------------------------------------


class Work:
    """A tool whose calls work until they are let go."""

    def __init__(self, **options: Any) -> None:
        self.most = self.now = self.begun = 0
        self.gate = asyncio.Event()

        async def work(domain: str = "a") -> str:
            self.begun += 1
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await self.gate.wait()
            finally:
                self.now -= 1
            return domain

        self.tool: Tool = tool(**options)(work)


@on_loop_clock
async def test_calls_wait_after_started_and_say_their_place() -> None:
    async with Stage() as stage:
        work = Work(at_once=1)
        runs = [await stage.start(work.tool, PLAIN_DETACHED, {"domain": str(n)}) for n in range(3)]
        await asyncio.sleep(2.5)
        assert (work.begun, stage.runs.queues.waiting) == (1, 2)
        runs[1].stop(Cancelled("no"))
        await asyncio.sleep(2.5)
        work.gate.set()
        entries = [shown(each) for each in await read_to_end(runs[2].follow())]
        told = [(each["type"], each["data"], each["meta"].get("queue_place")) for each in entries]
        assert told == [
            ("started", "work", None),
            ("progress", {"message": "waiting: 2 calls are before this one"}, 2),
            ("progress", {"message": "waiting for a call before this one"}, 1),
            ("complete", "2", None),
        ]
        assert (work.most, work.begun, stage.runs.queues.waiting) == (1, 2, 0)


@on_loop_clock
async def test_a_call_that_need_not_wait_says_nothing() -> None:
    async with Stage() as stage:
        work = Work(at_once=2)
        work.gate.set()
        assert [each["type"] for each in await stage.told(work.tool)] == ["started", "complete"]


@on_loop_clock
async def test_waiting_is_inside_the_cap() -> None:
    async with Stage(cap_seconds=10) as stage:
        work = Work(at_once=1)
        first = await stage.start(work.tool, PLAIN_DETACHED, {"domain": "a"})
        second = await stage.start(work.tool)
        entries = [shown(each) for each in await read_to_end(second.attach())]
        assert entries[-1]["data"]["code"] == "time_cap"
        assert (work.begun, stage.runs.queues.waiting) == (1, 0)
        first.stop(Cancelled("no"))


@on_loop_clock
async def test_whoever_ends_in_any_way_makes_room() -> None:
    """Cancelled before it began, while it waits and while it works; an error; a reader that leaves."""
    async with Stage() as stage:

        @tool(at_once=1)
        async def fails() -> None:
            raise ValueError

        assert [(await stage.told(fails))[-1]["type"] for _ in range(3)] == ["error"] * 3
        work = Work(at_once=1)
        for _ in range(2):
            run = await stage.start(work.tool, PLAIN_DETACHED, {"domain": "a"})
            run.stop(Cancelled("before its task had a turn"))
            await settle()
        left = await stage.start(work.tool, arguments={"domain": "a"})
        reader = left.attach()
        await take(reader)
        waiting = await stage.start(work.tool, PLAIN_DETACHED, {"domain": "a"})
        await settle()
        assert stage.runs.queues.waiting == 1
        reader.close()
        await settle()
        assert (left.code, stage.runs.queues.waiting, work.now) == ("left", 0, 1)
        waiting.stop(Cancelled("no"))
        await settle()
        assert stage.runs.queues._queues == {}


@on_loop_clock
async def test_a_call_whose_validator_fails_makes_room() -> None:
    def broken(value: int) -> int:
        raise LookupError("a defect of the author's")

    @tool(at_once=1)
    async def alone(n: Annotated[int, AfterValidator(broken)]) -> int:
        return n

    @tool
    async def calls(ctx: Context) -> int:
        return await ctx.call(alone, n=1)

    async with Stage() as stage:
        for made, arguments in ((alone, alone.arguments({"n": 1})), (calls, {})):
            run = await stage.runs.start(made, arguments, PLAIN_POST, access=ANONYMOUS, headers={})
            assert shown((await read_to_end(run.attach()))[-1])["data"]["message"] == "The tool alone failed."
        assert stage.runs.queues._queues == {}


async def test_who_cannot_wait_is_refused_before_it_starts() -> None:
    async with Stage() as stage:
        work = Work(at_once=1, waiting=0, per="domain")
        await stage.start(work.tool, PLAIN_DETACHED, {"domain": "a"})
        with pytest.raises(QueueFull, match="at once for this domain, and 0 wait already"):
            await stage.start(work.tool, PLAIN_DETACHED, {"domain": "a"})
        await stage.start(work.tool, PLAIN_DETACHED, {"domain": "b"})
        assert (stage.runs.started, stage.runs.kept) == (2, 2)


async def test_a_plain_function_that_will_not_stop_keeps_its_place() -> None:
    """What four may have at once is had by four, also while one of them is ended."""
    gate = threading.Event()

    @tool(at_once=1)
    def deaf(ctx: Context) -> None:
        ctx.progress(1)
        gate.wait(30)

    async with Stage() as stage:
        first = await stage.start(deaf)
        reader = first.attach()
        async with asyncio.timeout(10):
            while first.events < 2:
                await take(reader)
            first.stop(Cancelled("no"))
            await first.stopped()
            second = await stage.start(deaf, PLAIN_DETACHED)
            await settle()
            assert stage.runs.queues.waiting == 1
            gate.set()
            assert [each.event.type.value for each in await read_to_end(second.follow())][-1] == "complete"
        reader.close()
