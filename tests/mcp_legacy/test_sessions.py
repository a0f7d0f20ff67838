"""The register of sessions and their outboxes, without HTTP."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import pytest

from mcp_app.config.settings import Settings
from mcp_app.dialects.mcp.sessions.outbox import RETENTION, Listener, Outbox
from mcp_app.dialects.mcp.sessions.register import Sessions
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import InvalidRequest, Purged
from mcp_app.protocol.mcp.jsonrpc import RpcResponse
from mcp_app.web.metrics import InFlight


@pytest.fixture
async def sessions() -> AsyncIterator[Sessions]:
    made = Sessions(Settings(), MemoryLog(), asyncio.get_running_loop().time, InFlight())
    yield made
    await made.drain()


@pytest.fixture
async def outbox() -> Outbox:
    made = Outbox(MemoryLog(), "session")
    await made.open()
    return made


async def heard(listener: Listener) -> list[bytes] | None:
    batch = await asyncio.wait_for(listener.next(math.inf), 10)
    return None if batch is None else [each.event.data for each in batch]


async def test_a_session_is_one_principals(sessions: Sessions) -> None:
    session = await sessions.begin(Access("alice"))
    assert await sessions.find(session.id, Access("alice")) is session
    assert await sessions.find(session.id, Access("bob")) is None


async def test_a_response_settles_what_waits_for_it(sessions: Sessions) -> None:
    session = await sessions.begin(Access("alice"))
    request, answer = session.expect()
    other, unanswered = session.expect()
    assert request != other
    assert session.receive_response(RpcResponse(request, result={"a": 1}))
    assert (await answer).result == {"a": 1}
    assert not session.receive_response(RpcResponse(request, result={"a": 2}))
    assert not session.receive_response(RpcResponse("nothing", result={}))
    assert not session.receive_response(RpcResponse(None, error={"code": -32700, "message": "?"}))
    await sessions.end(session)
    await asyncio.sleep(0)
    assert unanswered.done()


async def test_the_rest_is_heard_after_the_end(outbox: Outbox) -> None:
    listener = outbox.listen()
    outbox.send(b"1")
    outbox.close()
    outbox.send(b"2")
    assert await heard(listener) == [b"1"]
    assert await heard(listener) is None
    listener.close()
    listener.close()


async def test_who_falls_behind_is_told_and_goes_on_from_there(outbox: Outbox) -> None:
    listener = outbox.listen()
    for number in range(RETENTION.entries + 1):
        outbox.send(b"%d" % number)
    await asyncio.sleep(0)
    with pytest.raises(Purged):
        await listener.next(math.inf)
    listener.close()
    again = outbox.listen()
    outbox.send(b"next")
    assert await heard(again) == [b"next"]


async def test_what_was_lost_is_told_once_also_to_who_repeats_a_last_event_id(outbox: Outbox) -> None:
    """The error has no id, so a client that comes back by itself has the one of before."""
    for number in range(RETENTION.entries + 3):
        outbox.send(b"%d" % number)
    await asyncio.sleep(0)
    listener = outbox.listen(1)
    with pytest.raises(Purged):
        await listener.next(math.inf)
    listener.close()
    again = outbox.listen(1)
    outbox.send(b"next")
    assert await heard(again) == [b"next"]
    kept = outbox.listen(outbox.last - 1)
    assert await heard(kept) == [b"next"], "what is behind the loss can be had again"


async def test_a_number_that_is_still_to_come_is_refused(outbox: Outbox) -> None:
    outbox.send(b"1")
    await asyncio.sleep(0)
    assert outbox.listen(1).after == 1
    with pytest.raises(InvalidRequest):
        outbox.listen(2)


async def test_nothing_is_left_of_an_outbox_that_nobody_hears() -> None:
    log = MemoryLog()
    outbox = Outbox(log, "session")
    await outbox.open()
    outbox.send(b"1")
    outbox.close()
    outbox.close()
    await asyncio.sleep(0)
    assert len(log) == 0
