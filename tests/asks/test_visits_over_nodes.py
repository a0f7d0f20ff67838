"""A visit to an author's page over two nodes: begun on one, completed on the other, whoever waits for it."""

from __future__ import annotations

import asyncio

from asks_nodes import NodeServer, servers
from loop_clock import on_loop_clock

from mcp_app import Context, Visits, tool
from mcp_app.asking import Visit
from mcp_app.authoring.tool import Tool
from mcp_app.protocol.access import ANONYMOUS

PAGE = "https://example.com/connect"


class Site:
    """What one process has: its visits, and a tool that sends its user to a page."""

    def __init__(self) -> None:
        self.visits = Visits()

    def tool(self) -> Tool:
        site = self

        @tool(task="must")
        async def connects(ctx: Context) -> str:
            await ctx.ask_url(PAGE, "Log in there.", until=site.visits)
            return "connected"

        return connects


def two_sites(nodes: list[NodeServer]) -> list[Site]:
    sites = []
    for node in nodes:
        site = Site()
        site.visits.store = node.here.visits
        node.tools.add(site.tool())
        sites.append(site)
    return sites


def asked(task: dict[str, object]) -> str:
    [request] = task["inputRequests"].values()  # type: ignore[attr-defined]
    return str(request["params"]["url"].partition("elicitationId=")[2])


@on_loop_clock
async def test_a_visit_is_completed_on_the_other_node_and_the_call_there_goes_on() -> None:
    async with servers() as nodes:
        here, there = two_sites(nodes)
        task = await nodes[0].task("connects")
        visit = asked(await nodes[1].until(task, "input_required"))
        assert await there.visits.look_up(visit, "somebody else") is None
        assert await there.visits.look_up("0" * 32) is None
        found = await there.visits.look_up(visit, ANONYMOUS.principal)
        assert isinstance(found, Visit)
        assert there.visits.complete(visit, ANONYMOUS.principal)
        await asyncio.sleep(1)
        assert here.visits.find(visit, ANONYMOUS.principal).completed  # type: ignore[union-attr]
        assert await there.visits.look_up(visit) is found


@on_loop_clock
async def test_who_waits_hears_of_it_also_if_nobody_could_say_so() -> None:
    async with servers() as nodes:
        here, there = two_sites(nodes)
        visit = await here.visits.start("1" * 32, "ada")
        waiting = asyncio.create_task(visit.wait())
        found = await there.visits.look_up(visit.id, "ada")
        assert found is not None
        nodes[1].here.post._reactions.pop("visit.completed")
        nodes[0].here.post._reactions.pop("visit.completed")  # the letter is lost
        found.complete()
        assert await asyncio.wait_for(waiting, 60)
        assert visit.completed


@on_loop_clock
async def test_a_visit_that_was_completed_before_is_so_where_its_call_is_retried() -> None:
    async with servers() as nodes:
        here, there = two_sites(nodes)
        visit = await here.visits.start("1" * 32, "ada")
        assert here.visits.complete(visit.id, "ada")
        await asyncio.sleep(1)
        await nodes[0].die()
        assert (await there.visits.start(visit.id, "ada")).completed
        assert (await Visits().start(visit.id, "ada")).completed is False, "without a log it is not known"


@on_loop_clock
async def test_a_completion_that_cannot_be_written_is_written_later() -> None:
    async with servers() as nodes:
        here, there = two_sites(nodes)
        visit = await here.visits.start("1" * 32, "ada")
        found = await there.visits.look_up(visit.id, "ada")
        assert found is not None
        nodes[1].log.reachable = False
        found.complete()
        await asyncio.sleep(5)
        assert not visit.completed
        nodes[1].log.reachable = True
        assert await asyncio.wait_for(visit.wait(), 60)
