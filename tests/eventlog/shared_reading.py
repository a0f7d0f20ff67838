"""The contract of shared logs, as to its readers: what one read returns, how long it waits, what is kept of a run.

`shared_contract.py` says how an implementation is held against it.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from contract import PLENTY, SECONDS, SOON, events, numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shared_parts import Another, loop_time, read, read_all, record, within

from mcp_app.eventlog import READ_BYTES, READ_ENTRIES
from mcp_app.eventlog.records import RunRecord
from mcp_app.eventlog.shared import SharedLog
from mcp_app.protocol.error_kind import ErrorKind
from mcp_app.protocol.errors import Purged
from mcp_app.protocol.event import Entry, Event, EventType, Shape
from mcp_app.protocol.policy import Retention

MANY = 10**9


class ReadingContract:
    """Needs the fixtures `log` and `another`."""

    async def begun(self, log: SharedLog, keep: Retention = PLENTY, *, last: int = 0) -> RunRecord:
        run = record(await log.join(), last=last)
        await log.create(run, keep)
        return run

    async def test_every_type_comes_back_as_it_was(self, another: Another) -> None:
        log, other = await another(), await another()
        run = await self.begun(log)
        written = [Event(kind, b'"\\u0000\\n \xc3\xa4"', meta) for kind in EventType for meta in (b"", b'{"a":1}')]
        written += [Event(EventType.PARTIAL, b"[]", shape=shape) for shape in Shape]
        written += [Event(EventType.ERROR, b"{}", error_kind=kind) for kind in ErrorKind]
        written += [Event(EventType.COMPLETE, b"[]", b"{}", beside=True)]
        await log.append(run.id, run.owner, 1, written)
        assert [entry.event for entry in await read(other, run.id)] == written

    async def test_runs_do_not_see_each_other(self, log: SharedLog) -> None:
        one, two = await self.begun(log), await self.begun(log)
        await log.append(one.id, one.owner, 1, events(2))
        await log.append(two.id, two.owner, 1, events(1, first=9))
        assert [entry.event for entry in await read(log, two.id)] == events(1, first=9)
        assert numbers(await read(log, one.id)) == [1, 2]

    # --- how much ----------------------------------------------------------------------------------------------------

    async def test_reading_goes_on_after_any_number(self, log: SharedLog) -> None:
        run = await self.begun(log)
        await log.append(run.id, run.owner, 1, events(5))
        for after in range(5):
            assert numbers(await read(log, run.id, after)) == list(range(after + 1, 6))
        assert await read(log, run.id, 5) == []

    async def test_one_read_gives_out_no_more_than_a_window(self, log: SharedLog) -> None:
        run = await self.begun(log)
        await log.append(run.id, run.owner, 1, events(2 * READ_ENTRIES + 1))
        assert numbers(await read(log, run.id)) == list(range(1, READ_ENTRIES + 1))
        assert len(await read(log, run.id, READ_ENTRIES)) == READ_ENTRIES
        assert numbers(await read_all(log, run.id)) == list(range(1, 2 * READ_ENTRIES + 2))

    async def test_one_read_gives_out_no_more_than_its_bytes(self, log: SharedLog) -> None:
        run = await self.begun(log)
        await log.append(run.id, run.owner, 1, events(9, size=READ_BYTES // 3))
        first = await read(log, run.id)
        assert sum(entry.event.size for entry in first) <= READ_BYTES
        assert len(first) == 2
        assert numbers(await read_all(log, run.id)) == list(range(1, 10))

    async def test_a_large_entry_comes_alone(self, log: SharedLog) -> None:
        run = await self.begun(log)
        large = events(1, size=16 * READ_BYTES, first=1)
        await log.append(run.id, run.owner, 1, [*events(1), *large, *events(2, first=2)])
        assert numbers(await read(log, run.id)) == [1]
        assert [entry.event for entry in await read(log, run.id, 1)] == large
        assert numbers(await read(log, run.id, 2)) == [3, 4]

    # --- how long ----------------------------------------------------------------------------------------------------

    async def test_a_read_waits_until_it_is_told(self, log: SharedLog) -> None:
        run = await self.begun(log)
        until = loop_time() + SOON
        assert await within(log.read(run.id, 0, until)) == []
        assert loop_time() >= until - time.get_clock_info("monotonic").resolution

    @pytest.mark.parametrize("until", [0.0, -1.0])
    async def test_a_time_that_has_passed_is_no_wait(self, log: SharedLog, until: float) -> None:
        run = await self.begun(log)
        assert await within(log.read(run.id, 0, until)) == []
        await log.append(run.id, run.owner, 1, events(1))
        assert numbers(await within(log.read(run.id, 0, until))) == [1]

    async def test_a_read_may_wait_for_ever(self, log: SharedLog) -> None:
        run = await self.begun(log)
        waiting = asyncio.create_task(log.read(run.id, 0, float("inf")))
        await asyncio.sleep(SOON)
        await log.append(run.id, run.owner, 1, events(1))
        assert numbers(await within(waiting)) == [1]

    async def test_what_is_not_asked_for_does_not_end_the_wait(self, another: Another) -> None:
        log, other = await another(), await another()
        run = await self.begun(log)
        waiting = asyncio.create_task(other.read(run.id, 2, loop_time() + SECONDS))
        for number in (1, 2):
            await log.append(run.id, run.owner, number, events(1))
            await asyncio.sleep(SOON)
            assert not waiting.done()
        await log.append(run.id, run.owner, 3, events(1))
        assert numbers(await within(waiting)) == [3]

    async def test_a_cancelled_reader_leaves_the_others_alone(self, another: Another) -> None:
        log, other = await another(), await another()
        run = await self.begun(log)
        waiting = [asyncio.create_task(other.read(run.id, 0, loop_time() + SECONDS)) for _ in range(3)]
        await asyncio.sleep(SOON)
        waiting[1].cancel()
        await log.append(run.id, run.owner, 1, events(1))
        results = await within(asyncio.gather(*waiting, return_exceptions=True))
        assert isinstance(results[1], asyncio.CancelledError)
        assert [numbers(each) for each in results if isinstance(each, list)] == [[1], [1]]

    async def test_readers_everywhere_get_everything_each_at_their_own_pace(self, another: Another) -> None:
        views = [await another() for _ in range(3)]
        run, total = await self.begun(views[0]), 300

        async def follow(log: SharedLog, pause: int) -> list[Entry]:
            got: list[Entry] = []
            while len(got) < total:
                got += await log.read(run.id, len(got), loop_time() + SECONDS)
                for _ in range(pause):
                    await asyncio.sleep(0)
            return got

        readers = [asyncio.create_task(follow(log, pause)) for log in views for pause in (0, 1, 20)]
        for first in range(0, total, 10):
            await views[0].append(run.id, run.owner, first + 1, events(10, first=first))
        for got in await within(asyncio.gather(*readers)):
            assert [(entry.number, entry.event) for entry in got] == list(enumerate(events(total), 1))

    async def test_a_reader_of_a_run_that_was_taken_over_goes_on(self, another: Another) -> None:
        log, other = await another(), await another()
        dead = await log.join()
        run = record(dead)
        await log.create(run, PLENTY)
        await log.append(run.id, dead, 1, events(2))
        waiting = asyncio.create_task(log.read(run.id, 2, loop_time() + SECONDS))
        await asyncio.sleep(SOON)
        await other.leave(dead)
        living = await other.join()
        [taken] = await other.take_over(living, 1)
        assert not waiting.done()
        await other.append(run.id, living, taken.last + 1, events(1, first=2))
        assert [entry.event for entry in await within(waiting)] == events(1, first=2)

    # --- what is kept ------------------------------------------------------------------------------------------------

    async def test_the_last_entries_are_kept(self, log: SharedLog) -> None:
        run = await self.begun(log, Retention(entries=10, bytes=MANY))
        await log.append(run.id, run.owner, 1, events(10))
        assert len(await read_all(log, run.id)) == 10
        await log.append(run.id, run.owner, 11, events(5, first=10))
        assert numbers(await read_all(log, run.id, 5)) == list(range(6, 16))
        for after in range(5):
            with pytest.raises(Purged, match=f"Events {after + 1} to 5 "):
                await read(log, run.id, after)

    async def test_the_last_bytes_are_kept(self, log: SharedLog) -> None:
        run = await self.begun(log, Retention(entries=MANY, bytes=100))
        await log.append(run.id, run.owner, 1, events(10, size=10))  # 12 bytes each: 8 of them are kept
        assert numbers(await read_all(log, run.id, 2)) == list(range(3, 11))
        with pytest.raises(Purged):
            await read(log, run.id, 1)

    async def test_the_last_entry_is_kept_whatever_its_size(self, log: SharedLog) -> None:
        run = await self.begun(log, Retention(entries=10, bytes=100))
        await log.append(run.id, run.owner, 1, events(2, size=1000))
        [entry] = await read(log, run.id, 1)
        assert (entry.event, entry.end) == (events(2, size=1000)[1], 2004), "what was dropped still counts"

    async def test_what_was_purged_is_there_for_who_repeats_it(self, log: SharedLog) -> None:
        run = await self.begun(log, Retention(entries=2, bytes=MANY))
        await log.append(run.id, run.owner, 1, events(5))
        await log.append(run.id, run.owner, 1, events(5))
        await log.append(run.id, run.owner, 1, events(6))
        assert [entry.event for entry in await read(log, run.id, 4)] == events(2, first=4)

    async def test_a_waiting_reader_who_is_overrun_gets_no_hole(self, another: Another) -> None:
        log, other = await another(), await another()
        run = await self.begun(log, Retention(entries=2, bytes=MANY))
        waiting = asyncio.create_task(other.read(run.id, 0, loop_time() + SECONDS))
        await asyncio.sleep(SOON)
        await log.append(run.id, run.owner, 1, events(5))
        with pytest.raises(Purged):
            await within(waiting)

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        keep=st.builds(Retention, entries=st.integers(1, 20), bytes=st.integers(1, 200)),
        batches=st.lists(
            st.tuples(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(0, 9)), max_size=12
        ),
        before=st.sampled_from([0, 1, 1000]),
        after=st.integers(0, 60),
    )
    async def test_any_history_is_read_without_a_hole(
        self, log: SharedLog, keep: Retention, batches: list[tuple[list[int], int]], before: int, after: int
    ) -> None:
        """Each batch repeats some of the events before it."""
        run, after = await self.begun(log, keep, last=before), before + after
        written: list[Event] = []
        for sizes, repeated in batches:
            again = written[len(written) - repeated :] if repeated <= len(written) else []
            new = [Event(EventType.LOG, b"%09d" % at + b"x" * size) for at, size in enumerate(sizes, len(written))]
            await log.append(run.id, run.owner, before + len(written) - len(again) + 1, [*again, *new])
            written += new
        kept = [event.size for event in written[-keep.entries :]]
        while len(kept) > 1 and sum(kept) > keep.bytes:
            kept.pop(0)
        last = before + len(written)
        assert ((await log.record(run.id)).last, (await log.record(run.id)).end) == (
            last,
            sum(event.size for event in written),
        )
        if after < last - len(kept):
            with pytest.raises(Purged):
                await read(log, run.id, after)
        else:
            entries = await read_all(log, run.id, after)
            assert numbers(entries) == list(range(after + 1, last + 1))
            assert [entry.event for entry in entries] == written[after - before :][: max(0, last - after)]
        await log.forget(run.id)
