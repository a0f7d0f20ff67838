"""Tickets over two nodes: one that the first gave out starts its run at the other, and comes back to it at any."""

from __future__ import annotations

import asyncio

from loop_clock import on_loop_clock
from nodes_stage import EVENTS, KEY, STREAM, Site, Stream, nodes, value

TICKETS = "/api/v1/mcp/tickets"


async def opened(site: Site, ticket: str, after: str = "") -> Stream:
    fields = {"accept": STREAM, **({"last_event_id": after} if after else {})}
    return Stream(await site.ask("GET", f"{EVENTS}?tool=walk&steps=4&run={KEY}&access_ticket={ticket}", **fields))


@on_loop_clock
async def test_a_ticket_is_good_at_every_node() -> None:
    async with nodes(3, cap_seconds=600) as (first, second, third):
        made = await first.ask("POST", TICKETS, {"run": KEY})
        assert made.status == 201
        ticket = value(made)["ticket"]
        stream = await opened(second, ticket)
        second.play.step(2)
        await stream.until(3)
        stream.leave()
        await asyncio.sleep(20)
        again = await opened(third, ticket, stream.last_id)
        third.play.step()
        await again.until(1)
        again.leave()
        await asyncio.sleep(25)  # by now it starts nothing any more, and opens what it has started
        last = await opened(first, ticket, again.last_id)
        first.play.step()
        await last.rest()
        assert stream.numbers + again.numbers + last.numbers == [1, 2, 3, 4, 5, 6]
        await asyncio.sleep(20)
        late = await first.ask("GET", f"{EVENTS}?tool=walk&steps=4&run={KEY}x&access_ticket={ticket}", accept=STREAM)
        assert late.status == 401
