"""The contract of shared logs, as to what goes wrong or happens at once: callers that give up, nodes that die, logs
that are away, many who want the same.

`shared_contract.py` says how an implementation is held against it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from contract import PLENTY, SECONDS, SOON, events, numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shared_parts import Another, Passing, loop_time, new_id, read, read_all, record, renew, soon, within

from mcp_app.eventlog.quota import Quota
from mcp_app.eventlog.records import Ending, StoredDocument
from mcp_app.eventlog.shared import MAX_MESSAGES, RECEIVE_MESSAGES, SharedLog
from mcp_app.protocol.errors import Fenced, Gap, LogUnavailable, UnknownRun
from mcp_app.protocol.event import Event

ODD = "ä☃/ *?[x]{y}:%s\n\\\"\x00'--"
"""What a principal's name, or a caller's key, may have in it."""


@dataclass
class Model:
    """What a run's log should be after each step."""

    owner: int = 0
    attempt: int = 1
    code: str | None = None
    events: list[Event] = field(default_factory=list)

    def append(self, owner: int, first: int, new: list[Event], code: str | None) -> type[Exception] | None:
        """Returns what is raised."""
        if owner != self.owner:
            return Fenced
        there = len(self.events) - first + 1
        if there < 0:
            return Gap
        if there < len(new) and self.code is not None:
            return ValueError
        self.events += new[there:]
        self.code = self.code or code
        return None


class DisorderContract:
    """Needs `lease`, and the fixtures `log`, `another` and `passing`."""

    lease: float
    own_clock = True
    """Whether the log has a clock of its own, so that those of the nodes may differ."""

    # --- one owner ---------------------------------------------------------------------------------------------------

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        steps=st.lists(
            st.tuples(
                st.sampled_from(["append", "append", "append", "end", "take over"]),
                st.integers(0, 2),  # by which node
                st.integers(-4, 2),  # how far before or behind the log's end it begins
                st.integers(1, 4),  # how many
            ),
            max_size=15,
        )
    )
    async def test_any_history_is_that_of_one_owner(
        self, another: Another, steps: list[tuple[str, int, int, int]]
    ) -> None:
        log = await another()
        model, nodes = Model(), [await log.join() for _ in range(3)]
        run = record(nodes[0])
        await log.create(run, PLENTY)
        until = await soon(log)
        for what, by, shift, count in steps:
            if what == "take over":
                await log.leave(nodes[model.owner])
                for node in {model.owner, by}:  # as new ones, whose leases have just begun
                    nodes[node] = await log.join()
                taken = await log.take_over(nodes[by], 100)
                assert [each.id for each in taken] == ([run.id] if model.code is None else [])
                if taken:
                    model.owner, model.attempt = by, model.attempt + 1
                else:
                    model.owner = -1  # it was a node that is no more
                    break
                continue
            first = max(1, len(model.events) + 1 + shift)
            if what == "end":  # which belongs to its event: there is no end for one that is there without it
                count = max(count, len(model.events) + 2 - first)
            new, code = events(count, first=first), "complete" if what == "end" else None
            expected = model.append(by, first, new, code)
            ending = None if code is None else Ending(code, until)
            with contextlib.nullcontext() if expected is None else pytest.raises(expected):
                await log.append(run.id, nodes[by], first, new, ending)
        found = await log.record(run.id)
        assert (found.code, found.attempt, found.last) == (model.code, model.attempt, len(model.events))
        assert found.end == sum(event.size for event in model.events)
        assert model.owner == -1 or found.owner == nodes[model.owner]
        entries = await read(log, run.id) if model.events else []
        assert [entry.event for entry in entries] == model.events
        await log.forget(run.id)
        for node in nodes:
            await log.leave(node)

    async def test_a_run_that_was_taken_over_is_not_begun_again(self, log: SharedLog) -> None:
        dead = await log.join()
        run = record(dead)
        await log.create(run, PLENTY)
        await log.leave(dead)
        [taken] = await log.take_over(await log.join(), 10)
        with pytest.raises((ValueError, Fenced)):
            await log.create(run, PLENTY)
        with pytest.raises(ValueError, match=run.id):
            await log.create(replace(run, owner=await log.join()), PLENTY)
        assert await log.record(run.id) == taken

    async def test_who_has_no_lease_begins_nothing(self, log: SharedLog) -> None:
        """Nobody who looks for the runs of the dead would find it."""
        left = await log.join()
        await log.leave(left)
        for node in (left, new_id()):
            run = record(node)
            with pytest.raises(Fenced):
                await log.create(run, PLENTY)
            with pytest.raises(UnknownRun):
                await log.record(run.id)

    async def test_only_what_is_named_is_amended(self, another: Another) -> None:
        log, other = await another(), await another()
        run = replace(record(await log.join()), principal=ODD, callee=ODD, key=ODD, digest=bytes(range(256)))
        await log.create(run, PLENTY)
        await log.amend(run.id, run.owner, extra=b"\x00\xff")
        assert await other.record(run.id) == replace(run, extra=b"\x00\xff")
        await log.amend(run.id, run.owner, policy="MCP task")
        await log.append(run.id, run.owner, 1, events(1))
        assert await other.record(run.id) == replace(run, extra=b"\x00\xff", policy="MCP task", last=1, end=3)

    async def test_nothing_in_a_record_is_needed(self, another: Another) -> None:
        log = await another()
        run = replace(record(await log.join()), key=None, arguments=None, digest=b"", extra=b"")
        await log.create(run, PLENTY)
        assert await (await another()).record(run.id) == run

    # --- who gives up ------------------------------------------------------------------------------------------------

    async def test_an_append_that_was_given_up_is_repeated_and_there_once(self, another: Another) -> None:
        log, other = await another(), await another()
        run = record(await log.join())
        await log.create(run, PLENTY)
        written = events(60)
        for turns in range(20):
            first = 3 * turns
            given_up = asyncio.create_task(log.append(run.id, run.owner, first + 1, written[first : first + 3]))
            for _ in range(turns):
                await asyncio.sleep(0)
            given_up.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await given_up
            await within(log.append(run.id, run.owner, first + 1, written[first : first + 3]))
        assert [entry.event for entry in await read_all(other, run.id)] == written

    async def test_a_message_is_not_lost_when_its_receiver_gives_up(self, another: Another) -> None:
        log, other = await another(), await another()
        node = await other.join()
        got, total = list[bytes](), 20
        for turns in range(total):
            receiving = asyncio.create_task(other.receive(node, loop_time() + SECONDS))
            for _ in range(turns // 2):
                await asyncio.sleep(0)
            assert await log.send(node, b"%d" % turns)
            for _ in range(turns % 7):
                await asyncio.sleep(0)
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                got += await receiving
        while batch := await within(other.receive(node, loop_time() + SOON)):
            got += batch
        assert list(dict.fromkeys(got)) == [b"%d" % number for number in range(total)]

    # --- who dies ----------------------------------------------------------------------------------------------------

    async def test_what_a_reader_saw_is_there_after_its_writer_has_died(
        self, another: Another, passing: Passing
    ) -> None:
        log, other = await another(), await another()
        dead = await log.join()
        run = record(dead)
        await log.create(run, PLENTY)
        for number in (1, 2, 3):
            await log.append(run.id, dead, number, events(1, first=number))
        seen = await read_all(other, run.id)
        await log.close()  # without leaving
        await passing(self.lease * 1.2)
        living = await other.join()
        [taken] = await other.take_over(living, 10)
        await other.append(run.id, living, taken.last + 1, events(1), Ending("interrupted", await soon(other)))
        entries = await read(other, run.id)
        assert (numbers(entries), entries[:3]) == ([1, 2, 3, 4], seen)

    async def test_what_waits_for_a_dead_node_is_dropped(self, another: Another, passing: Passing) -> None:
        log, other = await another(), await another()
        dead = await log.join()
        assert await other.send(dead, b"x")
        await passing(self.lease * 1.2)
        assert not await other.send(dead, b"y")
        await other.publish(await other.join(), b"z")
        assert await within(log.receive(dead, loop_time())) == []

    async def test_a_node_that_hangs_holds_a_bounded_number_of_messages(self, another: Another) -> None:
        log, other = await another(), await another()
        hanging, reading = await log.join(), await other.join()
        for _ in range(MAX_MESSAGES // 500):
            assert all(await within(asyncio.gather(*(log.send(hanging, b"x") for _ in range(500)))))
            await renew(log, hanging)
            await renew(log, reading)
        with pytest.raises(LogUnavailable):
            await log.send(hanging, b"one more")
        with pytest.raises(LogUnavailable):
            await log.publish("nobody", b"to all")
        assert await within(other.receive(reading, loop_time() + SECONDS)) == [b"to all"]
        assert len(await within(log.receive(hanging, loop_time() + SECONDS))) == RECEIVE_MESSAGES
        await within(log.receive(hanging, loop_time() + SECONDS))
        assert await log.send(hanging, b"one more")

    # --- many at once ------------------------------------------------------------------------------------------------

    async def test_the_messages_of_each_sender_arrive_in_order(self, another: Another) -> None:
        views = [await another() for _ in range(3)]
        node = await views[0].join()

        async def send(sender: int) -> None:
            for number in range(50):
                assert await views[sender].send(node, b"%d %d" % (sender, number))

        sending = [asyncio.create_task(send(sender)) for sender in range(3)]
        got: list[tuple[int, ...]] = []
        while len(got) < 150:
            got += [tuple(map(int, each.split())) for each in await views[0].receive(node, loop_time() + SECONDS)]
        await within(asyncio.gather(*sending))
        for sender in range(3):
            assert [number for by, number in got if by == sender] == list(range(50))

    async def test_no_change_of_a_document_is_lost(self, another: Another) -> None:
        views = [await another() for _ in range(3)]
        until = await soon(views[0])

        async def count(log: SharedLog) -> None:
            there = StoredDocument(b"0", 0)
            for _ in range(5):
                while True:
                    stood = await log.put("count/a", b"%d" % (int(there.value or b"0") + 1), until, there.version)
                    if stood is None:
                        break
                    there = stood
                there = await log.get("count/a") or there

        await within(asyncio.gather(*(count(log) for log in views for _ in range(4))))
        assert await views[0].get("count/a") == StoredDocument(b"60", 60)

    async def test_of_many_who_create_one_run_one_owns_it(self, another: Another) -> None:
        views = [await another() for _ in range(3)]
        runs = [record(await view.join(), "f" * 32) for view in views]
        created = [view.create(run, PLENTY) for view, run in zip(views, runs, strict=True)]
        results = await within(asyncio.gather(*created, return_exceptions=True))
        assert sorted(type(each).__name__ for each in results) == ["NoneType", "ValueError", "ValueError"]
        assert (await views[0].record("f" * 32)).owner == runs[results.index(None)].owner

    # --- documents ---------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", [f"key/{ODD}/{ODD}", "result/" + 32 * "a" + "/1", "visit/" + 300 * "x"])
    async def test_any_name_and_any_value(self, another: Another, name: str) -> None:
        log, other = await another(), await another()
        value = bytes(range(256)) * 4096
        assert await log.put(name, value, await soon(log), version=0) is None
        assert await other.get(name) == StoredDocument(value, 1)
        assert await other.get(name[:-1]) is None

    async def test_a_name_that_is_free_again_begins_anew(self, log: SharedLog, passing: Passing) -> None:
        await log.put("claim/a", b"", await log.now() + self.lease)
        await log.put("claim/a", b"", await log.now() + self.lease)
        await passing(self.lease * 1.2)
        assert await log.put("claim/a", b"", await soon(log), version=2) == StoredDocument(b"", 0)
        assert await log.put("claim/a", b"x", await soon(log), version=0) is None
        await log.delete("claim/a")
        assert await log.put("claim/a", b"y", await soon(log)) is None
        assert await log.get("claim/a") == StoredDocument(b"y", 1)

    # --- a log that is away, and other clocks ------------------------------------------------------------------------

    async def test_a_log_that_was_closed_says_so(self, another: Another) -> None:
        log, other = await another(), await another()
        node = await log.join()
        run = record(node)
        await log.create(run, PLENTY)
        until = loop_time() + SECONDS
        waiting = [asyncio.create_task(log.read(run.id, 0, until)), asyncio.create_task(log.receive(node, until))]
        await asyncio.sleep(SOON)
        await log.close()
        for each in waiting:
            with pytest.raises(LogUnavailable):
                await within(each)
        asked: list[Callable[[], Awaitable[object]]] = [
            log.now,
            log.join,
            log.nodes,
            lambda: log.leave(node),
            lambda: renew(log, node),
            lambda: log.take_over(node, 1),
            lambda: log.send(node, b""),
            lambda: log.publish(node, b""),
            lambda: log.receive(node, until),
            lambda: log.create(run, PLENTY),
            lambda: log.append(run.id, node, 1, events(1)),
            lambda: log.read(run.id, 0, until),
            lambda: log.record(run.id),
            lambda: log.amend(run.id, node, extra=b""),
            lambda: log.keep(run.id, 0.0),
            lambda: log.sweep(Quota(1, 1, 1, 1)),
            lambda: log.forget(run.id),
            lambda: log.get("key/a"),
            lambda: log.put("key/a", b"", 0.0),
            lambda: log.delete("key/a"),
        ]
        for each_asked in asked:
            with pytest.raises(LogUnavailable) as caught:
                await within(each_asked())
            assert caught.value.headers["Retry-After"]
        assert await other.record(run.id) == run

    async def test_the_clocks_of_the_nodes_may_differ(self, another: Another, monkeypatch: pytest.MonkeyPatch) -> None:
        if not self.own_clock:
            pytest.skip("all its nodes are of one machine, and have its clock")
        right, wrong = await another(), await another()
        node, until = await right.join(), await soon(right)
        run = record(node)
        await right.create(run, PLENTY)
        await right.append(run.id, node, 1, events(1), Ending("complete", until))
        await right.put("claim/a", b"", until)
        true_time = time.time
        for hours in (-24, 24):
            monkeypatch.setattr(time, "time", lambda by=3600 * hours: true_time() + by)
            await renew(right, node)
            assert await wrong.nodes() >= {node}
            assert abs(await wrong.now() + 3600 - until) < 1800
            assert numbers(await read(wrong, run.id)) == [1]
            assert await wrong.put("claim/a", b"", until, version=0) == StoredDocument(b"", 1)
            other = await wrong.join()
            assert await right.nodes() >= {node, other}
            await renew(wrong, other)
