"""A session, its stream and a question over two nodes whose log is a SQLite file, by the clock of the day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from legacy_client import Events, Stage, decoded
from sessions_stage import NodeStage, at

from mcp_app.eventlog.configured import shared_log
from mcp_app.nodes import Node


class FileStage(NodeStage):
    """One process of those that share the file."""

    def __init__(self, path: Path) -> None:
        Stage.__init__(self, event_log=f"sqlite://{path}")

    def _node(self) -> Node:
        log = shared_log(self.settings)
        assert log is not None
        return Node(log, self.settings, self.tools)


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[FileStage]]:
    made = [FileStage(tmp_path / "log.db") for _ in range(2)]
    for each in made:
        await each.start()
    yield made
    for each in made:
        await each.close()


async def test_a_session_goes_from_node_to_node(nodes: list[FileStage]) -> None:
    here, there = nodes
    client = await here.client(elicitation={"form": {}})
    other = at(client, there)
    own = Events(await client.get())
    await own.next()  # the primer
    await other.result("resources/subscribe", {"uri": "test://text"})
    await other.tool("changes")
    assert (await own.message())["params"] == {"uri": "test://text"}
    moved = Events(await other.get())
    await moved.next()
    assert await own.next() is None
    here.resources.updated("test://text")
    assert (await moved.message())["params"] == {"uri": "test://text"}

    call = Events(await other.tool("asks"))
    await call.next()
    question: Any = await call.message()
    answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept", "content": {"name": "Ada"}}}
    assert (await client.post(answer)).status == 202
    assert (await call.message())["result"]["content"][0]["text"] == "Ada"


async def test_a_requests_stream_goes_on_and_a_call_is_cancelled(nodes: list[FileStage]) -> None:
    here, there = nodes
    client = await here.client()
    call = Events(await client.tool("steps", token="t", n=2))
    here.steps.release()
    await call.next()
    event = await call.next()
    assert event is not None
    rest = Events(await at(client, there).get(event.id))
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": client.ids - 1000}}
    assert (await at(client, there).post(cancelled)).status == 202
    assert (await rest.rest())[-1]["error"]["data"]["code"] == "cancelled"
    await asyncio.wait_for(here.cancelled.wait(), 10)
    assert decoded(await at(client, there).request("ping"))["result"] == {}
