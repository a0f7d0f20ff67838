"""Credentials that expire, or are revoked, while what they opened goes on: which streams and runs end, and how."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from web_access import EVENTS, RUNS, TASKS, People, Person
from web_asgi import Exchange, running
from web_mounted import BOTH, STREAM, error_of

from mcp_app import Access, Context, Settings, create_app, tool
from mcp_app.web import credential_watch
from mcp_app.web.credential_watch import CredentialWatch

SECONDS = 10.0
NOW = 1_000_000.0
ANN = Access("https://as.example ann", expires=NOW + 60, credential="first")
PEOPLE = {
    "ann": ANN,
    "again": replace(ANN, expires=NOW + 3600, credential="second"),
    "bob": Access("key:bob", credential="bob"),
    "host": Access("host"),
}


@tool(read_only=True)
async def waits(ctx: Context) -> str:
    """Until it is let go."""
    await ctx.progress(1, 2)
    await GO.wait()
    return "done"


@tool(task="must")
async def task(ctx: Context) -> str:
    await GO.wait()
    return "done"


GO = asyncio.Event()
"""Made anew for each test: an event of asyncio is of one loop."""


class Stage:
    def __init__(self, app: Any, people: People) -> None:
        self.app, self.people = app, people
        self.endpoint = app.extensions["mcp_app"].endpoint
        self.watch: CredentialWatch = self.endpoint._control._watch
        self.now = NOW
        self.watch._now = lambda: self.now

    def person(self, name: str = "ann") -> Person:
        return Person(self.app, name)

    async def expire(self) -> None:
        self.now = NOW + 60
        await self.watch.look()

    async def revoke(self, credential: str = "first") -> None:
        self.people.gone.add(credential)
        await self.watch.look()

    @property
    def ended(self) -> dict[str, int]:
        return dict(self.endpoint.runs.ended)


@pytest.fixture
async def stage(lane: bool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(credential_watch, "LOOK_SECONDS", 3600.0)  # looks are the test's own
    monkeypatch.setattr(credential_watch, "LAST_EVENT_SECONDS", 0.01)
    monkeypatch.setitem(globals(), "GO", asyncio.Event())
    people = People(**PEOPLE)
    settings = Settings(allow_anonymous=False, heartbeat_seconds=3600)
    app = create_app(settings, [waits, task], verifiers=[people], lane=lane)
    async with running(app):
        yield Stage(app, people)
        GO.set()


CALL = {"tool": "waits"}


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 5, "method": method, "params": params}


async def begun(exchange: Exchange, events: int = 2) -> Exchange:
    await exchange.until(events)
    return exchange


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():  # noqa: ASYNC110 - it is the server's, which sets no event
            await asyncio.sleep(0.001)


ENDS = ["credentials_expired", "revoked"]


async def end(stage: Stage, code: str) -> None:
    await (stage.expire() if code == ENDS[0] else stage.revoke())


# --- runs that do not outlive their reader ---------------------------------------------------------------------------


@pytest.mark.parametrize("code", ENDS)
async def test_a_call_ends_with_its_last_event(stage: Stage, code: str) -> None:
    stream = await begun(await stage.person().opened("POST", EVENTS, STREAM, body=CALL))
    waiting = asyncio.create_task(stage.person().plain("waits"))
    await until(lambda: len(stage.endpoint.runs.at_work) == 2)
    await end(stage, code)
    assert (await stream.rest()).wire.error["code"] == code
    assert stream.wire.ids[-1].endswith("/03")  # that of a run's end
    answer = await asyncio.wait_for(waiting, SECONDS)
    assert (answer.status, error_of(answer)["code"]) == (401, code)
    assert stage.ended == {code: 2}


@pytest.mark.parametrize("code", ENDS)
async def test_a_call_of_mcp_2026_gets_its_error(stage: Stage, code: str) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": 1,
    }
    fields = (BOTH, (b"mcp-protocol-version", b"2026-07-28"), (b"mcp-method", b"tools/call"), (b"mcp-name", b"waits"))
    body = message("tools/call", name="waits", arguments={}, _meta=meta)
    stream = await begun(await stage.person().opened("POST", "/mcp", *fields, body=body), 1)
    await end(stage, code)
    said = (await stream.rest()).wire.last
    assert (said["id"], said["error"]["data"]["code"]) == (5, code)
    assert stage.ended == {code: 1}


# --- runs that go on -------------------------------------------------------------------------------------------------


async def test_an_event_source_comes_back_by_other_credentials(stage: Stage) -> None:
    target = f"{EVENTS}?tool=waits&run=0123456789abcdef"
    stream = await begun(await stage.person().opened("GET", target))
    await stage.expire()
    wire = (await stream.rest()).wire
    assert wire.error["code"] == "credentials_expired"
    assert wire.ids[-1] == wire.ids[-2]  # so that who comes back goes on
    assert stage.ended == {}
    again = await stage.person("again").opened("GET", target, (b"last-event-id", wire.ids[-1].encode()))
    GO.set()
    assert (await again.rest()).wire.kinds == ["complete"]


async def test_who_follows_a_run_comes_back_to_it(stage: Stage) -> None:
    run = json.loads((await stage.person().ask("POST", RUNS, body=CALL)).body)["id"]
    stream = await begun(await stage.person().opened("GET", f"{RUNS}/{run}/events"))
    await stage.expire()
    assert (await stream.rest()).wire.error["code"] == "credentials_expired"
    fields = ((b"last-event-id", stream.wire.ids[-1].encode()),)
    again = await stage.person("again").opened("GET", f"{RUNS}/{run}/events", *fields)
    GO.set()
    assert (await again.rest()).wire.kinds == ["complete"]


async def test_a_request_of_a_session_is_resumed(stage: Stage) -> None:
    ann, again = stage.person(), stage.person("again")
    session = (b"mcp-session-id", (await ann.initialize()).encode())
    body = message("tools/call", name="waits", arguments={}, _meta={"progressToken": 1})
    stream = await begun(await ann.opened("POST", "/mcp", BOTH, session, body=body))
    own = await ann.listening(session[1].decode())
    while not own.wire.ids:
        await own.receive()
    await stage.expire()
    for each in (stream, own):
        assert b": credentials_expired\n" in (await each.rest()).body
        assert not [event for event in each.wire.events if "error" in event.data]
    rest = await again.opened("GET", "/mcp", session, (b"last-event-id", stream.wire.ids[-1].encode()))
    GO.set()
    said = [json.loads(each.data) for each in (await rest.rest()).wire.events if each.data]
    assert [each["result"]["content"][0]["text"] for each in said] == ["done"]


async def test_a_task_goes_on_and_its_subscription_ends(stage: Stage) -> None:
    ann, again = stage.person(), stage.person("again")
    created = await ann.stateless("tools/call", {"name": "task", "arguments": {}}, **TASKS)
    id_ = created["result"]["taskId"]
    stream = await begun(await ann.subscribed(taskIds=[id_], toolsListChanged=True))
    await stage.expire()
    said = (await stream.rest()).wire.last
    assert (said["id"], said["error"]["data"]["code"]) == (7, "credentials_expired")
    assert (await again.stateless("tasks/get", {"taskId": id_}, **TASKS))["result"]["status"] == "working"


async def test_the_stream_of_an_old_session_is_its_end(stage: Stage) -> None:
    ann = stage.person()
    stream = await begun(await ann.opened("GET", "/sse"), 1)
    address = stream.wire.events[0].data
    await stage.expire()
    await stream.rest()
    assert "credentials_expired" in stream.wire.events[-1].data
    again = await stage.person("again").ask("POST", address, body={"jsonrpc": "2.0", "id": 1, "method": "ping"})
    assert again.status == 404


# --- what revocation ends, and what is left alone --------------------------------------------------------------------


async def test_revocation_ends_every_run_of_the_credentials_and_no_other(stage: Stage) -> None:
    ann, again, bob = stage.person(), stage.person("again"), stage.person("bob")
    runs = {}
    for name, person in (("ann", ann), ("again", again), ("bob", bob)):
        runs[name] = json.loads((await person.ask("POST", RUNS, body=CALL)).body)["id"]
    created = await ann.stateless("tools/call", {"name": "task", "arguments": {}}, **TASKS)
    # A stream that another's credentials read, of the same caller: the run is theirs, the reader is not.
    read_by_first = await begun(await ann.opened("GET", f"{RUNS}/{runs['again']}/events"))
    read_by_other = await begun(await again.opened("GET", f"{RUNS}/{runs['again']}/events"))
    await stage.revoke()
    assert (await read_by_first.rest()).wire.error["code"] == "revoked"
    assert stage.ended == {"revoked": 2}
    refused = await ann.ask("GET", f"{RUNS}/{runs['ann']}")
    assert refused.status == 401
    state = json.loads((await again.ask("GET", f"{RUNS}/{runs['ann']}")).body)
    assert (state["state"], state["error"]["code"]) == ("error", "revoked")
    found = await again.stateless("tasks/get", {"taskId": created["result"]["taskId"]}, **TASKS)
    assert found["result"]["status"] == "failed"
    GO.set()
    assert (await read_by_other.rest()).wire.kinds[-1] == "complete"
    assert json.loads((await bob.ask("GET", f"{RUNS}/{runs['bob']}")).body)["state"] == "complete"


async def test_nothing_is_looked_at_where_credentials_do_not_end(stage: Stage) -> None:
    stream = await begun(await stage.person("host").opened("POST", EVENTS, STREAM, body=CALL))
    assert (stage.watch._streams, stage.watch._timer) == ({}, None)
    await stage.expire()
    GO.set()
    assert (await stream.rest()).wire.kinds[-1] == "complete"


async def test_what_has_ended_is_forgotten(stage: Stage) -> None:
    GO.set()
    for _ in range(3):
        await stage.person().ask("POST", EVENTS, STREAM, body=CALL)
    left = await begun(await stage.person().opened("POST", EVENTS, STREAM, body={"tool": "waits"}))
    left.disconnect()
    await left.over()
    assert stage.watch._streams == {}


async def test_a_client_that_does_not_read_is_ended_when_it_does(stage: Stage) -> None:
    stream = await begun(await stage.person().opened("GET", f"{EVENTS}?tool=waits&run=0123456789abcdef"))
    stream.writable.clear()
    await stage.expire()
    stream.writable.set()
    assert (await stream.rest()).wire.error["code"] == "credentials_expired"


async def test_a_client_that_leaves_at_that_moment_has_left(stage: Stage) -> None:
    stream = await begun(await stage.person().opened("GET", f"{EVENTS}?tool=waits&run=0123456789abcdef"))
    looking = asyncio.create_task(stage.expire())
    stream.disconnect()
    await looking
    await stream.over()
    assert stage.watch._streams == {}


async def test_a_verifier_that_fails_puts_nobody_out(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    def failing(access: Access) -> bool:
        raise ValueError("the table is away")

    stage.people.revoked = failing  # type: ignore[method-assign]
    stream = await begun(await stage.person("bob").opened("POST", EVENTS, STREAM, body=CALL))
    await stage.watch.look()
    assert "a verifier failed" in caplog.text
    GO.set()
    assert (await stream.rest()).wire.kinds[-1] == "complete"


async def test_a_verifier_that_does_not_answer_delays_nobody(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential_watch, "ASK_SECONDS", 0.01)

    async def away(access: Access) -> bool:
        await asyncio.Event().wait()
        return True

    first = await begun(await stage.person().opened("POST", EVENTS, STREAM, body=CALL))
    stage.people.revoked = away  # type: ignore[method-assign, assignment]
    stage.now = NOW + 60
    await asyncio.wait_for(stage.watch.look(), SECONDS)
    assert (await first.rest()).wire.error["code"] == "credentials_expired"
    second = await begun(await stage.person("bob").opened("POST", EVENTS, STREAM, body=CALL))
    await asyncio.wait_for(stage.watch.look(), SECONDS)
    assert "did not say" in caplog.text
    GO.set()
    assert (await second.rest()).wire.kinds[-1] == "complete"


async def test_an_answer_that_does_not_come_keeps_nobody_elses_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential_watch, "ASK_SECONDS", 0.01)
    revoked = stage.people.revoked

    async def away_for_bob(access: Access) -> bool:
        if access.credential == "bob":
            await asyncio.Event().wait()
        return revoked(access)

    stage.people.revoked = away_for_bob  # type: ignore[method-assign, assignment]
    bob = await begun(await stage.person("bob").opened("POST", EVENTS, STREAM, body=CALL))
    expired = await begun(await stage.person().opened("POST", EVENTS, STREAM, body=CALL))
    gone = await begun(await stage.person("again").opened("POST", EVENTS, STREAM, body=CALL))
    await stage.expire()
    assert (await expired.rest()).wire.error["code"] == "credentials_expired"
    await stage.revoke("second")
    assert (await gone.rest()).wire.error["code"] == "revoked"
    GO.set()
    assert (await bob.rest()).wire.kinds[-1] == "complete"


async def test_whom_there_was_no_time_to_ask_about_is_asked_about_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential_watch, "ASK_SECONDS", 0.01)
    monkeypatch.setattr(credential_watch, "ASK_AT_ONCE", 1)
    asked = []

    async def away(access: Access) -> bool:
        asked.append(access.credential)
        await asyncio.Event().wait()
        return True

    stage.people.revoked = away  # type: ignore[method-assign, assignment]
    for name in ("ann", "again", "bob"):
        await begun(await stage.person(name).opened("POST", EVENTS, STREAM, body=CALL))
    for _ in range(3):
        await stage.watch.look()
    assert sorted(asked) == ["bob", "first", "second"]


async def test_what_has_expired_and_is_revoked_then_ends_its_runs(stage: Stage) -> None:
    run = json.loads((await stage.person().ask("POST", RUNS, body=CALL)).body)["id"]
    await stage.expire()
    assert stage.ended == {}
    await stage.revoke()
    await until(lambda: stage.ended == {"revoked": 1})
    assert (await stage.endpoint.runs.find(run, ANN.principal)).over


async def test_it_looks_by_itself_as_long_as_there_is_something(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credential_watch, "LOOK_SECONDS", 0.01)
    stream = await begun(await stage.person().opened("POST", EVENTS, STREAM, body=CALL))
    detached = json.loads((await stage.person("again").ask("POST", RUNS, body=CALL)).body)["id"]
    stage.people.gone.add("first")
    assert (await stream.rest()).wire.error["code"] == "revoked"
    stage.people.gone.add("second")
    await until(lambda: stage.ended == {"revoked": 2})
    await until(lambda: stage.watch._timer is None and stage.watch._looking is None)
    assert detached in stage.endpoint.runs.known.runs


def test_within_ten_seconds() -> None:
    """The file of keys is read again within 5 s, and who may not be served any more is put out within 10."""
    assert 5 + credential_watch.LOOK_SECONDS + credential_watch.LAST_EVENT_SECONDS < 10
