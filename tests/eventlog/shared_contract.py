"""What every shared log promises, as tests: `SharedLog` says it in words.

    class TestSomeSharedLog(SharedContract):
        lease = 0.5                                                     # seconds

        @pytest.fixture
        async def another(self) -> AsyncIterator[Another]: ...          # closes what it has opened

        @pytest.fixture
        def passing(self) -> Passing: ...

and the tests of this class run against it. `await another()` is one more view of one and the same log, opened, as a
process of its own has it. `await passing(seconds)` returns when that much time has passed by the log's clock, whether
or not it had to wait for it: leases last for `lease` seconds, and all other times are a few of those. Nothing of one
implementation may be expected here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import replace

import pytest
from contract import PLENTY, SECONDS, SOON, events, numbers
from shared_disorder import DisorderContract
from shared_parts import Another, Passing, loop_time, new_id, read, read_all, record, renew, soon, within
from shared_reading import ReadingContract

from mcp_app.eventlog.quota import Quota, Usage
from mcp_app.eventlog.records import Ending, StoredDocument
from mcp_app.eventlog.shared import SharedLog
from mcp_app.protocol.errors import Fenced, Gap, Purged, UnknownRun

__all__ = ["Another", "Passing", "SharedContract", "loop_time", "new_id", "read", "read_all", "record", "within"]


class SharedContract(ReadingContract, DisorderContract):
    """Needs `lease`, and the fixtures `another` and `passing`."""

    lease: float

    @pytest.fixture
    async def log(self, another: Another) -> SharedLog:
        return await another()

    # --- nodes -------------------------------------------------------------------------------------------------------

    async def test_a_node_is_there_until_it_leaves(self, log: SharedLog, another: Another) -> None:
        other = await another()
        one, two = await log.join(), await other.join()
        assert one != two
        assert await log.nodes() == await other.nodes() == {one, two}
        await other.leave(one)
        assert await log.nodes() == {two}
        await other.leave(one)

    async def test_a_lease_ends_unless_it_is_renewed(self, log: SharedLog, passing: Passing) -> None:
        kept = [await log.join() for _ in range(2)][1]
        for _ in range(2):
            await passing(self.lease * 0.6)
            await renew(log, kept)
        assert await log.nodes() == {kept}

    async def test_who_has_lost_its_lease_does_not_get_it_back(self, log: SharedLog, passing: Passing) -> None:
        lost, left = await log.join(), await log.join()
        await log.leave(left)
        await passing(self.lease * 1.2)
        for node in (lost, left, new_id()):
            with pytest.raises(Fenced):
                await renew(log, node)
        assert await log.nodes() == frozenset()

    # --- one owner ---------------------------------------------------------------------------------------------------

    async def test_the_runs_of_a_dead_node_are_taken_over(self, another: Another, passing: Passing) -> None:
        log, other = await another(), await another()
        dead = await log.join()
        run = record(dead)
        await log.create(run, PLENTY)
        await log.append(run.id, dead, 1, events(2))
        living = await other.join()
        assert await other.take_over(living, 10) == []
        await other.leave(living)
        await passing(self.lease * 1.2)
        living = await other.join()
        taken = await other.take_over(living, 10)
        assert taken == [replace(run, owner=living, attempt=2, last=2, end=6)]
        assert await log.record(run.id) == taken[0]
        assert await other.take_over(living, 10) == []

    async def test_who_was_thought_dead_cannot_write(self, another: Another, passing: Passing) -> None:
        log, other = await another(), await another()
        dead = await log.join()
        run = record(dead)
        await log.create(run, PLENTY)
        await passing(self.lease * 1.2)
        await log.append(run.id, dead, 1, events(1))  # nobody has taken it yet
        living = await other.join()
        await other.take_over(living, 10)
        with pytest.raises(Fenced):
            await log.append(run.id, dead, 2, events(1, first=1))
        with pytest.raises(Fenced):
            await log.append(run.id, dead, 1, events(1))  # which is there
        with pytest.raises(Fenced):
            await log.append(run.id, dead, 2, events(1), Ending("complete", await soon(log)))
        with pytest.raises(Fenced):
            await log.amend(run.id, dead, extra=b"{1}")
        await other.append(run.id, living, 2, events(1, first=7))
        assert [entry.event for entry in await read(log, run.id)] == [*events(1), *events(1, first=7)]

    async def test_who_has_no_lease_takes_nothing_over(self, log: SharedLog, passing: Passing) -> None:
        dead, worse = await log.join(), await log.join()
        await log.create(record(dead), PLENTY)
        await log.leave(dead)
        await log.leave(worse)
        with pytest.raises(Fenced):
            await log.take_over(worse, 10)

    async def test_a_node_takes_no_more_than_it_asks_for(self, another: Another) -> None:
        log, other = await another(), await another()
        dead = await log.join()
        runs = [record(dead) for _ in range(5)]
        for run in runs:
            await log.create(run, PLENTY)
        await log.leave(dead)
        one, two = await log.join(), await other.join()
        taken = [await log.take_over(one, 2), await other.take_over(two, 2), await log.take_over(one, 2)]
        assert [len(each) for each in taken] == [2, 2, 1]
        assert {each.id for batch in taken for each in batch} == {run.id for run in runs}

    async def test_each_run_is_taken_by_one(self, another: Another) -> None:
        views = [await another() for _ in range(4)]
        dead = await views[0].join()
        runs = [record(dead) for _ in range(20)]
        for run in runs:
            await views[0].create(run, PLENTY)
        await views[0].leave(dead)
        nodes = [await view.join() for view in views]
        taken = await within(
            asyncio.gather(*(view.take_over(node, 20) for view, node in zip(views, nodes, strict=True)))
        )
        assert sorted(each.id for batch in taken for each in batch) == sorted(run.id for run in runs)
        for node, batch in zip(nodes, taken, strict=True):
            assert {(each.owner, (await views[0].record(each.id)).owner) for each in batch} <= {(node, node)}

    async def test_what_has_ended_is_not_taken_over(self, log: SharedLog) -> None:
        dead = await log.join()
        run = record(dead)
        await log.create(run, PLENTY)
        await log.append(run.id, dead, 1, events(1), Ending("complete", await soon(log)))
        await log.leave(dead)
        assert await log.take_over(await log.join(), 10) == []

    # --- appending ---------------------------------------------------------------------------------------------------

    async def test_the_numbers_are_the_owners(self, another: Another) -> None:
        log, other = await another(), await another()
        node = await log.join()
        run = record(node)
        await log.create(run, PLENTY)
        await log.append(run.id, node, 1, events(3, size=5))
        await log.append(run.id, node, 4, events(1, size=2, first=3))
        entries = await read(other, run.id)
        assert numbers(entries) == [1, 2, 3, 4]
        assert [entry.event for entry in entries] == [*events(3, size=5), *events(1, size=2, first=3)]
        assert [entry.end for entry in entries] == [7, 14, 21, 25]
        assert await other.record(run.id) == replace(run, last=4, end=25)

    async def test_a_run_begins_at_any_number(self, another: Another) -> None:
        log, other = await another(), await another()
        node = await log.join()
        run = record(node, last=41, end=1000)
        await log.create(run, PLENTY)
        assert await other.record(run.id) == run
        with pytest.raises(Gap) as caught:
            await log.append(run.id, node, 43, events(1))
        assert caught.value.last == 41
        await log.append(run.id, node, 42, events(2))
        assert [(entry.number, entry.end) for entry in await read(other, run.id, 41)] == [(42, 1003), (43, 1006)]
        with pytest.raises(Purged):
            await read(other, run.id, 40)

    async def test_a_gap_is_refused_and_nothing_is_stored(self, log: SharedLog) -> None:
        node = await log.join()
        run = record(node)
        await log.create(run, PLENTY)
        await log.append(run.id, node, 1, events(2))
        for ending in (None, Ending("complete", await soon(log))):
            with pytest.raises(Gap) as caught:
                await log.append(run.id, node, 4, events(2), ending)
            assert caught.value.last == 2
        assert numbers(await read_all(log, run.id)) == [1, 2]
        assert (await log.record(run.id)).code is None

    async def test_what_is_there_is_taken_as_done(self, log: SharedLog) -> None:
        node = await log.join()
        run = record(node)
        await log.create(run, PLENTY)
        await log.append(run.id, node, 1, events(3))
        await log.append(run.id, node, 1, events(3))
        await log.append(run.id, node, 2, events(1, first=1))
        await log.append(run.id, node, 2, events(4, first=1))  # two of which are new
        ending = Ending("complete", await soon(log))
        await log.append(run.id, node, 6, events(1, first=5), ending)
        await log.append(run.id, node, 6, events(1, first=5), ending)
        assert [entry.event for entry in await read(log, run.id)] == events(6)
        with pytest.raises(ValueError, match="ended"):
            await log.append(run.id, node, 7, events(1))

    async def test_creating_is_repeated_by_its_owner_only(self, log: SharedLog) -> None:
        node, other = await log.join(), await log.join()
        run = record(node)
        await log.create(run, PLENTY)
        await log.append(run.id, node, 1, events(2))
        await log.create(run, PLENTY)
        with pytest.raises(ValueError, match=run.id):
            await log.create(replace(run, owner=other), PLENTY)
        assert await log.record(run.id) == replace(run, last=2, end=6)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def test_the_last_entry_and_the_end_come_together(self, another: Another) -> None:
        log, other = await another(), await another()
        node = await log.join()
        run = record(node)
        await log.create(run, PLENTY)
        until = await soon(log)
        await log.append(run.id, node, 1, events(2), Ending("complete", until))
        assert await other.record(run.id) == replace(run, last=2, end=6, code="complete", until=until)
        assert numbers(await read(other, run.id)) == [1, 2]

    async def test_nothing_follows_an_end(self, log: SharedLog) -> None:
        """Who saw the last entry does not ask; who asks has seen what a failover has lost."""
        node = await log.join()
        run = record(node)
        await log.create(run, PLENTY)
        await log.append(run.id, node, 1, events(2))
        waiting = [asyncio.create_task(log.read(run.id, after, loop_time() + SECONDS)) for after in (3, 9)]
        await asyncio.sleep(SOON)
        assert not any(each.done() for each in waiting)
        await log.append(run.id, node, 3, events(1), Ending("interrupted", await soon(log)))
        for each in waiting:
            with pytest.raises(Purged):
                await within(each)
        with pytest.raises(Purged):
            await within(log.read(run.id, 3, loop_time() + SECONDS))

    async def test_what_has_ended_is_kept_until_its_time_is_over(self, log: SharedLog, passing: Passing) -> None:
        node = await log.join()
        run, read_longer = record(node), record(node)
        until = await log.now() + 100 * self.lease
        for each in (run, read_longer):
            await log.create(each, PLENTY)
            await log.append(each.id, node, 1, events(1), Ending("complete", await log.now() + self.lease))
        await log.keep(read_longer.id, until)
        await log.keep(read_longer.id, await log.now())
        await passing(self.lease * 1.2)
        with pytest.raises(UnknownRun):
            await log.record(run.id)
        with pytest.raises(UnknownRun):
            await read(log, run.id)
        with pytest.raises(UnknownRun):
            await log.keep(run.id, until)
        assert (await log.record(read_longer.id)).code == "complete"
        assert numbers(await read(log, read_longer.id)) == [1]

    async def test_quotas_forget_the_oldest_but_none_that_is_read(self, another: Another) -> None:
        log, other = await another(), await another()
        node = await log.join()
        working = record(node)
        await log.create(working, PLENTY)
        await log.append(working.id, node, 1, events(100))
        runs: dict[str, str] = {}
        ends = {"a1": "a", "b1": "b", "a2": "a", "a3": "a", "b2": "b", "a4": "a"}
        for name in sorted(ends, reverse=True):  # not in the order of their ends
            run = replace(record(node), principal=ends[name])
            runs[name] = run.id
            await log.create(run, PLENTY)
        for name in ends:
            await log.append(runs[name], node, 1, events(2, size=8), Ending("complete", await soon(log)))

        async def left() -> set[str]:
            found = set[str]()
            for name, run in runs.items():
                with contextlib.suppress(UnknownRun):
                    await log.record(run)
                    found.add(name)
            return found

        assert await other.sweep(Quota(6, 120, 4, 80)) == Usage(1, 6, 120, Counter())
        await log.keep(runs["a1"], await soon(log))
        assert await other.sweep(Quota(6, 120, 3, 80)) == Usage(1, 5, 100, Counter(principal=1))
        assert await left() == {"a1", "a3", "a4", "b1", "b2"}
        assert await log.sweep(Quota(6, 80, 6, 120)) == Usage(1, 4, 80, Counter(all=1))
        assert await left() == {"a1", "a4", "b1", "b2"}
        assert await other.sweep(Quota(6, 120, 6, 10)) == Usage(1, 3, 60, Counter(principal=1))
        assert await left() == {"a1", "a4", "b2"}
        assert numbers(await read(log, working.id, 98)) == [99, 100]

    async def test_a_sweep_forgets_what_is_over(self, log: SharedLog, passing: Passing) -> None:
        node = await log.join()
        for seconds in (self.lease, self.lease, 100 * self.lease):
            run = record(node)
            await log.create(run, PLENTY)
            await log.append(run.id, node, 1, events(1), Ending("complete", await log.now() + seconds))
        await passing(self.lease * 1.2)
        usage = await log.sweep(Quota(100, 10**6, 100, 10**6))
        assert usage[:3] == (0, 1, 3)
        assert usage.forgotten in (Counter(age=2), Counter()), "a log may have forgotten them by itself"

    # --- readers -----------------------------------------------------------------------------------------------------

    async def test_a_reader_is_woken_by_another_node(self, another: Another) -> None:
        log, other = await another(), await another()
        node = await log.join()
        run = record(node)
        await log.create(run, PLENTY)
        waiting = [asyncio.create_task(view.read(run.id, 0, loop_time() + SECONDS)) for view in (log, other, other)]
        await asyncio.sleep(SOON)
        assert not any(each.done() for each in waiting)
        await log.append(run.id, node, 1, events(2))
        assert [numbers(await within(each)) for each in waiting] == [[1, 2]] * 3

    async def test_forgetting_wakes_those_who_wait(self, another: Another) -> None:
        log, other = await another(), await another()
        run = record(await log.join())
        await log.create(run, PLENTY)
        waiting = asyncio.create_task(other.read(run.id, 0, loop_time() + SECONDS))
        await asyncio.sleep(SOON)
        await log.forget(run.id)
        with pytest.raises(UnknownRun):
            await within(waiting)
        await log.forget(run.id)
        with pytest.raises(UnknownRun):
            await other.record(run.id)

    async def test_an_unknown_run(self, log: SharedLog) -> None:
        node = await log.join()
        for asked in (
            log.record("never"),
            log.read("never", 0, loop_time() + SECONDS),
            log.append("never", node, 1, events(1)),
            log.amend("never", node, extra=b""),
            log.keep("never", await soon(log)),
        ):
            with pytest.raises(UnknownRun):
                await within(asked)
        await log.forget("never")

    # --- messages ----------------------------------------------------------------------------------------------------

    async def test_a_message_wakes_its_node(self, another: Another) -> None:
        log, other = await another(), await another()
        one, two = await log.join(), await other.join()
        waiting = asyncio.create_task(other.receive(two, loop_time() + SECONDS))
        await asyncio.sleep(SOON)
        assert not waiting.done()
        assert await log.send(two, b"\x00a\xff")
        assert await within(waiting) == [b"\x00a\xff"]
        assert await other.receive(two, loop_time()) == []
        assert await log.receive(one, loop_time()) == []

    async def test_messages_come_in_order_and_again_until_the_next_call(self, another: Another) -> None:
        log, other = await another(), await another()
        node = await other.join()
        sent = [str(at).encode() for at in range(20)]
        for message in sent:
            assert await log.send(node, message)
        got: list[bytes] = []
        while len(got) < len(sent):
            got += await within(other.receive(node, loop_time() + SECONDS))
        assert got == sent
        assert await other.receive(node, loop_time()) == []

    async def test_who_has_no_lease_gets_no_message(self, log: SharedLog) -> None:
        node = await log.join()
        await log.leave(node)
        assert not await log.send(node, b"x")
        assert not await log.send(new_id(), b"x")

    async def test_all_but_the_sender_get_what_is_published(self, another: Another) -> None:
        views = [await another() for _ in range(3)]
        nodes = [await view.join() for view in views]
        await views[0].publish(nodes[0], b"changed")
        received = [await view.receive(node, loop_time()) for view, node in zip(views, nodes, strict=True)]
        assert received == [[], [b"changed"], [b"changed"]]

    # --- documents ---------------------------------------------------------------------------------------------------

    async def test_a_document_is_the_same_for_all(self, another: Another) -> None:
        log, other = await another(), await another()
        until = await soon(log)
        assert await log.get("key/a") is None
        assert await log.put("key/a", b"\x00\xff", until) is None
        assert await other.get("key/a") == StoredDocument(b"\x00\xff", 1)
        assert await other.put("key/a", b"", until) is None
        assert await log.get("key/a") == StoredDocument(b"", 2)
        await log.delete("key/a")
        await log.delete("key/a")
        assert await other.get("key/a") is None

    async def test_a_document_of_another_version_stands_in_the_way(self, log: SharedLog) -> None:
        until = await soon(log)
        assert await log.put("key/a", b"1", until, version=0) is None
        assert await log.put("key/a", b"2", until, version=0) == StoredDocument(b"1", 1)
        assert await log.put("key/a", b"2", until, version=2) == StoredDocument(b"1", 1)
        assert await log.put("key/a", b"2", until, version=1) is None
        assert await log.put("key/b", b"2", until, version=1) == StoredDocument(b"", 0)
        assert await log.get("key/a") == StoredDocument(b"2", 2)

    async def test_of_many_at_once_one_is_stored(self, another: Another) -> None:
        views = [await another() for _ in range(3)]
        until = await soon(views[0])

        async def claim(at: int, name: str) -> bool:
            return await views[at % 3].put(f"claim/{name}", b"", until, version=0) is None

        names = ["a", "b", "c"] * 10
        won = await within(asyncio.gather(*(claim(at, name) for at, name in enumerate(names))))
        assert sorted(name for name, first in zip(names, won, strict=True) if first) == ["a", "b", "c"]

    async def test_a_document_is_there_until_its_time_is_over(self, log: SharedLog, passing: Passing) -> None:
        now = await log.now()
        await log.put("claim/short", b"", now + self.lease, version=0)
        await log.put("claim/long", b"", now + 100 * self.lease, version=0)
        await passing(self.lease * 1.2)
        assert await log.get("claim/short") is None
        assert await log.put("claim/short", b"", now + 100 * self.lease, version=0) is None
        assert await log.get("claim/long") == StoredDocument(b"", 1)

    # --- its life ----------------------------------------------------------------------------------------------------

    async def test_what_one_left_another_finds(self, another: Another) -> None:
        log = await another()
        node = await log.join()
        run = record(node)
        await log.create(run, PLENTY)
        await log.append(run.id, node, 1, events(3))
        await log.put("session/a", b"said", await soon(log))
        await log.close()
        await log.close()
        other = await another()
        assert numbers(await read(other, run.id)) == [1, 2, 3]
        assert await other.get("session/a") == StoredDocument(b"said", 1)
