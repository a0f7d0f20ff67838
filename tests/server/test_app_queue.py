"""What a request's messages wait in: their order, the bound that makes the connection wait, and who is told of the end.

It is seen through a real server as well: every test of tests/web with one has it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypercorn.app_wrappers import ASGIWrapper, WSGIWrapper
from hypercorn.asyncio import task_group
from hypercorn.config import Config

from mcp_app.server.engine.waiting import QUEUE_KEY, AppQueue, TaskGroup
from mcp_app.web.asgi import leaving

SECONDS = 5
DISCONNECT: Any = {"type": "http.disconnect"}


def body(number: int) -> Any:
    return {"type": "http.request", "body": b"%d" % number, "more_body": True}


@pytest.fixture
async def queue() -> AppQueue:
    return AppQueue(asyncio.get_running_loop(), 2)


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_messages_come_in_their_order_to_whoever_waits_first(queue: AppQueue) -> None:
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await turns()
    await queue.put(body(1))
    await queue.put(body(2))
    assert await asyncio.wait_for(first, SECONDS) == body(1)
    assert await asyncio.wait_for(second, SECONDS) == body(2)


async def test_what_is_there_can_be_taken_without_waiting(queue: AppQueue) -> None:
    assert queue.poll() is None
    for number in (1, 2):
        await queue.put(body(number))
    late = asyncio.create_task(queue.put(body(3)))
    await turns()
    assert queue.poll() == body(1)
    await asyncio.wait_for(late, SECONDS)
    assert [queue.poll() for _ in range(3)] == [body(2), body(3), None]


async def test_a_full_queue_makes_the_connection_wait(queue: AppQueue) -> None:
    await queue.put(body(1))
    await queue.put(body(2))
    late = [asyncio.create_task(queue.put(body(number))) for number in (3, 4)]
    await turns()
    assert not any(task.done() for task in late)
    assert await queue.get() == body(1)
    await turns()
    assert [task.done() for task in late] == [True, False]
    assert [await queue.get() for _ in range(2)] == [body(2), body(3)]
    await asyncio.wait_for(late[1], SECONDS)
    assert await queue.get() == body(4)


async def test_a_bound_of_zero_is_none() -> None:
    queue = AppQueue(asyncio.get_running_loop(), 0)
    for number in range(100):
        await asyncio.wait_for(queue.put(body(number)), SECONDS)
    assert [queue.poll() for _ in range(100)] == [body(number) for number in range(100)]


async def test_whoever_gives_up_takes_nothing_with_it(queue: AppQueue) -> None:
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await turns()
    waiting[1].cancel()
    await turns()
    await queue.put(body(1))
    waiting[0].cancel()  # it has its turn already, and gives it to the next
    await turns()
    assert [task.cancelled() for task in waiting] == [True, True, False]
    assert await asyncio.wait_for(waiting[2], SECONDS) == body(1)
    await queue.put(body(2))
    assert await queue.get() == body(2)


async def test_a_put_that_is_given_up_leaves_its_room_to_the_next(queue: AppQueue) -> None:
    for number in (1, 2):
        await queue.put(body(number))
    waiting = [asyncio.create_task(queue.put(body(number))) for number in (3, 4)]
    await turns()
    await queue.get()
    waiting[0].cancel()
    await turns()
    assert [await queue.get() for _ in range(2)] == [body(2), body(4)]
    await asyncio.wait_for(waiting[1], SECONDS)


@pytest.mark.parametrize("full", [True, False])
async def test_that_the_client_left_is_told_at_once_and_once(queue: AppQueue, full: bool) -> None:
    told: list[str] = []
    if full:
        for number in (1, 2):
            await queue.put(body(number))
    queue.on_disconnect(lambda: told.append("before"))
    leaving = asyncio.create_task(queue.put(DISCONNECT))
    await turns()
    assert told == ["before"]
    queue.on_disconnect(lambda: told.append("after"))
    assert told == ["before", "after"]
    messages = [await queue.get() for _ in range(3 if full else 1)]
    assert messages[-1] == DISCONNECT
    await asyncio.wait_for(leaving, SECONDS)


async def test_an_application_is_given_the_extension_and_its_error_ends_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[Any] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["extensions"][QUEUE_KEY], await receive()))
        raise LookupError("here")

    async def send(message: Any) -> None:
        sent.append(message)

    config = Config()
    scope: Any = {"type": "http", "extensions": {}}
    async with asyncio.timeout(SECONDS), TaskGroup(asyncio.get_running_loop()) as group:
        put = await group.spawn_app(ASGIWrapper(app), config, scope, send)
        await put(body(1))
    assert isinstance(seen[0][0], AppQueue)
    assert leaving.QUEUE_KEY == QUEUE_KEY, "ours looks for it under this name"
    assert seen[0][1] == body(1)
    assert sent == [None]
    assert "here" in caplog.text


async def test_a_wsgi_application_is_upstreams(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def upstream(*arguments: Any) -> Any:
        asked.append(arguments)

    monkeypatch.setattr(task_group.TaskGroup, "spawn_app", upstream)

    async def send(message: Any) -> None:
        """Nothing is sent."""

    group = TaskGroup(asyncio.get_running_loop())
    wsgi: Any = WSGIWrapper(lambda *_: [], 1)
    scope: Any = {"type": "http", "extensions": {}}
    await group.spawn_app(wsgi, Config(), scope, send)
    assert asked == [(group, wsgi, asked[0][2], scope, send)]
    assert scope["extensions"] == {}


@pytest.mark.parametrize("last", [True, False])
async def test_the_end_of_an_answer_is_not_its_client_leaving(queue: AppQueue, *, last: bool) -> None:
    """The server says the same of both, of the first within the application's own last write: that goes on to its end,
    whatever it still has to wait for. Any other write that is told so has lost its client."""
    wrote = False

    async def answer() -> None:
        nonlocal wrote
        async with leaving.CancelScope(queue.get, queue) as request:
            if last:
                request.begin_final_write()
            await queue.put(DISCONNECT)
            await turns()
            wrote = True

    task = asyncio.create_task(answer())
    await asyncio.wait_for(task, SECONDS)
    assert wrote == last
    assert task.cancelling() == 0
