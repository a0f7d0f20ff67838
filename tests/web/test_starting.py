"""What is mounted starts at the first request, once for each event loop, and ends with that loop."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from loop_clock import on_loop_clock

from mcp_app import Settings, create_app, starting
from mcp_app.authoring.prompt import Prompts
from mcp_app.authoring.resource import Resources
from mcp_app.authoring.tool import Registry
from mcp_app.life import Life, Server
from mcp_app.manifest import load_manifest
from mcp_app.starting import RETRY_SECONDS, WAIT_SECONDS, Starting
from mcp_app.web.asgi.server_state import DRAINING_KEY, MALFORMED_KEY
from mcp_app.web.messages import Answer, Request
from mcp_app.web.quart.application import Application

ASKED = Request("GET", "/healthz", headers={"host": "localhost"})


class Script:
    """Starts and stops as a test says, in the place of a Life's."""

    def __init__(self) -> None:
        self.started = 0
        self.stopped = 0
        self.start: Callable[[], Awaitable[None]] = self._at_once
        self.served: Any = None
        self.subscribed = 0

    async def _at_once(self) -> None:
        await asyncio.sleep(0)

    async def asked(self, request: Request, body_error: Any, identify: Any) -> Answer:
        return Answer(200, (), b"here")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    script = Script()

    class Scripted:
        def __init__(self, server: Server, served: Any) -> None:
            self.server, script.served = server, served

        async def start(self) -> None:
            script.started += 1
            await script.start()
            endpoint: Any = type("Endpoint", (), {"answer": staticmethod(script.asked)})()
            self.server.endpoint = endpoint

        def subscribe(self) -> None:
            script.subscribed += 1

        async def stop(self) -> None:
            await asyncio.sleep(0)
            script.stopped += 1

    monkeypatch.setattr(starting, "Life", Scripted)
    return script


def server() -> Server:
    return Server(Settings(), Registry(), load_manifest(), Resources(), Prompts())


def error_of(answer: Answer) -> dict[str, Any]:
    assert isinstance(answer.body, bytes)
    error: dict[str, Any] = json.loads(answer.body)["error"]
    return error


@on_loop_clock
async def test_the_first_request_starts_it_and_the_others_wait_for_that(script: Script) -> None:
    here = Starting(server())
    answers = await asyncio.gather(*(here.answer(ASKED) for _ in range(20)))
    assert {answer.body for answer in answers} == {b"here"}
    assert (script.started, script.stopped) == (1, 0)
    await here.shutdown()
    assert script.stopped == 1


@on_loop_clock
async def test_the_first_client_may_leave_while_it_starts(script: Script) -> None:
    gate = asyncio.Event()

    async def gated() -> None:
        await gate.wait()

    script.start = gated
    here = Starting(server())
    first = asyncio.create_task(here.answer(ASKED))
    second = asyncio.create_task(here.answer(ASKED))
    await asyncio.sleep(0.1)
    first.cancel()
    await asyncio.sleep(0.1)
    gate.set()
    assert (await second).status == 200
    assert first.cancelled()
    assert script.started == 1
    await here.shutdown()


@pytest.mark.parametrize("raised", [OSError("no database at secret-host"), SystemExit(3), KeyboardInterrupt()])
@on_loop_clock
async def test_a_start_that_fails_is_503_and_tried_again_after_a_second(
    script: Script, raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing() -> None:
        raise raised

    works, script.start = script.start, failing
    here = Starting(server())
    with caplog.at_level(logging.ERROR, "mcp_app"):
        answers = await asyncio.gather(*(here.answer(ASKED) for _ in range(5)))
        answers.append(await here.answer(ASKED))
    [record] = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[1] is raised
    for answer in answers:
        assert answer.status == 503
        assert dict(answer.headers)["Retry-After"] == "1"
        error = error_of(answer)
        assert error["code"] == "not_ready"
        assert error["error_id"] in record.getMessage()
        assert "secret-host" not in json.dumps(error)
    script.start = works
    await asyncio.sleep(RETRY_SECONDS / 2)
    assert (await here.answer(ASKED)).status == 503
    assert script.started == 1
    await asyncio.sleep(RETRY_SECONDS / 2)
    assert (await here.answer(ASKED)).status == 200
    assert script.started == 2
    await here.shutdown()


@on_loop_clock
async def test_who_waits_for_a_start_that_takes_too_long_is_told_so(script: Script) -> None:
    gate = asyncio.Event()

    async def gated() -> None:
        await gate.wait()

    script.start = gated
    here = Starting(server())
    before = asyncio.get_running_loop().time()
    answer = await here.answer(ASKED)
    assert asyncio.get_running_loop().time() - before == pytest.approx(WAIT_SECONDS)
    assert (answer.status, error_of(answer)["code"]) == (503, "not_ready")
    assert "10 seconds" in error_of(answer)["message"]
    gate.set()
    await asyncio.sleep(0.1)
    assert (await here.answer(ASKED)).status == 200  # it went on meanwhile
    assert script.started == 1
    await here.shutdown()


@on_loop_clock
async def test_told_to_start_it_raises_what_prevents_that_and_may_be_told_again(script: Script) -> None:
    async def failing() -> None:
        raise OSError("no database")

    works, script.start = script.start, failing
    here = Starting(server())
    with pytest.raises(OSError, match="no database"):
        await here.startup()
    script.start = works
    await here.startup()
    await here.startup()  # is no second start
    assert (await here.answer(ASKED)).status == 200
    assert (script.started, script.stopped) == (2, 0)
    await here.shutdown()
    await here.shutdown()
    assert script.stopped == 1
    async with here.lifespan("the application that Starlette passes"):
        assert (await here.answer(ASKED)).status == 200
    assert (script.started, script.stopped) == (3, 2)


@on_loop_clock
async def test_a_host_that_gives_its_start_up_leaves_nothing(script: Script) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    script.start = forever
    here = Starting(server())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(here.startup(), 5)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


@on_loop_clock
async def test_a_start_that_is_ended_before_its_first_turn_keeps_nobody_waiting(script: Script) -> None:
    here = Starting(server())
    beginning = asyncio.create_task(here.startup())
    await asyncio.sleep(0)
    await here.shutdown()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(beginning, 5)
    assert script.started == 0
    assert (await here.answer(ASKED)).status == 200
    await here.shutdown()


def test_it_ends_with_the_loops_tasks_and_starts_anew_on_the_next_loop(script: Script) -> None:
    here = Starting(server())
    for turn in (1, 2):
        assert asyncio.run(here.answer(ASKED)).status == 200
        assert (script.started, script.stopped) == (turn, turn)
    assert here._attempts == {}


def test_a_loop_that_is_closed_without_an_end_is_forgotten(script: Script) -> None:
    here = Starting(server())
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(here.answer(ASKED)).status == 200
    [left] = asyncio.all_tasks(loop)
    loop.close()
    assert asyncio.run(here.answer(ASKED)).status == 200
    assert (script.started, script.stopped) == (2, 1)
    assert here._attempts == {}
    left._log_destroy_pending = False  # type: ignore[attr-defined]
    left.get_coro().close()  # type: ignore[union-attr]


def test_the_start_is_not_in_the_first_requests_context(script: Script) -> None:
    from contextvars import ContextVar

    whose: ContextVar[str] = ContextVar("whose", default="nobody's")
    seen = []

    async def looking() -> None:
        seen.append(whose.get())

    script.start = looking

    async def main() -> None:
        whose.set("the first caller's")
        await Starting(server()).answer(ASKED)

    asyncio.run(main())
    assert seen == ["nobody's"]


@on_loop_clock
async def test_what_our_own_server_has_for_an_application_is_heard_from_a_request(script: Script) -> None:
    def on_draining(callback: Any) -> Callable[[], None]:
        raise AssertionError("the Life subscribes")

    here = Starting(server())
    await here.startup()  # the host's own lifespan has nothing of it
    assert script.served.on_draining is None
    assert script.served.malformed_requests() == 0
    await here.answer(ASKED)
    for _ in range(3):
        await here.answer(ASKED, None, None, {DRAINING_KEY: on_draining, MALFORMED_KEY: lambda: 7})
    assert script.served.on_draining is on_draining
    assert script.served.malformed_requests() == 7
    assert script.subscribed == 1
    await here.shutdown()


async def test_a_life_that_cannot_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("mcp_app.runs.loop_watch.LoopWatch.start", failing)
    one = server()
    watchers = len(one.registry._watchers._callbacks)
    with pytest.raises(RuntimeError, match="new thread"):
        await Life(one, starting._FromServer()).start()
    assert one.endpoint is None
    assert len(one.registry._watchers._callbacks) == watchers


@pytest.mark.parametrize("lane", [True, False])
@pytest.mark.parametrize("when", ["start", "stop"])
async def test_an_owner_whose_start_or_stop_fails_leaves_nothing(when: str, lane: bool) -> None:
    """Of what has started before it: no thread, no watcher of the tools, no subscription to the server's stop."""
    app = cast(Application, create_app(tools=[], lane=lane))
    subscribed: list[object] = []

    def on_draining(callback: object) -> Callable[[], None]:
        subscribed.append(callback)
        return lambda: subscribed.remove(callback)

    @app.while_serving
    async def fails() -> AsyncIterator[None]:  # type: ignore[misc]
        if when == "start":
            raise OSError("no disk")
        yield
        raise OSError("no disk")

    app.on_draining = on_draining
    one: Server = app.extensions["mcp_app"]
    watchers = len(one.registry._watchers._callbacks)
    with pytest.raises(OSError, match="no disk"):
        await app.startup()
        assert subscribed
        await app.shutdown()
    assert one.started.runs.draining
    assert one.started.runs.watch._stop is None
    assert len(one.registry._watchers._callbacks) == watchers
    assert subscribed == []
