"""A ticket in a request: what it opens, what it does not, and that nobody sees it afterwards."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from key_stage import EVENTS, PAGE, RUNS, TICKETS, TOOLS, KeyStage, error_of, events_of, said

from mcp_app.auth.ticketing import Ticketing
from mcp_app.auth.tickets import TICKET_SECONDS, Tickets
from mcp_app.protocol.access import Access
from mcp_app.web.guard import Guard
from mcp_app.web.messages import Request

KEY, OTHER = "k" * 22, "o" * 22
STREAM = {"accept": "text/event-stream"}
REFUSED = (401, "unauthorized")


async def ticket(stage: KeyStage, key: str, run: str = KEY, **headers: str | None) -> str:
    answer = await stage.post(TICKETS, {"run": run}, authorization=f"Bearer {key}", **headers)
    assert answer.status == 201, answer
    text = said(answer)["ticket"]
    assert isinstance(text, str)
    return text


def target(shown: str, run: str = KEY, **params: str) -> str:
    query = {"tool": "echo", "run": run, **params, "access_ticket": shown}
    return f"{EVENTS}?" + "&".join(f"{name}={value}" for name, value in query.items())


async def kinds(stage: KeyStage, where: str, **headers: str) -> list[str]:
    answer = await stage.ask("GET", where, **(STREAM | headers))
    assert answer.status == 200, answer
    return [json.loads(event.data)["type"] for event in await events_of(answer)]


async def test_an_event_source_starts_its_callers_run_with_a_ticket(stage: KeyStage) -> None:
    key = await stage.add_key("laptop")
    answer = await stage.post(TICKETS, {"run": KEY}, authorization=f"Bearer {key}")
    body = said(answer)
    assert (answer.status, body["run"], body["expires_in"]) == (201, KEY, TICKET_SECONDS)
    assert dict(answer.headers)["Cache-Control"] == "private, no-store"
    assert error_of(await stage.ask("GET", f"{EVENTS}?tool=echo&run={KEY}", **STREAM)) == REFUSED
    answer = await stage.ask("GET", target(body["ticket"], text="hi"), **STREAM)
    events = [json.loads(event.data) for event in await events_of(answer)]
    assert [each["type"] for each in events] == ["started", "complete"]
    assert events[-1]["data"] == "hi"
    [principal] = stage.heard
    assert principal.startswith("key:")
    run = f"{RUNS}/{events[0]['metadata']['run']}"
    assert said(await stage.ask("GET", run, authorization=f"Bearer {key}"))["data"] == "hi"


async def test_it_comes_back_to_its_run_by_its_place_and_from_the_start(stage: KeyStage) -> None:
    text = await ticket(stage, await stage.add_key("laptop"))
    answer = await stage.ask("GET", target(text), **STREAM)
    first, last = await events_of(answer)
    assert await kinds(stage, target(text)) == ["started", "complete"]
    assert await kinds(stage, target(text), last_event_id=first.id or "") == ["complete"]
    assert (await stage.ask("GET", target(text), last_event_id=last.id, **STREAM)).status == 204
    assert (await stage.ask("HEAD", target(text), **STREAM)).status == 200
    assert len(stage.heard) == 1


async def test_a_detached_run_is_followed_with_one(stage: KeyStage) -> None:
    key = await stage.add_key("laptop")
    run = said(await stage.post(RUNS, {"tool": "echo"}, authorization=f"Bearer {key}"))["id"]
    text = await ticket(stage, key, run)
    assert await kinds(stage, f"{RUNS}/{run}/events?access_ticket={text}") == ["started", "complete"]
    for where in (f"{RUNS}/{run}?access_ticket={text}", f"{RUNS}/{OTHER}/events?access_ticket={text}"):
        assert error_of(await stage.ask("GET", where, **STREAM)) == REFUSED


@pytest.mark.parametrize(
    ("method", "where"),
    [
        ("GET", f"{EVENTS}?tool=echo&run={OTHER}"),
        ("GET", f"{EVENTS}?tool=echo"),
        ("GET", f"{EVENTS}?run={KEY[:-1]}"),
        ("POST", f"{EVENTS}?run={KEY}"),
        ("DELETE", f"{EVENTS}?run={KEY}"),
        ("GET", f"{TOOLS}?run={KEY}"),
        ("GET", f"/mcp?run={KEY}"),
        ("POST", f"{TICKETS}?run={KEY}"),
        ("POST", f"{RUNS}?run={KEY}"),
        ("GET", f"{RUNS}/{KEY}?run={KEY}"),
        ("GET", f"/metrics?run={KEY}"),
        ("GET", f"/page/sign-in?run={KEY}"),
        ("POST", f"/page/sign-in?run={KEY}"),
    ],
)
async def test_it_opens_nothing_but_its_own_run(stage: KeyStage, method: str, where: str) -> None:
    text = await ticket(stage, await stage.add_key("laptop"))
    body = json.dumps({"tool": "echo", "run": KEY}).encode() if method == "POST" else b""
    answer = await stage.ask(method, f"{where}&access_ticket={text}", body, content_type="application/json")
    assert error_of(answer) == REFUSED
    assert dict(answer.headers)["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    assert stage.heard == []


async def test_another_callers_run_of_the_same_key_is_not_found_by_it(stage: KeyStage) -> None:
    alice, bob = await stage.add_key("alice"), await stage.add_key("bob")
    assert await kinds(stage, target(await ticket(stage, alice))) == ["started", "complete"]
    assert await kinds(stage, target(await ticket(stage, bob))) == ["started", "complete"]
    assert len(set(stage.heard)) == 2


async def test_who_asks_for_one_of_anothers_run_is_answered_as_for_none(stage: KeyStage) -> None:
    alice, bob = await stage.add_key("alice"), await stage.add_key("bob")
    of_alice = {"authorization": f"Bearer {alice}"}
    run = said(await stage.post(RUNS, {"tool": "echo"}, **of_alice))["id"]
    await events_of(await stage.ask("GET", f"{EVENTS}?tool=echo&run={KEY}", **of_alice, **STREAM))
    none = "0" * len(run)
    answers = {}
    for name, id_, key in (("hers", run, KEY), ("none", none, OTHER)):
        texts = [await ticket(stage, bob, each) for each in (id_, key)]
        answers[name] = [
            await stage.ask("GET", f"{RUNS}/{id_}/events?access_ticket={texts[0]}", **STREAM),
            await stage.ask("GET", f"{EVENTS}?run={id_}&access_ticket={texts[0]}", **STREAM),
            await stage.ask("GET", f"{EVENTS}?run={key}&access_ticket={texts[1]}", **STREAM),
            await stage.ask("HEAD", f"{EVENTS}?run={key}&access_ticket={texts[1]}", **STREAM),
            await stage.ask("GET", f"{EVENTS}?run={key}&access_ticket={texts[1]}", last_event_id=f"{id_}/1", **STREAM),
        ]
    for theirs, nobodys in zip(answers["hers"], answers["none"], strict=True):
        assert isinstance(theirs.body, bytes)
        # What the caller has sent itself may come back: the id of its Last-Event-ID.
        assert replace(theirs, body=theirs.body.replace(run.encode(), none.encode())) == nobodys
    assert [each.status for each in answers["hers"][:3]] == [404, 404, 404]
    assert len(stage.heard) == 2  # hers: nothing was started


async def test_one_with_other_credentials_beside_it_or_twice_is_malformed(stage: KeyStage) -> None:
    key = await stage.add_key("laptop")
    text = await ticket(stage, key)
    both = await stage.ask("GET", target(text), authorization=f"Bearer {key}", **STREAM)
    assert error_of(both) == (400, "invalid_credentials")
    twice = await stage.ask("GET", f"{target(text)}&access_ticket={text}", **STREAM)
    assert error_of(twice) == (400, "invalid_credentials")


@pytest.mark.parametrize("text", ["", "x", "mcpt_", "mcpt_" + "A" * 43, "%00", "mcpk_x", "A" * 60_000])
async def test_what_is_no_ticket_opens_nothing(stage: KeyStage, text: str) -> None:
    await ticket(stage, await stage.add_key("laptop"))
    answer = await stage.ask("GET", target(text), **STREAM)
    assert error_of(answer) == REFUSED
    assert not text or text[5:] not in str(answer.body) or len(text) < 10


async def test_it_ends_when_its_key_is_revoked_and_stays_ended(stage: KeyStage) -> None:
    key, other = await stage.add_key("laptop"), await stage.add_key("other")
    text, kept = await ticket(stage, key), await ticket(stage, other, OTHER)
    assert await kinds(stage, target(text)) == ["started", "complete"]
    await stage.revoke(key)
    assert error_of(await stage.ask("GET", target(text), **STREAM)) == REFUSED
    assert await kinds(stage, target(kept, OTHER)) == ["started", "complete"]


async def test_one_that_comes_late_opens_nothing() -> None:
    now = [1_790_000_000.0]
    guard = Guard.__new__(Guard)  # never asked here

    async def revoked(_: Access) -> bool:
        return False

    tickets = Tickets(lambda principal, key: None)
    ticketing = Ticketing(tickets, guard, revoked, EVENTS, RUNS, clock=lambda: now[0])
    text = await tickets.issue(Access("key:a"), KEY, now[0])
    where, _, query = target(text).partition("?")
    now[0] += TICKET_SECONDS - 1
    admitted = Request("GET", where, query.encode())
    assert (await ticketing.admit(admitted)).principal == "key:a"
    assert admitted.query == f"tool=echo&run={KEY}".encode()
    now[0] += 1
    with pytest.raises(Exception, match="not used within 60 s"):
        await ticketing.admit(Request("GET", where, query.encode()))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"access_ticket=%b&run=k", b"run=k"),
        (b"run=k&access_ticket=%b", b"run=k"),
        (b"run=k&access_ticket=%b&tool=t", b"run=k&tool=t"),
        (b"access_ticket=%b", b""),
    ],
)
async def test_what_follows_sees_the_request_without_it(before: bytes, after: bytes) -> None:
    async def revoked(_: Access) -> bool:
        return False

    tickets = Tickets(lambda principal, key: None)
    ticketing = Ticketing(tickets, Guard.__new__(Guard), revoked, EVENTS, RUNS, clock=lambda: 0.0)
    text = (await tickets.issue(Access("key:a"), "k", 0.0)).encode()
    ticketing._is_open = lambda *_: True  # type: ignore[method-assign]
    request = Request("GET", EVENTS, before % text)
    await ticketing.admit(request)
    assert request.query == after


@pytest.mark.parametrize(
    ("body", "fields", "status"),
    [
        (b"", {}, 400),
        (b"[]", {}, 400),
        (b"{}", {}, 400),
        (b'{"run": 1}', {}, 400),
        (b'{"run": "short"}', {}, 400),
        (b'{"run": "%b"}' % (b"x" * 129), {}, 400),
        (b'{"run": "%b", "more": 1}' % KEY.encode(), {}, 400),
        (b'{"run": "%b", "run": "%b"}' % (KEY.encode(), KEY.encode()), {}, 400),
        (b'{"run": "%b"}' % KEY.encode(), {"content_type": "text/plain"}, 415),
        (b'{"run": "%b"}' % KEY.encode(), {"sec_fetch_site": "cross-site"}, 403),
        (b'{"run": "%b"}' % KEY.encode(), {"origin": "https://evil.example"}, 403),
        (b'{"run": "%b"}' % KEY.encode(), {"authorization": None}, 401),
    ],
)
async def test_what_asks_for_none_properly_gets_none(
    stage: KeyStage, body: bytes, fields: dict[str, str], status: int
) -> None:
    key = await stage.add_key("laptop")
    answer = await stage.post(TICKETS, body, **({"authorization": f"Bearer {key}"} | fields))
    assert answer.status == status
    assert "mcpt_" not in str(answer.body)


async def test_a_page_that_is_signed_in_gets_one_by_its_cookie(stage: KeyStage) -> None:
    cookie = await stage.sign_in(await stage.add_key("laptop"))
    answer = await stage.post(TICKETS, {"run": KEY}, cookie=cookie, origin=PAGE)
    assert await kinds(stage, target(said(answer)["ticket"])) == ["started", "complete"]


async def test_a_page_of_a_listed_origin_uses_one_and_no_other_does(stages: Callable[..., KeyStage]) -> None:
    listed = "https://app.example.com"
    stage = stages(allowed_origins=listed)
    text = await ticket(stage, await stage.add_key("laptop"), origin=listed)
    fields: dict[str, Any] = {"sec_fetch_site": "cross-site", **STREAM}
    assert (await stage.ask("OPTIONS", target(text), origin=listed)).status == 204
    for origin in ("https://evil.example", None):
        assert (await stage.ask("GET", target(text), origin=origin, **fields)).status == 403
    answer = await stage.ask("GET", target(text), origin=listed, **fields)
    assert dict(answer.headers)["Access-Control-Allow-Origin"] == listed
    assert len(await events_of(answer)) == 2


async def test_it_is_in_no_log_and_no_answer(stage: KeyStage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    text = await ticket(stage, await stage.add_key("laptop"))
    answers = [
        await stage.ask("GET", where, **STREAM)
        for where in (target(text, OTHER), target(text, text="a", n="1"), target(text, tool="no"), target(text))
    ]
    streams = [str(await events_of(answer)) for answer in answers if not isinstance(answer.body, bytes)]
    assert streams
    everything = caplog.text + "".join(map(str, answers)) + "".join(streams)
    assert text not in everything
    assert text[5:] not in everything
