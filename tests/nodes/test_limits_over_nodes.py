"""Limits hold over nodes: what one lets in the others hear of within a second; what a dead one had is free again."""

from __future__ import annotations

import asyncio

import pytest
from loop_clock import on_loop_clock
from nodes_stage import Site, nodes, now

from mcp_app.config.limits import parse_rules
from mcp_app.limits.shared_charges import HEARD_SECONDS, SharedCharges
from mcp_app.nodes.limit_letters import TELL_SECONDS, LimitLetters
from mcp_app.protocol.errors import RateLimited
from mcp_app.protocol.payer import payer_of

ANNA = payer_of("key:anna", "192.0.2.1")
TOLD = 2 * TELL_SECONDS


def charged(sites: list[Site], rules: str) -> list[SharedCharges]:
    made = [SharedCharges(parse_rules(rules, ()), now, log=lambda line: None) for _ in sites]
    for site, charges in zip(sites, made, strict=True):
        LimitLetters(site.node, charges)
    return made


@on_loop_clock
async def test_a_rate_is_that_of_all_nodes() -> None:
    async with nodes() as sites:
        here, there = charged(sites, "requests per principal 10/1000s")
        for _ in range(10):
            here.request(ANNA)
        await asyncio.sleep(TOLD)
        with pytest.raises(RateLimited):
            there.request(ANNA)
        await asyncio.sleep(100)
        there.request(ANNA)
        await asyncio.sleep(TOLD)
        with pytest.raises(RateLimited):
            here.request(ANNA)


@on_loop_clock
async def test_what_is_open_is_counted_as_long_as_its_node_is_there() -> None:
    async with nodes() as sites:
        here, there = charged(sites, "streams per principal 2")
        held = [here.stream(ANNA) for _ in range(2)]
        await asyncio.sleep(10 * HEARD_SECONDS)
        with pytest.raises(RateLimited):
            there.stream(ANNA)
        assert held[0] is not None
        held[0].release()
        await asyncio.sleep(TOLD)
        again = there.stream(ANNA)
        with pytest.raises(RateLimited):
            there.stream(ANNA)
        await sites[0].die()
        await asyncio.sleep(HEARD_SECONDS + TOLD)
        assert there.stream(ANNA) is not None
        assert again is not None


@on_loop_clock
async def test_while_the_log_is_away_each_node_counts_for_itself() -> None:
    async with nodes() as sites:
        here, there = charged(sites, "requests per principal 10/1000s")
        sites[0].log.reachable = False
        for _ in range(10):
            here.request(ANNA)
        await asyncio.sleep(TOLD)
        for _ in range(10):
            there.request(ANNA)
        sites[0].log.reachable = True
        await asyncio.sleep(TOLD)
        for each in (here, there):
            with pytest.raises(RateLimited):
                each.request(ANNA)
