"""requestState is an attacker's input (MCP 2026-07-28, basic/patterns/mrtr, Server Requirements 4 and 5)."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from asks_stage import SECRET, Server, accepted, retry
from pydantic import BaseModel, SecretStr, ValidationError

from mcp_app import Context, Settings, prompt, tool
from mcp_app.dialects.mcp.stateless.request_state import STATE_SECONDS, BoundStates, States
from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.access import ANONYMOUS
from mcp_app.protocol.http.seal import MAX_PAYLOAD_BYTES, Reason, StateRefused, digest

Make = Callable[..., Server]


class Name(BaseModel):
    name: str


async def greet(ctx: Context, greeting: str = "Hello") -> str:
    return f"{greeting}, {(await ctx.ask(Name, 'Name?', key='n')).name}!"


async def other(ctx: Context, greeting: str = "Hello") -> str:
    return await greet(ctx, greeting)


ANN = {"n": accepted(name="Ann")}


def refused(answer: Any) -> str:
    assert (answer.status, answer.error["code"]) == (400, -32602)
    assert answer.message["id"] == 7
    reason: str = answer.error["data"]["reason"]
    return reason


async def test_a_changed_state_is_refused(serve: Make) -> None:
    server = serve(greet)
    state = (await server.call("greet")).state
    raw = bytearray(base64.urlsafe_b64decode(state + "=" * (-len(state) % 4)))
    raw[70] ^= 1
    flipped = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    for text in (f"{state}-TAMPERED", flipped, state[:-4], "", "x", "é"):
        assert refused(await server.call("greet", ANN, text)) == "tampered"
    assert (await server.call("greet", ANN, state)).text == "Hello, Ann!"


async def test_a_state_is_of_one_tool_and_its_arguments(serve: Make) -> None:
    @prompt(name="greet")
    async def prompted(ctx: Context) -> str:
        return (await ctx.ask(Name, "Name?", key="n")).name

    server = serve(greet, other, prompts=[prompted])
    state = (await server.call("greet", arguments={"greeting": "Hi"})).state
    assert refused(await server.call("greet", ANN, state)) == "other_request"
    assert refused(await server.call("other", ANN, state, arguments={"greeting": "Hi"})) == "other_request"
    asked = await server.request("prompts/get", {"name": "greet"})
    assert refused(await server.request("tools/call", {"name": "greet", **retry(ANN, asked.state)})) == "other_request"
    assert (await server.call("greet", ANN, state, arguments={"greeting": "Hi"})).text == "Hi, Ann!"


async def test_a_state_survives_a_restart_and_another_node(serve: Make) -> None:
    state = (await serve(greet).call("greet")).state
    assert (await serve(greet).call("greet", ANN, state)).text == "Hello, Ann!"


async def test_a_state_of_another_secret_is_refused(serve: Make) -> None:
    state = (await serve(greet, secret="another-secret-as-long").call("greet")).state
    assert refused(await serve(greet).call("greet", ANN, state)) == "tampered"


async def test_without_a_secret_a_process_has_its_own_and_says_so_when_it_is_used(
    serve: Make, caplog: pytest.LogCaptureFixture
) -> None:
    async def quiet() -> str:
        return ""

    server = serve(greet, quiet, secret=None)
    with caplog.at_level(logging.WARNING, "mcp_app.mcp"):
        await server.call("quiet")
        assert caplog.records == []
        asked = await server.call("greet")
        assert (await server.call("greet", ANN, asked.state)).text == "Hello, Ann!"
    assert ["MCP_APP_SECRET" in record.getMessage() for record in caplog.records] == [True]
    assert refused(await serve(greet, secret=None).call("greet", ANN, asked.state)) == "tampered"


def test_a_short_secret_stops_the_start() -> None:
    with pytest.raises(ValidationError, match=r"MCP_APP_SECRET: secret 1 of 1 has 9 characters"):
        Settings(secret=SecretStr("too-short"))


def test_a_secret_is_not_shown() -> None:
    assert "a-secret-of-16-characters" not in repr(Settings(secret=SecretStr("a-secret-of-16-characters")))


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


PARAMS = {"name": "greet", "arguments": {"a": 1}}


def bound(states: States, principal: str = "ann", **params: Any) -> BoundStates:
    return BoundStates(states, principal, "tools/call", {**PARAMS, **params})


def states(clock: Clock, secret: str = "a-secret-of-16-characters", log: MemoryLog | None = None) -> States:
    return States(Settings(secret=SecretStr(secret)), MemoryLog() if log is None else log, clock=clock)


EMPTY: dict[str, Any] = {"answers": {}, "asked": {}, "known": {}}


async def test_a_state_expires() -> None:
    clock = Clock()
    sealing = states(clock)
    text = bound(sealing).seal(EMPTY)
    clock.now += STATE_SECONDS - 1
    assert await bound(sealing, requestState=text).open(once=False) is not None
    clock.now += 1
    with pytest.raises(StateRefused) as caught:
        await bound(sealing, requestState=text).open(once=False)
    assert caught.value.reason is Reason.EXPIRED


async def test_a_state_is_of_one_principal() -> None:
    sealing = states(Clock())
    text = bound(sealing).seal(EMPTY)
    with pytest.raises(StateRefused) as caught:
        await bound(sealing, "bob", requestState=text).open(once=False)
    assert caught.value.reason is Reason.TAMPERED


async def test_a_state_for_one_use_opens_once_until_it_has_expired() -> None:
    clock = Clock()
    sealing = states(clock)
    first, second = bound(sealing).seal(EMPTY), bound(sealing).seal(EMPTY)
    assert first != second
    assert await bound(sealing, requestState=first).open(once=True) is not None
    with pytest.raises(StateRefused) as caught:
        await bound(sealing, requestState=first).open(once=True)
    assert caught.value.reason is Reason.USED
    assert await bound(sealing, requestState=second).open(once=True) is not None
    clock.now += STATE_SECONDS
    await bound(sealing, requestState=bound(sealing).seal(EMPTY)).open(once=True)


def test_what_a_retry_adds_is_not_of_the_request() -> None:
    assert digest({**PARAMS, "requestState": "x", "inputResponses": {}, "_meta": {"a": 1}}) == digest(PARAMS)


async def test_a_tool_for_one_use_takes_each_state_once(serve: Make) -> None:
    server = serve(tool(once=True)(greet))
    asked = await server.call("greet")
    again = await server.call("greet", {}, asked.state)
    assert refused(await server.call("greet", ANN, asked.state)) == "used"
    assert (await server.call("greet", ANN, again.state)).text == "Hello, Ann!"
    assert refused(await server.call("greet", ANN, again.state)) == "used"


async def test_more_than_a_state_holds_ends_the_call(serve: Make) -> None:
    async def big(ctx: Context) -> str:
        await ctx.once("big", lambda: "x" * MAX_PAYLOAD_BYTES)
        return (await ctx.ask(Name, "Name?")).name

    answer = await serve(big).call("big")
    assert answer.result["isError"] is True
    assert str(MAX_PAYLOAD_BYTES) in answer.text


async def test_more_than_one_round_asks_ends_the_call(serve: Make) -> None:
    async def long(ctx: Context) -> str:
        return (await ctx.sample("x" * 600_000, max_tokens=1)).text

    answer = await serve(long).call("long")
    assert answer.result["isError"] is True
    assert "is asked" in answer.text


async def test_a_call_that_cannot_begin_does_not_use_up_its_state(serve: Make) -> None:
    server = serve(tool(once=True)(greet))
    asked = await server.call("greet")
    server.runs._at_work.draining = True
    refusal = await server.call("greet", ANN, asked.state)
    assert (refusal.status, refusal.error["data"]["code"]) == (503, "draining")
    server.runs._at_work.draining = False
    assert (await server.call("greet", ANN, asked.state)).text == "Hello, Ann!"


async def test_of_many_retries_at_once_with_a_state_for_one_use_one_is_taken(serve: Make) -> None:
    server = serve(tool(once=True)(greet))
    asked = await server.call("greet")
    answers = await asyncio.gather(*(server.call("greet", ANN, asked.state) for _ in range(8)))
    assert sorted("result" in each.message for each in answers) == [False] * 7 + [True]
    assert {refused(each) for each in answers if "result" not in each.message} == {"used"}


async def test_servers_that_share_a_log_share_what_was_used() -> None:
    log = MemoryLog()
    one, other = states(Clock(), log=log), states(Clock(), log=log)
    text = bound(one).seal(EMPTY)
    assert await bound(one, requestState=text).open(once=True) is not None
    with pytest.raises(StateRefused) as caught:
        await bound(other, requestState=text).open(once=True)
    assert caught.value.reason is Reason.USED


@pytest.mark.parametrize(("ago", "principal", "reason"), [(STATE_SECONDS, "", "expired"), (0.0, "eve", "tampered")])
async def test_what_a_request_cannot_bring_about_by_itself_is_refused_through_the_whole_path(
    serve: Make, ago: float, principal: str, reason: str
) -> None:
    server = serve(greet)
    sealing = States(Settings(secret=SecretStr(SECRET)), MemoryLog(), clock=lambda: time.time() - ago)
    params = {"name": "greet", "arguments": {}}
    state = BoundStates(sealing, principal or ANONYMOUS.principal, "tools/call", params).seal(EMPTY)
    assert refused(await server.call("greet", ANN, state)) == reason


# --- several secrets -------------------------------------------------------------------------------------------------

OLD, NEW = "the-old-secret-0123", "the-new-secret-4567"


@pytest.mark.parametrize("between", [",", " ", "\n", ", ", " ,\t"])
async def test_the_first_secret_seals_and_all_open(between: str) -> None:
    clock = Clock()
    old, both, new = (states(clock, secret) for secret in (OLD, f"{NEW}{between}{OLD}", NEW))
    by_old, by_both = bound(old).seal(EMPTY), bound(both).seal(EMPTY)
    assert await bound(both, requestState=by_old).open(once=False) is not None
    assert await bound(both, requestState=by_both).open(once=False) is not None
    assert await bound(new, requestState=by_both).open(once=False) is not None
    for sealing, text in ((old, by_both), (new, by_old)):
        with pytest.raises(StateRefused) as caught:
            await bound(sealing, requestState=text).open(once=False)
        assert caught.value.reason is Reason.TAMPERED


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (f"{OLD},short-one", "secret 2 of 2 has 9 characters"),
        (f"short-one {OLD}", "secret 1 of 2 has 9 characters"),
        ("", "secret 1 of 1 has 0 characters"),
        (" , ", "secret 1 of 1 has 0 characters"),
    ],
)
def test_each_secret_is_long_enough_and_none_is_shown(secret: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_APP_SECRET", secret)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert f"MCP_APP_SECRET: {said}" in str(caught.value)
    shown = f"{caught.value} {caught.value!r} {caught.value.errors()} {caught.value.json()}"
    assert "short-one" not in shown
    assert OLD not in shown


async def count(ctx: Context, number: int, more: int = 1) -> str:
    return f"{number + more} {(await ctx.ask(Name, 'Name?', key='n')).name}"


async def test_a_state_is_bound_to_the_repaired_arguments(serve: Make) -> None:
    """A model may write a number as text in one round and as a number in the next: it is the same call."""
    server = serve(count)
    for first, then in (({"number": "5", "more": None}, {"number": 5}), ({"number": 5}, {"number": "5.0"})):
        state = (await server.call("count", arguments=first)).state
        assert refused(await server.call("count", ANN, state, arguments={"number": 6})) == "other_request"
        assert (await server.call("count", ANN, state, arguments=then)).text == "6 Ann"
