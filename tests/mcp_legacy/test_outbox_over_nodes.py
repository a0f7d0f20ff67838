"""A session's own stream that goes from node to node, while all of them have something for its client: each message is
had once, and under a number of its own."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from legacy_client import Client, Events
from loop_clock import on_loop_clock
from sessions_stage import NodeStage, at, sites

MOVES = 12
"""Of the stream, in each drawn scene."""


async def say(stage: NodeStage, client: Client, name: str) -> None:
    session = await stage.endpoint.sessions.look_up(client.session)
    assert session is not None
    session.notify(f"notifications/{name}")


class Heard:
    """What the client has heard, by the numbers of its events."""

    def __init__(self) -> None:
        self.numbers: dict[int, str] = {}
        self.last_id: str | None = None

    async def read(self, events: Events, count: int) -> None:
        """So many more messages of a stream, or those until it ends."""
        while count:
            event = await events.next()
            if event is None:
                return
            if event.data:
                self.numbers[int(event.id.partition("/")[2])] = event.data
                count -= 1
            self.last_id = event.id


@pytest.mark.parametrize("seed", range(10))
def test_each_message_is_heard_once_wherever_the_stream_is(seed: int) -> None:
    drawn = random.Random(seed)

    @on_loop_clock
    async def scene() -> None:
        async with sites(3) as nodes:
            client = await nodes[0].client()
            heard, said = Heard(), 0
            for _ in range(MOVES):
                place = drawn.choice(nodes)
                events = Events(await at(client, place).get(heard.last_id if drawn.random() < 0.7 else None))
                before = len(heard.numbers)
                for _ in range(drawn.randrange(4)):
                    said += 1
                    await say(drawn.choice(nodes), client, f"n{said}")
                if drawn.random() < 0.8:
                    await heard.read(events, said - before)
                if drawn.random() < 0.5:
                    events.leave()
                    for _ in range(drawn.randrange(4)):
                        said += 1
                        await say(drawn.choice(nodes), client, f"n{said}")
                    await asyncio.sleep(drawn.random())
            events = Events(await at(client, drawn.choice(nodes)).get(heard.last_id))
            await heard.read(events, said - len(heard.numbers))
            assert Counter(heard.numbers.values()).most_common(1)[0][1] == 1
            assert len(heard.numbers) == said
            assert sorted(heard.numbers) == list(range(1, said + 1))

    scene()


@on_loop_clock
async def test_who_lost_its_lease_holds_its_outbox_again_as_another_node() -> None:
    async with sites() as (here, there):
        client = await here.client()
        events = Events(await client.get())
        await events.next()
        here.shared.reachable = False
        await asyncio.sleep(20)
        here.shared.reachable = True
        await asyncio.sleep(10)
        await at(client, there).result("resources/subscribe", {"uri": "test://text"})
        there.resources.updated("test://text")
        assert (await events.message())["params"] == {"uri": "test://text"}


@on_loop_clock
async def test_who_was_taken_for_dead_gives_up_what_another_holds_by_now() -> None:
    async with sites() as (here, there):
        client = await here.client()
        events = Events(await client.get())
        await events.next()
        here.shared.reachable = False
        await asyncio.sleep(20)
        taken = Events(await at(client, there).get())
        await taken.next()
        here.shared.reachable = True
        assert await events.next() is None, "there is one such stream"
        await say(here, client, "late")
        assert (await taken.message())["method"] == "notifications/late"
