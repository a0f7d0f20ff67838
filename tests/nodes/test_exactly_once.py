"""Drawn readers that leave and come back on either node, while a log is away now and then: each sees every event of the
run once, and in order."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loop_clock import ClockLoop
from nodes_stage import KEY, Site, Stream, nodes

LINGER = 30.0
ENOUGH = 1000  # what the tool says before it ends

# What a reader, its tool and the log do next.
STEPS = st.one_of(
    st.tuples(st.just("say"), st.integers(1, 400)),
    st.tuples(st.just("read"), st.integers(1, 300)),
    st.tuples(st.just("leave"), st.integers(0, 1)),
    st.tuples(st.just("pass"), st.integers(1, 20)),
    st.tuples(st.just("away"), st.tuples(st.integers(0, 1), st.integers(1, 8))),
)

LONG_AWAY = st.tuples(st.just("away"), st.tuples(st.integers(0, 1), st.integers(16, 60)))


class Reader:
    """A client that comes back with the last id it has seen, and counts what it was sent."""

    def __init__(self, sites: list[Site], run: str | None) -> None:
        self.sites = sites
        self.run = run
        self.seen: list[int] = []
        self.types: list[str] = []
        self.errors: list[str] = []
        self.last_id = ""
        self.stream: Stream | None = None

    async def come(self, at: int) -> Stream:
        if self.stream is None:
            site = self.sites[at]
            if self.run is None:
                self.stream = await site.listen("walk", KEY, self.last_id)
            else:
                self.stream = await site.follow(self.run, self.last_id)
        return self.stream

    def leave(self) -> None:
        if self.stream is not None:
            self._note(self.stream)
            self.stream.leave()
            self.stream = None

    @property
    def finished(self) -> bool:
        return bool(self.types) and self.types[-1] not in {"progress", "started"}

    async def read(self, count: int, at: int) -> None:
        if self.finished:
            return
        stream = await self.come(at)
        before = len(stream.events)
        while len(stream.events) < before + count and not stream.over:
            if not await _chunk(stream):
                break
        if stream.over:
            self.leave()

    async def read_to_the_end(self, at: int) -> None:
        for _ in range(20):
            if self.finished:
                break
            await (await self.come(at)).rest()
            self.leave()

    def _note(self, stream: Stream) -> None:
        self.seen += stream.numbers
        self.types += stream.types
        self.errors += [event["error"]["code"] for event in stream.events if event["type"] == "error"]
        self.last_id = stream.last_id or self.last_id


async def _chunk(stream: Stream) -> bool:
    """What is there within a second; reading is given up then, and the stream stays."""
    reading = asyncio.ensure_future(stream.read())
    done, _ = await asyncio.wait({reading}, timeout=1.0)
    if done:
        return reading.result()
    reading.cancel()
    await asyncio.wait({reading})
    return False


async def play(steps: list[tuple[str, Any]], ends: set[str], *, detached: bool) -> None:
    """`ends`: how the run may end."""
    async with nodes(cap_seconds=3600, run_life_seconds=3600, linger_seconds=LINGER) as sites:
        run = (await sites[0].start("walk"))["id"] if detached else None
        reader, at, said = Reader(sites, run), 0, 0
        if not detached:
            await reader.come(0)
        for what, value in steps:
            if what == "say":
                if said < ENOUGH:
                    said += value
                    sites[0].play.step(value)
            elif what == "read":
                await reader.read(value, at)
            elif what == "leave":
                reader.leave()
                at = value
                if not reader.finished:
                    await reader.come(at)  # before it has lingered too long
            elif what == "pass":
                await asyncio.sleep(value)
            else:
                site, seconds = value
                sites[site].log.reachable = False
                await asyncio.sleep(seconds)
                sites[site].log.reachable = True
                await asyncio.sleep(6)  # until the lease is renewed, or the node has come back as another
        if said < ENOUGH:
            sites[0].play.step(ENOUGH - said)
        await reader.read_to_the_end(at)
        if ends == {"complete"}:
            assert len(reader.seen) == max(said, ENOUGH) + 2
        assert reader.seen == list(range(1, len(reader.seen) + 1))
        assert reader.types[-1] == "complete" or reader.errors[-1] in ends
        assert set(reader.types[:-1]) <= {"started", "progress"}


@given(st.lists(STEPS, max_size=15), st.booleans())
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
def test_a_reader_that_leaves_and_comes_back_anywhere_sees_each_event_once(
    steps: list[tuple[str, Any]], detached: bool
) -> None:
    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        runner.run(play(steps, {"complete"}, detached=detached))


@given(st.lists(st.one_of(STEPS, LONG_AWAY), max_size=10), st.booleans())
@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
def test_also_when_a_node_is_thought_dead_and_comes_back(steps: list[tuple[str, Any]], detached: bool) -> None:
    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        runner.run(play(steps, {"complete", "interrupted", "left"}, detached=detached))
