"""What callers share is shared out: turns in queues, threads, places of runs and sessions, and what is kept."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from loop_clock import on_loop_clock
from pydantic_core import PydanticSerializationError
from runs_stage import SECONDS, Stage, read_to_end, settle, shown

from mcp_app import tool
from mcp_app.authoring.at_once import AtOnce
from mcp_app.config.settings import Settings
from mcp_app.dialects.mcp.sessions.register import Sessions
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import Overloaded, QueueFull, RateLimited
from mcp_app.protocol.payer import NOBODY, Payer, payer_of
from mcp_app.protocol.policy import PLAIN_DETACHED, PLAIN_EVENTSOURCE
from mcp_app.runs.channel import Channel
from mcp_app.runs.fair_places import PAYER, FairPlaces
from mcp_app.runs.queues import Queues
from mcp_app.runs.threads import NoThread, Threads
from mcp_app.web.metrics import InFlight

ANNA, BEN, CARL = (payer_of(f"key:{name}", "192.0.2.1") for name in ("anna", "ben", "carl"))
HERE = payer_of("key:anna", "127.0.0.1")


# --- queues of tools -------------------------------------------------------------------------------------------------


async def test_callers_take_turns_in_a_queue() -> None:
    queues, limit = Queues(), AtOnce(1, waiting=10)
    order = [ANNA, ANNA, ANNA, ANNA, BEN, CARL, BEN]
    tickets = [queues.join("f", limit, {}, payer=payer) for payer in order]
    assert [ticket.before for ticket in tickets] == [0, 1, 4, 6, 2, 3, 5]
    served = []
    for _ in order:
        working = next(ticket for ticket in tickets if ticket.before == 0 and ticket not in served)
        served.append(working)
        working.leave()
    assert [tickets.index(each) for each in served] == [0, 1, 4, 5, 2, 6, 3]


async def test_whoever_fills_a_queue_keeps_nobody_out_of_it() -> None:
    queues, limit = Queues(), AtOnce(1, waiting=3)
    hog = [queues.join("f", limit, {}, payer=ANNA) for _ in range(4)]
    with pytest.raises(QueueFull):
        queues.join("f", limit, {}, payer=ANNA)
    ben = queues.join("f", limit, {}, payer=BEN)
    assert ben.before == 2
    with pytest.raises(QueueFull) as caught:
        await hog[-1].turn(print)
    assert caught.value.message.endswith("3 wait already. Another caller, with fewer of them, has come.")
    assert [each.before for each in hog[:3]] == [0, 1, 3]
    with pytest.raises(QueueFull):
        queues.join("f", limit, {}, payer=BEN)  # would leave the other with fewer than it has


@on_loop_clock
async def test_a_run_that_had_to_make_room_ends_with_queue_full() -> None:
    @tool(at_once=1, waiting=2)
    async def slow() -> str:
        await asyncio.sleep(10)
        return "done"

    async with Stage() as stage:
        hog = [await stage.start(slow, PLAIN_DETACHED, payer=ANNA) for _ in range(3)]
        await settle()
        ben = await stage.start(slow, PLAIN_DETACHED, payer=BEN)
        await hog[2].stopped()
        end = shown((await read_to_end(hog[2].attach()))[-1])
        assert (hog[2].code, end["data"]["code"]) == ("queue_full", "queue_full")
        await asyncio.wait_for(ben.stopped(), SECONDS)
        await asyncio.wait_for(hog[1].stopped(), SECONDS)
        assert (ben.code, hog[1].code) == ("complete", "complete")


# --- threads ---------------------------------------------------------------------------------------------------------


def as_payer(payer: Payer) -> None:
    PAYER.set(payer)


async def test_no_caller_has_all_places_and_each_gets_one_in_its_turn() -> None:
    places = FairPlaces(4)
    got: list[str] = []

    async def take(payer: Payer) -> None:
        as_payer(payer)
        await places.acquire()
        got.append(payer.key)

    tasks = [asyncio.create_task(take(payer)) for payer in (ANNA, ANNA, ANNA, ANNA, ANNA, BEN, BEN)]
    await settle()
    assert got == ["key:anna"] * 3 + ["key:ben"]
    as_payer(ANNA)
    assert places.locked()
    assert places.all_taken
    places.release(ANNA)
    await settle()
    assert got[4:] == ["key:anna"], "its turn, and it has three of four again"
    places.release(BEN)
    await settle()
    assert got[5:] == ["key:ben"]
    for payer in (BEN, ANNA, ANNA, ANNA):
        places.release(payer)
    await asyncio.wait_for(asyncio.gather(*tasks), SECONDS)
    places.release(ANNA)
    assert not places._taken
    assert places._free == 4


@pytest.mark.parametrize(("limit", "payer", "most"), [(1, ANNA, 1), (2, ANNA, 1), (8, ANNA, 7), (32, ANNA, 28)])
async def test_how_many_places_one_caller_may_have(limit: int, payer: Payer, most: int) -> None:
    for own, expected in ((payer, most), (HERE, limit), (NOBODY, limit)):
        places = FairPlaces(limit)
        as_payer(own)
        taken = 0
        while not places.locked():
            await places.acquire()
            taken += 1
        assert taken == expected


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_who_gives_up_waiting_loses_no_place(turns: int) -> None:
    places = FairPlaces(1)
    as_payer(ANNA)
    await places.acquire()
    waiting = asyncio.create_task(places.acquire())
    await settle()
    places.release(ANNA)
    for _ in range(turns):
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    if not waiting.cancelled():
        places.release(ANNA)
    assert places._free == 1
    assert not len(places._waiting)
    assert not places._taken


async def test_threads_that_one_caller_hangs_leave_one_for_another() -> None:
    go_on = threading.Event()
    threads = Threads(4)

    def channel() -> Channel[None]:
        return Channel(asyncio.get_running_loop(), lambda _: 0)

    async def hang(payer: Payer) -> None:
        as_payer(payer)
        async with threads.run(lambda _: go_on.wait(SECONDS), channel(), patience=0.2) as outcome:
            await outcome

    hung = [asyncio.create_task(hang(ANNA)) for _ in range(5)]
    try:
        async with asyncio.timeout(10):
            done, _ = await asyncio.wait(hung, return_when=asyncio.FIRST_EXCEPTION)
        as_payer(ANNA)
        assert threads.full
        assert threads.working == 3
        refused = [task.exception() for task in done]
        assert [type(error) for error in refused] == [NoThread] * len(done)
        assert "as many plain functions as one caller may have" in str(refused[0])
        as_payer(BEN)
        assert not threads.full
        async with threads.run(lambda _: "here", channel(), patience=0.2) as outcome:
            assert await asyncio.wait_for(outcome, SECONDS) == "here"
    finally:
        go_on.set()
        await asyncio.wait(hung)


@on_loop_clock
async def test_the_payer_of_a_run_reaches_all_that_it_does() -> None:
    seen: list[Payer] = []

    async def look() -> str:
        seen.append(PAYER.get())
        await asyncio.create_task(asyncio.sleep(0))
        return "looked"

    def look_there() -> str:
        seen.append(PAYER.get())
        return "looked"

    async with Stage() as stage:
        for function in (look, look_there):
            await asyncio.wait_for((await stage.start(function, payer=ANNA)).stopped(), SECONDS)
        await asyncio.wait_for((await stage.start(look)).stopped(), SECONDS)
    assert seen == [ANNA, ANNA, NOBODY]


# --- who makes way ---------------------------------------------------------------------------------------------------


async def forever() -> str:
    await asyncio.Event().wait()
    return "never"


@on_loop_clock
async def test_a_caller_s_own_lingering_run_makes_way_before_anybody_elses() -> None:
    async with Stage(max_runs=3) as stage:
        runs = {}
        for name, payer in (("ben", BEN), ("anna", ANNA), ("ben again", BEN)):
            runs[name] = await stage.start(forever, PLAIN_EVENTSOURCE, payer=payer)
            runs[name].attach().close()
        await stage.start(forever, PLAIN_DETACHED, payer=ANNA)
        assert [run.code for run in runs.values()] == [None, "left", None]
        await stage.start(forever, PLAIN_DETACHED, payer=ANNA)
        assert [run.code for run in runs.values()] == ["left", "left", None], "then the one who left first"
        await stage.start(forever, PLAIN_DETACHED, payer=CARL)
        with pytest.raises(Overloaded):
            await stage.start(forever, PLAIN_DETACHED, payer=ANNA)


@on_loop_clock
async def test_what_is_kept_of_who_keeps_most_is_forgotten_first() -> None:
    async def large() -> str:
        return "x" * 300_000

    async def small() -> str:
        return "x"

    async with Stage(keep_bytes=1024 * 1024) as stage:

        async def ended(function: Any, payer: Payer) -> str:
            run = await stage.start(function, PLAIN_DETACHED, payer=payer)
            await asyncio.wait_for(run.stopped(), SECONDS)
            return run.id

        bens = [await ended(small, BEN)]
        annas = [await ended(large, ANNA) for _ in range(3)]
        bens.append(await ended(small, BEN))
        for _ in range(3):
            annas.append(await ended(large, ANNA))
        kept = stage.runs.known.runs
        assert all(each in kept for each in bens)
        assert annas[-1] in kept
        assert annas[0] not in kept
        assert stage.runs.finished.bytes <= 1024 * 1024


async def test_a_caller_s_own_session_makes_way_before_anybody_elses() -> None:
    sessions = Sessions(Settings(max_sessions=3), MemoryLog(), asyncio.get_running_loop().time, InFlight())
    ben, anna, second = [await sessions.begin(Access(name)) for name in ("ben", "anna", "ben")]
    again = await sessions.begin(Access("anna"))
    assert await sessions.find(anna.id, Access("anna")) is None
    assert await sessions.find(second.id, Access("ben")) is second
    assert await sessions.find(ben.id, Access("ben")) is ben
    await sessions.begin(Access("carl"))
    assert len(sessions) == 3
    assert await sessions.find(again.id, Access("anna")) is None, "used least recently, as none is carl's"
    await sessions.drain()


# --- what is charged -------------------------------------------------------------------------------------------------


@on_loop_clock
async def test_a_run_that_cannot_begin_is_not_charged() -> None:
    from mcp_app.config.limits import parse_rules
    from mcp_app.limits.charges import Charges

    @tool(at_once=1, waiting=0)
    async def slow() -> str:
        return await forever()

    async with Stage() as stage:
        stage.runs.charges = Charges(parse_rules("concurrent per principal 2", ()), lambda: 0.0)
        await stage.start(slow, PLAIN_DETACHED, payer=ANNA)
        for _ in range(5):
            with pytest.raises(QueueFull):
                await stage.start(slow, PLAIN_DETACHED, payer=ANNA)
        await stage.start(forever, PLAIN_DETACHED, payer=ANNA)
        with pytest.raises(RateLimited):
            await stage.start(forever, PLAIN_DETACHED, payer=ANNA)


@on_loop_clock
async def test_what_fails_before_a_run_is_made_keeps_no_turn_and_no_charge() -> None:
    from mcp_app.config.limits import parse_rules
    from mcp_app.limits.charges import Charges

    class Nameless:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    @tool(at_once=1, waiting=0)
    async def quick(n: int = 0) -> int:
        return n

    async with Stage() as stage:
        stage.runs.charges = Charges(parse_rules("concurrent per principal 1", ()), lambda: 0.0)
        for _ in range(3):
            with pytest.raises(PydanticSerializationError, match="ZeroDivisionError"):
                await stage.start(quick, PLAIN_EVENTSOURCE, {"n": Nameless()}, payer=ANNA, key="k" * 16)
        assert not stage.runs.queues._queues
        await read_to_end((await stage.start(quick, payer=ANNA)).attach())
