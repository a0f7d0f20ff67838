"""What every event log promises, as tests: `EventLog` says it in words.

    class TestSomeLog(Contract):
        @pytest.fixture
        async def log(self) -> AsyncIterator[EventLog]: ...

and the tests of this class run against it. Nothing of one implementation may be expected here.
"""

from __future__ import annotations

import asyncio
import secrets
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_app.eventlog import READ_BYTES, READ_ENTRIES, EventLog
from mcp_app.protocol.error_kind import ErrorKind
from mcp_app.protocol.errors import Purged, UnknownRun
from mcp_app.protocol.event import Entry, Event, EventType, Shape
from mcp_app.protocol.policy import Retention

PLENTY = Retention(entries=100_000, bytes=100_000_000)
SECONDS = 20.0  # within which anything must have happened
SOON = 0.02  # seconds for which something must not happen


def events(count: int, size: int = 1, first: int = 0) -> list[Event]:
    """Events that can be told apart."""
    return [Event(EventType.PROGRESS, f"{first + at:0{size}}".encode(), b"{}") for at in range(count)]


def numbers(entries: list[Entry]) -> list[int]:
    return [entry.number for entry in entries]


def now() -> float:
    return asyncio.get_running_loop().time()


async def read(log: EventLog, run: str, after: int = 0) -> list[Entry]:
    """What is there already."""
    return await asyncio.wait_for(log.read(run, after, now()), SECONDS)


async def read_all(log: EventLog, run: str, after: int = 0) -> list[Entry]:
    everything: list[Entry] = []
    while batch := await read(log, run, after):
        everything += batch
        after = batch[-1].number
    return everything


class Contract:
    """Needs a fixture `log`."""

    # --- numbering ---------------------------------------------------------------------------------------------------

    async def test_the_first_that_is_kept_is_told(self, log: EventLog) -> None:
        run = secrets.token_hex(16)
        await log.open(run, Retention(entries=50, bytes=100_000))
        assert log.first(run) == 1
        for first in range(0, 100, 10):
            await log.append(run, events(10, first=first))
        assert numbers(await read_all(log, run, log.first(run) - 1))[0] == log.first(run) > 1
        log.drop(run, 100)
        assert log.first(run) == 101
        log.forget(run)
        with pytest.raises(UnknownRun):
            log.first(run)

    async def test_entries_are_numbered_from_one_and_sized(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        last = await log.append("a", events(3, size=5))
        assert (last.number, last.end, last.event) == (3, 21, events(3, size=5)[-1])
        assert (await log.append("a", events(1, size=2, first=3))).end == 25
        entries = await read(log, "a")
        assert numbers(entries) == [1, 2, 3, 4]
        assert [entry.event for entry in entries] == [*events(3, size=5), *events(1, size=2, first=3)]
        assert [entry.end for entry in entries] == [7, 14, 21, 25]

    async def test_runs_do_not_see_each_other(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        await log.open("b", PLENTY)
        await log.append("a", events(2))
        assert (await log.append("b", events(1, first=9))).number == 1
        assert [entry.event for entry in await read(log, "b")] == events(1, first=9)
        assert numbers(await read(log, "a")) == [1, 2]

    async def test_an_id_is_used_once(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        await log.append("a", events(1))
        with pytest.raises(ValueError, match="a"):
            await log.open("a", PLENTY)
        assert numbers(await read(log, "a")) == [1]

    async def test_every_type_comes_back_as_it_was(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        written = [Event(kind, b'"\\u0000\\n \xc3\xa4"', meta) for kind in EventType for meta in (b"", b'{"a":1}')]
        written += [Event(EventType.PARTIAL, b"[]", shape=shape) for shape in Shape]
        written += [Event(EventType.ERROR, b"{}", error_kind=kind) for kind in ErrorKind]
        await log.append("a", written)
        assert [entry.event for entry in await read(log, "a")] == written

    # --- reading -----------------------------------------------------------------------------------------------------

    async def test_reading_goes_on_after_any_number(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        await log.append("a", events(5))
        for after in range(5):
            assert numbers(await read(log, "a", after)) == list(range(after + 1, 6))
        assert await read(log, "a", 5) == []

    async def test_one_read_gives_out_no_more_than_a_window(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        await log.append("a", events(2 * READ_ENTRIES + 1))
        assert numbers(await read(log, "a")) == list(range(1, READ_ENTRIES + 1))
        assert len(await read(log, "a", READ_ENTRIES)) == READ_ENTRIES
        assert numbers(await read_all(log, "a")) == list(range(1, 2 * READ_ENTRIES + 2))

    async def test_one_read_gives_out_no_more_than_its_bytes(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        await log.append("a", events(9, size=READ_BYTES // 3))
        first = await read(log, "a")
        assert sum(entry.event.size for entry in first) <= READ_BYTES
        assert len(first) == 2
        assert numbers(await read_all(log, "a")) == list(range(1, 10))

    async def test_a_large_entry_comes_alone(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        await log.append("a", [*events(1), *events(1, size=5 * READ_BYTES, first=1), *events(2, first=2)])
        assert numbers(await read(log, "a")) == [1]
        assert numbers(await read(log, "a", 1)) == [2]
        assert numbers(await read(log, "a", 2)) == [3, 4]

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def test_a_read_waits_for_the_first_entry(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        waiting = asyncio.create_task(log.read("a", 0, now() + SECONDS))
        await asyncio.sleep(SOON)
        assert not waiting.done()
        await log.append("a", events(2))
        assert numbers(await asyncio.wait_for(waiting, SECONDS)) == [1, 2]

    async def test_a_read_waits_until_it_is_told(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        until = now() + SOON
        assert await asyncio.wait_for(log.read("a", 0, until), SECONDS) == []
        assert now() >= until - time.get_clock_info("monotonic").resolution

    @pytest.mark.parametrize("until", [0.0, -1.0])
    async def test_a_time_that_has_passed_is_no_wait(self, log: EventLog, until: float) -> None:
        await log.open("a", PLENTY)
        assert await asyncio.wait_for(log.read("a", 0, until), SECONDS) == []
        await log.append("a", events(1))
        assert numbers(await log.read("a", 0, until)) == [1]

    async def test_a_read_may_wait_for_ever(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        waiting = asyncio.create_task(log.read("a", 0, float("inf")))
        await asyncio.sleep(SOON)
        await log.append("a", events(1))
        assert numbers(await asyncio.wait_for(waiting, SECONDS)) == [1]

    async def test_what_is_not_asked_for_does_not_end_the_wait(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        waiting = asyncio.create_task(log.read("a", 2, now() + SECONDS))
        for _ in range(2):
            await log.append("a", events(1))
            await asyncio.sleep(SOON)
            assert not waiting.done()
        await log.append("a", events(1))
        assert numbers(await asyncio.wait_for(waiting, SECONDS)) == [3]

    async def test_a_cancelled_reader_leaves_the_others_alone(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        waiting = [asyncio.create_task(log.read("a", 0, now() + SECONDS)) for _ in range(3)]
        await asyncio.sleep(SOON)
        waiting[1].cancel()
        await log.append("a", events(1))
        results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), SECONDS)
        assert isinstance(results[1], asyncio.CancelledError)
        assert [numbers(each) for each in results if isinstance(each, list)] == [[1], [1]]

    async def test_followers_get_everything_each_at_their_own_pace(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        total = 1000

        async def follow(pause: int) -> list[Entry]:
            got: list[Entry] = []
            while len(got) < total:
                got += await log.read("a", len(got), now() + SECONDS)
                for _ in range(pause):
                    await asyncio.sleep(0)
            return got

        followers = [asyncio.create_task(follow(pause)) for pause in (0, 1, 5, 20)]
        for first in range(0, total, 10):
            await log.append("a", events(10, first=first))
            await asyncio.sleep(0)
        for got in await asyncio.wait_for(asyncio.gather(*followers), SECONDS):
            assert [(entry.number, entry.event) for entry in got] == list(enumerate(events(total), 1))

    # --- what is kept ------------------------------------------------------------------------------------------------

    async def test_the_last_entries_are_kept(self, log: EventLog) -> None:
        await log.open("a", Retention(entries=10, bytes=10**9))
        await log.append("a", events(10))
        assert len(await read_all(log, "a")) == 10
        await log.append("a", events(5, first=10))
        assert numbers(await read_all(log, "a", 5)) == list(range(6, 16))
        for after in range(5):
            with pytest.raises(Purged, match=f"Events {after + 1} to 5 "):
                await read(log, "a", after)

    async def test_the_last_bytes_are_kept(self, log: EventLog) -> None:
        await log.open("a", Retention(entries=10**6, bytes=100))
        await log.append("a", events(10, size=10))  # 12 bytes each: 8 of them are kept
        assert numbers(await read_all(log, "a", 2)) == list(range(3, 11))
        with pytest.raises(Purged):
            await read(log, "a", 1)

    async def test_the_last_entry_is_kept_whatever_its_size(self, log: EventLog) -> None:
        await log.open("a", Retention(entries=10, bytes=100))
        last = await log.append("a", events(2, size=1000))
        assert [entry.event for entry in await read(log, "a", 1)] == events(2, size=1000)[1:]
        assert last.end == 2004, "what was dropped still counts as offset"

    async def test_who_asks_for_what_is_to_come_is_not_behind(self, log: EventLog) -> None:
        await log.open("a", Retention(entries=1, bytes=100))
        await log.append("a", events(5))
        assert await read(log, "a", 5) == []
        assert numbers(await read(log, "a", 4)) == [5]

    async def test_a_waiting_reader_who_is_overrun_gets_no_hole(self, log: EventLog) -> None:
        await log.open("a", Retention(entries=2, bytes=100))
        waiting = asyncio.create_task(log.read("a", 0, now() + SECONDS))
        await asyncio.sleep(SOON)
        await log.append("a", events(5))
        with pytest.raises(Purged):
            await asyncio.wait_for(waiting, SECONDS)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        keep=st.builds(Retention, entries=st.integers(1, 20), bytes=st.integers(1, 200)),
        batches=st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=8), max_size=12),
        after=st.integers(0, 60),
        run=st.uuids().map(str),
    )
    async def test_any_history_is_read_without_a_hole(
        self, log: EventLog, keep: Retention, batches: list[list[int]], after: int, run: str
    ) -> None:
        await log.open(run, keep)
        try:
            written = [Event(EventType.LOG, b"x" * size) for batch in batches for size in batch]
            for batch in batches:
                await log.append(run, [Event(EventType.LOG, b"x" * size) for size in batch])
            kept = [event.size for event in written[-keep.entries :]]
            while len(kept) > 1 and sum(kept) > keep.bytes:
                kept.pop(0)
            if after < len(written) - len(kept):
                with pytest.raises(Purged):
                    await read(log, run, after)
            else:
                entries = await read_all(log, run, after)
                assert numbers(entries) == list(range(after + 1, len(written) + 1))
                assert [entry.event for entry in entries] == written[after:]
        finally:
            log.forget(run)

    # --- claiming ----------------------------------------------------------------------------------------------------

    async def test_the_first_claim_wins_until_its_time_is_over(self, log: EventLog) -> None:
        assert await log.claim("a", now=1000.0, until=1060.0)
        assert not await log.claim("a", now=1000.0, until=1060.0)
        assert not await log.claim("a", now=1059.9, until=9999.0), "a refused claim lengthens nothing"
        assert await log.claim("b", now=1000.0, until=1010.0)
        assert await log.claim("a", now=1060.0, until=1120.0)
        assert not await log.claim("a", now=1119.9, until=1120.0)

    async def test_of_many_claims_at_once_one_wins(self, log: EventLog) -> None:
        async def one(name: str) -> bool:
            await asyncio.sleep(0)
            return await log.claim(name, now=1000.0, until=1060.0)

        names = ["a", "b", "c"] * 100
        won = await asyncio.wait_for(asyncio.gather(*(one(name) for name in names)), SECONDS)
        assert sorted(name for name, first in zip(names, won, strict=True) if first) == ["a", "b", "c"]

    async def test_a_claim_is_no_run(self, log: EventLog) -> None:
        assert await log.claim("a", now=1000.0, until=1060.0)
        await log.open("a", PLENTY)
        await log.append("a", events(1))
        log.forget("a")
        assert not await log.claim("a", now=1000.0, until=1060.0)

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(claims=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(1, 20)), max_size=60))
    async def test_any_claims_are_as_a_table_of_times(self, log: EventLog, claims: list[tuple[str, int, int]]) -> None:
        space = secrets.token_hex(8)  # the log is the same for all examples
        now, held = 1000.0, dict[str, float]()
        for letter, passed, lasting in claims:
            now += passed
            first = held.get(letter, now) <= now
            assert await log.claim(space + letter, now=now, until=now + lasting) is first
            if first:
                held[letter] = now + lasting

    # --- dropping ----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("through", [0, 1, 5, 9, 10])
    async def test_what_is_dropped_is_purged_and_the_rest_goes_on(self, log: EventLog, through: int) -> None:
        await log.open("a", PLENTY)
        await log.append("a", events(10))
        log.drop("a", through)
        log.drop("a", max(0, through - 3))  # which there is nothing left of
        for after in range(through):
            with pytest.raises(Purged):
                await read(log, "a", after)
        assert numbers(await read_all(log, "a", through)) == list(range(through + 1, 11))
        entry = await log.append("a", events(2, first=10))
        assert (entry.number, entry.end) == (12, 10 * events(10)[0].size + 2 * len("10{}"))
        assert numbers(await read_all(log, "a", through)) == list(range(through + 1, 13))

    async def test_what_is_dropped_is_not_of_the_retention(self, log: EventLog) -> None:
        await log.open("a", Retention(entries=5, bytes=10 * len("0{}")))
        await log.append("a", events(4))
        log.drop("a", 4)
        await log.append("a", events(4))
        assert numbers(await read_all(log, "a", 4)) == [5, 6, 7, 8]
        await log.append("a", events(4))
        with pytest.raises(Purged):
            await read(log, "a", 6)
        assert numbers(await read_all(log, "a", 7)) == [8, 9, 10, 11, 12]

    async def test_of_an_unknown_run_nothing_is_dropped(self, log: EventLog) -> None:
        log.drop("never", 3)

    # --- forgetting --------------------------------------------------------------------------------------------------

    async def test_a_forgotten_run_is_unknown(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        await log.append("a", events(1))
        log.forget("a")
        log.forget("a")
        log.forget("never")
        for unknown in ("a", "never"):
            with pytest.raises(UnknownRun):
                await read(log, unknown)
            with pytest.raises(UnknownRun):
                await log.append(unknown, events(1))

    async def test_forgetting_wakes_those_who_wait(self, log: EventLog) -> None:
        await log.open("a", PLENTY)
        await log.open("b", PLENTY)
        waiting = [asyncio.create_task(log.read("a", 0, float("inf"))) for _ in range(3)]
        other = asyncio.create_task(log.read("b", 0, float("inf")))
        await asyncio.sleep(SOON)
        log.forget("a")
        results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), SECONDS)
        assert [type(each) for each in results] == [UnknownRun] * 3
        assert not other.done()
        await log.append("b", events(1))
        assert numbers(await asyncio.wait_for(other, SECONDS)) == [1]
