"""Two callers try each other's everything: each other's and none are one answer, by status, header fields and bytes.

What is tried is in `TRIED`: an id of the other's, by every route and method that takes one, in every dialect.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from own_tools import greet, task, who
from web_access import EVENTS, RUNS, TASKS, Person, fingerprint, served
from web_mounted import STREAM, response

from mcp_app import Access, Context, Visits, resource, tool
from mcp_app.protocol.access import UNKNOWN

VISITS = Visits()
FULL = frozenset({"read", "write"})
PEOPLE = {
    "ann": Access("key:1", FULL, credential="1"),
    "bob": Access("key:2", FULL, credential="2"),
    "step": Access("https://as.example ann", FULL, steps_up=True, credential="3"),
    "name": Access("ann"),
    # Another issuer's subject of the same name is another caller.
    "other": Access("https://other.example ann", FULL, steps_up=True, credential="4"),
}
PAIRS = [
    (mine, theirs) for mine in ("ann", "step", "name") for theirs in ("bob", "other", "name", "") if mine != theirs
]
LARGE = 70_000


@tool(read_only=True)
async def large(ctx: Context) -> str:
    return ctx.principal + "x" * LARGE


@tool(read_only=True)
async def waits(ctx: Context) -> str:
    """Works until it is cancelled."""
    await ctx.progress(1, 2)
    await asyncio.Event().wait()
    return ""


@tool
async def visit(ctx: Context) -> str:
    await ctx.ask_url("https://example.com/page", "Look", until=VISITS, key="page")
    return ctx.principal


@resource("own://a")
async def own(ctx: Context) -> str:
    return ctx.principal


@pytest.fixture
async def app() -> AsyncIterator[Any]:
    settings = {"max_event_bytes": 64 * 1024, "allow_anonymous": True, "heartbeat_seconds": 3600.0}
    async with served(who, large, waits, task, greet, visit, own, people=PEOPLE, **settings) as (app, _):
        yield app


class Theirs:
    """What a caller has on the server, and the ids of each."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.ids: dict[str, str] = {}
        self.open: list[Any] = []

    async def make(self) -> Theirs:
        person, ids = self.person, self.ids
        done = json.loads((await person.ask("POST", RUNS, body={"tool": "large"})).body)
        await person.ask("GET", f"{RUNS}/{done['id']}/events", STREAM)
        ids["run"] = done["id"]
        ids["working"] = json.loads((await person.ask("POST", RUNS, body={"tool": "waits"})).body)["id"]
        ids["session"] = session = await person.initialize()
        call = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "who", "arguments": {}}}
        fields = (STREAM, (b"mcp-session-id", session.encode()))
        stream = await person.ask("POST", "/mcp", *fields, body=call)
        ids["event"] = stream.wire.ids[-1]
        own = await person.listening(session)
        self.open.append(own)
        while not own.wire.ids:
            await own.receive()
        ids["own event"] = own.wire.ids[-1]
        created = await person.stateless("tools/call", {"name": "task", "arguments": {}}, **TASKS)
        ids["task"] = created["result"]["taskId"]
        asked = await person.stateless("tools/call", {"name": "greet", "arguments": {}}, elicitation={})
        ids["state"] = asked["result"]["requestState"]
        asked = await person.stateless("tools/call", {"name": "visit", "arguments": {}}, elicitation={"url": {}})
        ids["visit"] = re.search(r"elicitationId=([0-9a-f]{32})", json.dumps(asked))[1]  # type: ignore[index]
        ids["old"] = await self._old_session()
        ids["key"] = "run-key-of-somebody"
        started = await person.ask("GET", f"{EVENTS}?tool=large&run={ids['key']}", STREAM)
        ids["key event"] = started.wire.ids[0]
        return self

    async def _old_session(self) -> str:
        stream = await self.person.opened("GET", "/sse")
        self.open.append(stream)
        while not stream.wire.events:
            await stream.receive()
        return stream.wire.events[0].data.partition("session=")[2]

    def close(self) -> None:
        for each in self.open:
            each.disconnect()


def none_like(id_: str) -> str:
    """An id of the same shape that nothing has."""
    return "".join("0" if each in "0123456789abcdef" else each for each in id_[:32]) + id_[32:]


Try = Callable[[Person, str], Awaitable[Any]]

ANSWERS = {"who": {"action": "accept", "content": {"name": "Eve"}}}


def of_run(method: str, rest: str = "", *fields: tuple[bytes, bytes]) -> Try:
    return lambda person, id_: person.ask(method, f"{RUNS}/{id_}{rest}", *fields)


def in_stateless(method: str, **params: Any) -> Try:
    def asked(person: Person, id_: str) -> Awaitable[Any]:
        filled = json.loads(json.dumps(params).replace("ID", id_))
        return person.rpc(method, filled, **TASKS, elicitation={})

    return asked


def in_session(method: str, *fields: tuple[bytes, bytes], body: Any = None) -> Try:
    def asked(person: Person, id_: str) -> Awaitable[Any]:
        return person.ask(method, "/mcp", (b"mcp-session-id", id_.encode()), *fields, body=body)

    return asked


def coming_back(method: str, target: str, body: Any = None) -> Try:
    def asked(person: Person, id_: str) -> Awaitable[Any]:
        return person.ask(method, target, STREAM, (b"last-event-id", id_.encode()), body=body)

    return asked


PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
NOTE = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
READ = {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "own://a"}}

TRIED: dict[str, tuple[str, Try]] = {
    "show": ("run", of_run("GET")),
    "show working": ("working", of_run("GET")),
    "cancel": ("working", of_run("DELETE")),
    "cancel ended": ("run", of_run("DELETE")),
    "follow": ("run", of_run("GET", "/events", STREAM)),
    "follow working": ("working", of_run("GET", "/events", STREAM)),
    "follow head": ("run", of_run("HEAD", "/events", STREAM)),
    "result": ("run", of_run("GET", "/results/1")),
    "result head": ("run", of_run("HEAD", "/results/1")),
    "linked result": ("run", in_stateless("resources/read", uri="run://ID/results/1")),
    "last event, GET": ("key event", coming_back("GET", f"{EVENTS}?tool=large")),
    "last event alone": ("key event", coming_back("GET", f"{EVENTS}?run=run-key-of-nobody")),
    "last event, HEAD": ("key event", coming_back("HEAD", f"{EVENTS}?tool=large")),
    "last event, POST": ("key event", coming_back("POST", EVENTS, {"tool": "large"})),
    "last event, runs": ("key event", coming_back("POST", RUNS, {"tool": "large"})),
    "ping": ("session", in_session("POST", body=PING)),
    "batch": ("session", in_session("POST", body=[PING])),
    "notify": ("session", in_session("POST", body=NOTE)),
    "answer": ("session", in_session("POST", body={"jsonrpc": "2.0", "id": "x", "result": {}})),
    "read": ("session", in_session("POST", body=READ)),
    "own stream": ("session", in_session("GET", STREAM)),
    "own stream head": ("session", in_session("HEAD", STREAM)),
    "end": ("session", in_session("DELETE")),
    "end at the events": (
        "session",
        lambda person, id_: person.ask("DELETE", EVENTS, (b"mcp-session-id", id_.encode())),
    ),
    "old session": ("old", lambda person, id_: person.ask("POST", f"/sse/messages?session={id_}", body=PING)),
    "old at mcp": ("old", in_session("POST", body=PING)),
    "session as old": ("session", lambda person, id_: person.ask("POST", f"/mcp/messages?session={id_}", body=PING)),
    "task": ("task", in_stateless("tasks/get", taskId="ID")),
    "update task": ("task", in_stateless("tasks/update", taskId="ID", inputResponses={})),
    "cancel task": ("task", in_stateless("tasks/cancel", taskId="ID")),
    "run as task": ("run", in_stateless("tasks/get", taskId="ID")),
    "task as run": ("task", of_run("GET")),
    "session's run as run": ("event", lambda person, id_: person.ask("GET", f"{RUNS}/{id_.partition('/')[0]}")),
    "state": (
        "state",
        in_stateless("tools/call", name="greet", arguments={}, requestState="ID", inputResponses=ANSWERS),
    ),
    "state of another call": (
        "state",
        in_stateless("tools/call", name="visit", arguments={}, requestState="ID", inputResponses=ANSWERS),
    ),
}


@pytest.mark.parametrize(("mine", "theirs"), PAIRS)
async def test_anothers_and_none_are_one_answer(app: Any, mine: str, theirs: str) -> None:
    person = Person(app, mine)
    has = await Theirs(Person(app, theirs)).make()
    try:
        for what, (kind, attempt) in TRIED.items():
            id_ = has.ids[kind]
            # A state has no shape that can be kept but for its length: another's is as one that was changed.
            none = none_like(id_) if kind != "state" else id_[:-1] + ("A" if id_[-1] != "A" else "B")
            got, nothing = await attempt(person, id_), await attempt(person, none)
            assert fingerprint(got, id_, id_[:32]) == fingerprint(nothing, none, none[:32]), what
            assert len(got.body) < LARGE, what
        await untouched(has)
    finally:
        has.close()


ENDLESS = {"follow working", "own stream"}
NOBODYS = {"old at mcp", "session as old", "run as task", "session's run as run", "last event alone"}
"""What is refused to its owner as well: an id of one kind is none of another."""


@pytest.mark.parametrize("what", sorted(TRIED.keys() - ENDLESS - NOBODYS))
async def test_the_owner_is_answered_otherwise(app: Any, what: str) -> None:
    """Or the comparison above would say nothing."""
    person = Person(app, "ann")
    has = await Theirs(person).make()
    kind, attempt = TRIED[what]
    id_ = has.ids[kind]
    none = none_like(id_) if kind != "state" else id_[:-1] + ("A" if id_[-1] != "A" else "B")
    nothing = await attempt(person, none)
    got = await attempt(person, id_)
    assert fingerprint(got, id_, id_[:32]) != fingerprint(nothing, none, none[:32])
    has.close()


async def untouched(has: Theirs) -> None:
    """What was tried in vain has changed nothing: all of it is its owner's."""
    person, ids = has.person, has.ids
    assert json.loads((await person.ask("GET", f"{RUNS}/{ids['working']}")).body)["state"] == "working"
    assert json.loads((await person.ask("GET", f"{RUNS}/{ids['run']}")).body)["state"] == "complete"
    assert (await person.ask("GET", f"{RUNS}/{ids['run']}/results/1")).status == 200
    assert "result" in response(await person.in_session(ids["session"], "ping"))
    found = await person.stateless("tasks/get", {"taskId": ids["task"]}, **TASKS)
    assert found["result"]["status"] == "completed"
    said = await person.stateless(
        "tools/call",
        {"name": "greet", "arguments": {}, "requestState": ids["state"], "inputResponses": ANSWERS},
        elicitation={},
    )
    assert said["result"]["content"][0]["text"] == f"{PEOPLE.get(person_name(has), UNKNOWN).principal}: Eve"
    assert (await person.ask("POST", f"/sse/messages?session={ids['old']}", body=PING)).status == 202
    assert (await person.ask("DELETE", f"{RUNS}/{ids['working']}")).status == 202


def person_name(has: Theirs) -> str:
    return dict(has.person.fields).get(b"authorization", b"").decode().removeprefix("Bearer ")


@pytest.mark.parametrize(("mine", "theirs"), PAIRS)
async def test_run_keys_are_each_callers_own(app: Any, mine: str, theirs: str) -> None:
    person, other = Person(app, mine), Person(app, theirs)
    target = f"{EVENTS}?tool=who&run=the-same-key-of-both"
    one, two = [(await each.ask("GET", target, STREAM)).wire for each in (person, other)]
    assert one.last["data"] != two.last["data"]
    assert not set(one.ids) & set(two.ids)
    again = (await person.ask("GET", f"{EVENTS}?run=the-same-key-of-both", STREAM)).wire
    assert again.ids == one.ids
    assert (await person.ask("GET", f"{EVENTS}?tool=large&run=the-same-key-of-both", STREAM)).status == 409
    taken = await other.ask("GET", f"{EVENTS}?tool=large&run=another-key-of-one", STREAM)
    assert taken.status == 200
    assert (await person.ask("GET", f"{EVENTS}?tool=who&run=another-key-of-one", STREAM)).status == 200


@pytest.mark.parametrize(("mine", "theirs"), PAIRS)
async def test_subscriptions_tell_nothing_of_anothers_tasks(app: Any, mine: str, theirs: str) -> None:
    person, other = Person(app, mine), Person(app, theirs)
    created = await other.stateless("tools/call", {"name": "task", "arguments": {}}, **TASKS)
    id_ = created["result"]["taskId"]
    acknowledged = []
    for each in (id_, none_like(id_)):
        stream = await person.subscribed(taskIds=[each])
        while not stream.wire.events:
            await stream.receive()
        acknowledged.append(fingerprint(stream, each))
        stream.disconnect()
        await stream.over()
    assert acknowledged[0] == acknowledged[1]


@pytest.mark.parametrize(("mine", "theirs"), PAIRS)
async def test_streams_of_a_session_are_found_in_that_session_alone(app: Any, mine: str, theirs: str) -> None:
    """Event ids of another's session, and of another session of one's own, are none."""
    has = await Theirs(Person(app, theirs)).make()
    person = Person(app, mine)
    session = await person.initialize()
    try:
        for kind in ("event", "own event"):
            id_ = has.ids[kind]
            fields = (STREAM, (b"mcp-session-id", session.encode()))
            got, nothing = [
                await person.ask("GET", "/mcp", *fields, (b"last-event-id", each.encode()))
                for each in (id_, none_like(id_))
            ]
            assert fingerprint(got) == fingerprint(nothing), kind
            assert got.status == 400
    finally:
        has.close()


@pytest.mark.parametrize(("mine", "theirs"), PAIRS)
async def test_visits_are_found_for_who_was_sent(app: Any, mine: str, theirs: str) -> None:
    has = await Theirs(Person(app, theirs)).make()
    has.close()
    id_, owner = has.ids["visit"], PEOPLE.get(theirs, UNKNOWN).principal
    eve = PEOPLE[mine].principal
    assert VISITS.find(id_, eve) is None
    assert not VISITS.complete(id_, eve)
    found = VISITS.find(id_, owner)
    assert found is not None
    assert (found.principal, found.completed) == (owner, False)


def test_every_id_is_tried() -> None:
    """A new kind of id is tried, too: by `TRIED`, or by a test of its own."""
    alone = {"own event", "visit", "key"}
    assert {kind for kind, _ in TRIED.values()} | alone == {
        *("run", "working", "session", "event", "own event", "task", "state", "visit", "old", "key", "key event")
    }
