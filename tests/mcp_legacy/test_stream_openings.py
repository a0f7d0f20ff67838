"""The first bytes of every kind of stream a session has, as clients that dispatch at each blank line need them."""

from __future__ import annotations

from typing import Any

import pytest
from legacy_client import STREAM, Events, Stage, call

PRIMED = ["2025-11-25"]
UNPRIMED = ["2025-06-18", "2025-03-26"]


async def opened(answer: Any) -> tuple[bytes, str]:
    """What a stream begins with, up to its first event, and the id of that."""
    events = Events(answer)
    first = await events.next()
    assert first is not None
    events.leave()
    return events.raw, first.id


def steps(id: int) -> dict[str, Any]:  # noqa: A002 - the wire's name
    return call("tools/call", {"name": "steps", "arguments": {"n": 2}, "_meta": {"progressToken": id}}, id)


@pytest.mark.parametrize("version", PRIMED + UNPRIMED)
async def test_a_requests_stream(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    stage.steps.release()
    raw, seen = await opened(await client.tool("steps", token="t", n=2))
    assert raw.startswith(b": open\nid: ")
    stage.steps.release()
    raw, _ = await opened(await client.get(seen))
    assert raw.startswith(b": open\n\nid: "), "the blank line ends what the cut left"
    assert b"retry:" not in raw


@pytest.mark.parametrize("version", PRIMED)
async def test_the_sessions_own_stream(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    raw, seen = await opened(await client.get())
    assert raw == b": open\nid: %b\ndata: \n\n" % seen.encode()
    raw, again = await opened(await client.get(seen))
    assert raw == b": open\n\nid: %b\ndata: \n\n" % again.encode()


@pytest.mark.parametrize("version", UNPRIMED)
async def test_the_sessions_own_stream_before_2025_11_25(stage: Stage, version: str) -> None:
    client = await stage.client(version)
    for _ in range(2):  # the second goes on where the first was, without an id that says so
        events = Events(await client.get())
        assert await anext(events.frames) == b": open\n"
        events.leave()


async def test_a_batchs_stream(stage: Stage) -> None:
    client = await stage.client("2025-03-26")
    stage.steps.release()
    raw, seen = await opened(await client.post([steps(1), steps(2)]))
    assert raw.startswith(b": open\nid: ")
    stage.steps.release()
    raw, _ = await opened(await client.get(seen))
    assert raw.startswith(b": open\n\nid: ")


async def test_the_stream_of_2024_11_05(stage: Stage) -> None:
    raw, _ = await opened(await stage.ask("GET", path="/mcp", accept=STREAM))
    assert raw.startswith(b": open\nevent: endpoint\ndata: ")
