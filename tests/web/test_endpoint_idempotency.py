"""POST with an Idempotency-Key: however often a call is sent, it is worked on once, and its result is had each time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from web_direct import EVENTS, RUNS, Direct, Make
from web_play import eventually
from web_wire import Following, Wire, decoded, headers, refused, stream

from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.access import Access
from mcp_app.protocol.policy import Retention
from mcp_app.web.messages import Answer, Request

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
WALK = {"tool": "walk", "params": {"count": 3}}
TOOL = EVENTS.replace("sse", "tools/walk")
STREAM, JSON = "text/event-stream", "application/json"


async def post(direct: Direct, value: Any = WALK, path: str = EVENTS, **fields: str | None) -> Answer:
    return await direct.post(path, value, **({"accept": JSON, "idempotency_key": KEY} | fields))


async def walked(direct: Direct, **fields: str | None) -> dict[str, Any]:
    direct.play.step(3)
    answer = await post(direct, **fields)
    assert answer.status == 200
    found: dict[str, Any] = decoded(answer)
    return found


def steps(wire: Wire) -> list[Any]:
    return [message.get("metadata", {}).get("progress") for message in wire.messages]


# --- repeated --------------------------------------------------------------------------------------------------------


async def test_the_first_answer_was_lost_after_the_run_had_ended(direct: Direct) -> None:
    first = await walked(direct)
    assert decoded(await post(direct)) == first
    as_stream = await stream(await post(direct, accept=STREAM))
    assert (as_stream.kinds, as_stream.last["data"]) == (["started", *["progress"] * 3, "complete"], {"walked": 3})
    assert as_stream.messages[0]["metadata"]["run"] == first["metadata"]["run"]
    assert direct.play.calls == 1


async def test_a_call_that_is_in_progress_is_joined_by_whichever_representation(direct: Direct) -> None:
    first = Following(await post(direct, accept=STREAM))
    direct.play.step(1)
    await first.until(2)
    again, as_json = Following(await post(direct, accept=STREAM)), asyncio.create_task(post(direct))
    direct.play.step(2)
    wires = [await first.rest(), await again.rest()]
    assert [steps(wire) for wire in wires] == [[None, 1, 2, 3, None]] * 2
    assert wires[0].ids == wires[1].ids
    assert wires[0].raw.count(b"retry: 1000\n") == 1, "who repeats a POST by itself may come back"
    assert [each["metadata"]["progress"] for each in decoded(await as_json)["progress"]] == [1, 2, 3]
    assert direct.play.calls == 1


async def test_many_at_once_start_one_run_on_a_log_that_takes_its_time(make: Make) -> None:
    class Slow(MemoryLog):
        async def open(self, run: str, keep: Retention) -> None:
            await asyncio.sleep(0)
            await super().open(run, keep)

    direct = make(log=Slow())
    answers = await asyncio.gather(*(post(direct, {"tool": "write"}) for _ in range(20)))
    assert len({answer.body for answer in answers}) == 1
    assert (direct.runs.started, direct.play.calls) == (1, 1)


async def test_each_key_is_waited_for_by_itself(make: Make) -> None:
    """A start that takes its time, as on a log that is away, holds up nobody else's."""
    held = asyncio.Event()

    class Held(MemoryLog):
        async def open(self, run: str, keep: Retention) -> None:
            if not held.is_set():
                held.set()
                await asyncio.Event().wait()
            await super().open(run, keep)

    direct = make(log=Held())
    first = asyncio.create_task(post(direct))
    await held.wait()
    other = await post(direct, {"tool": "write"}, idempotency_key="another-key-of-the-same-caller")
    assert other.status == 200
    first.cancel()
    await asyncio.wait({first})
    assert (await post(direct, {"tool": "write"}, idempotency_key=KEY)).status == 200, "nothing is left of it"


@pytest.mark.parametrize("field", [f'"{KEY}"', KEY, f' "{KEY}" ', f'"{KEY}";v=1'])
async def test_a_key_may_stand_in_quotation_marks(direct: Direct, field: str) -> None:
    first = await walked(direct)
    assert decoded(await post(direct, idempotency_key=field)) == first


async def test_the_same_call_in_another_form(direct: Direct) -> None:
    first = await walked(direct)
    for body in (
        b'{"params": {"count": 3.0}, "tool": "walk"}',
        b'{"tool": "walk", "params": {"count": "3"}}',  # repaired
        {**WALK, "stream": False, "heartbeat_seconds": 5, "cap_seconds": 20},
    ):
        assert decoded(await post(direct, body)) == first
    assert decoded(await post(direct, {"count": 3}, TOOL)) == first, "a tool's own path is another spelling"
    assert direct.play.calls == 1


async def test_an_error_is_had_again_too(direct: Direct) -> None:
    first = await post(direct, {"tool": "refuses"})
    again = await post(direct, {"tool": "refuses"})
    assert (first.status, first.body) == (again.status, again.body)
    assert first.status >= 400
    assert direct.runs.started == 1


async def test_what_was_refused_has_started_nothing(make: Make) -> None:
    """Its key is free: the client mends the request, or waits, and sends it again."""
    direct = make(max_runs=1)
    refused(await post(direct, {"tool": "walk", "params": {"count": "x"}}), 422, "invalid_params")
    held = Following(await direct.call("wait", STREAM))
    await held.until(2)
    refused(await post(direct, {"tool": "write"}), 503, "overloaded")
    held.close()
    await eventually(lambda: direct.runs.working == 0)
    assert (await post(direct, {"tool": "write"})).status == 200


async def test_without_a_key_a_repeated_post_is_another_call(direct: Direct) -> None:
    for _ in range(2):
        await post(direct, {"tool": "write"}, idempotency_key=None)
    assert direct.play.calls == 2


# --- what a key belongs to -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (EVENTS, {"tool": "walk", "params": {"count": 4}}),
        (EVENTS, {"tool": "walk"}),
        (EVENTS, {"tool": "echo"}),
        (TOOL, {"count": 2}),
        (RUNS, WALK),
    ],
)
async def test_another_call_with_the_same_key(direct: Direct, path: str, body: Any) -> None:
    await walked(direct)
    error = refused(await post(direct, body, path, accept="*/*"), 422, "idempotency_key_reused")
    assert "new random key" in error["hint"]
    assert direct.play.calls == 1


async def test_each_principal_has_keys_of_its_own(direct: Direct) -> None:
    async def ask(principal: str) -> Answer:
        request = Request("POST", EVENTS, b"", {}, json.dumps({"tool": "write"}).encode())
        request.headers = {
            "host": "127.0.0.1:8000",
            "content-type": JSON,
            "accept": JSON,
            "idempotency-key": KEY,
        }
        return await direct.endpoint.answer(request, identify=lambda: Access(principal))

    runs = [decoded(await ask(name))["metadata"]["run"] for name in ("ann", "bob", "ann")]
    assert runs[0] == runs[2] != runs[1]
    assert direct.play.calls == 2


@pytest.mark.parametrize("field", ["", "short", "k" * 256, f"{KEY}, {KEY}", f'"{KEY}', "\xe4" * 20])
@pytest.mark.parametrize(("path", "body"), [(EVENTS, WALK), (TOOL, {"count": 3}), (RUNS, WALK)])
async def test_what_is_no_key_is_refused(direct: Direct, path: str, body: Any, field: str) -> None:
    error = refused(await post(direct, body, path, idempotency_key=field), 400, "invalid_request")
    assert error["message"].startswith("Idempotency-Key ")
    assert direct.runs.started == 0


async def test_a_get_does_not_read_it(direct: Direct) -> None:
    for _ in range(2):
        assert (await direct.get(f"{EVENTS}?tool=echo", accept=JSON, idempotency_key="x")).status == 200
    assert direct.play.calls == 2


# --- leaving and coming back -----------------------------------------------------------------------------------------


async def test_who_leaves_and_repeats_the_call_finds_it_at_work(make: Make) -> None:
    direct = make(linger_seconds=100)
    first = Following(await post(direct, accept=STREAM))
    direct.play.step(1)
    await first.until(2)
    first.close()
    waiting = asyncio.create_task(post(direct))
    await asyncio.sleep(0)
    waiting.cancel()  # left while it waited for JSON
    await asyncio.wait({waiting})
    assert direct.runs.working == 1
    direct.play.step(2)
    assert decoded(await post(direct))["data"] == {"walked": 3}
    assert direct.play.calls == 1


async def test_who_does_not_come_back_in_time_has_left(make: Make) -> None:
    direct = make(linger_seconds=0.02)
    first = Following(await post(direct, {"tool": "wait"}, accept=STREAM))
    await first.until(2)
    first.close()
    await direct.play.over()
    assert direct.play.reasons == ["left"]
    refused_again = await post(direct, {"tool": "wait"})
    assert (refused_again.status, decoded(refused_again)["error"]["code"]) == (409, "left")
    assert direct.play.calls == 1


async def test_a_key_is_forgotten_some_time_after_the_end(make: Make) -> None:
    direct = make(keep_seconds=0.02)
    await post(direct, {"tool": "write"})
    await eventually(lambda: direct.runs.kept == 0)
    await post(direct, {"tool": "write", "params": {"text": "another"}})
    assert direct.play.calls == 2


async def test_with_last_event_id_the_rest_comes(direct: Direct) -> None:
    """As @microsoft/fetch-event-source repeats a POST: with all its fields, and the id."""
    first = Following(await post(direct, accept=STREAM))
    direct.play.step(1)
    wire = await first.until(2)
    first.close()
    direct.play.step(2)
    rest = await stream(await post(direct, accept=STREAM, last_event_id=wire.ids[-1]))
    assert steps(rest) == [2, 3, None]
    gone = await post(direct, accept=STREAM, last_event_id=rest.ids[-1])
    assert gone.status == 204
    other = await stream(await post(direct, {"tool": "echo"}, accept=STREAM, last_event_id=wire.ids[-1]))
    assert other.error["code"] == "idempotency_key_reused"
    elsewhere = await post(direct, accept=STREAM, last_event_id=wire.ids[-1], idempotency_key="k" * 16)
    assert (await stream(elsewhere)).error["code"] == "unknown_run"
    assert direct.play.calls == 1


async def test_the_key_finds_the_run_by_get_too(direct: Direct) -> None:
    first = await walked(direct)
    by_get = await stream(await direct.get(f"{EVENTS}?run={KEY}"))
    assert by_get.messages[0]["metadata"]["run"] == first["metadata"]["run"]
    refused(await direct.get(f"{EVENTS}?tool=walk&count=3&run={KEY}"), 409, "run_conflict")
    await stream(await direct.get(f"{EVENTS}?tool=echo&run={'g' * 16}"))
    refused(await post(direct, {"tool": "echo"}, idempotency_key="g" * 16), 422, "idempotency_key_reused")
    assert direct.play.calls == 2


@pytest.mark.parametrize("over", [True, False])
async def test_the_result_is_had_although_the_beginning_is_kept_no_more(direct: Direct, over: bool) -> None:
    upto = 3000
    body = {"tool": "walk", "params": {"count": upto}}
    first = Following(await post(direct, body, accept=STREAM))
    direct.play.step(upto - (not over))
    await first.until(upto + over)
    again = asyncio.create_task(post(direct, body))
    if not over:
        await asyncio.sleep(0.01)
        direct.play.step(1)
    answer = decoded(await again)
    assert (answer["data"], answer["progress"]) == ({"walked": upto}, [])
    assert (answer["metadata"]["truncated"], answer["metadata"]["items"]) == (True, upto)
    first.close()
    purged = await stream(await post(direct, body, accept=STREAM))
    assert purged.error["code"] == "purged"
    assert direct.play.calls == 1


# --- detached runs ---------------------------------------------------------------------------------------------------


async def test_a_detached_run_is_started_once(direct: Direct) -> None:
    answers = await asyncio.gather(*(post(direct, path=RUNS) for _ in range(3)))
    assert {answer.status for answer in answers} == {202}
    [location] = {headers(answer.headers)["location"] for answer in answers}
    direct.play.step(3)
    await eventually(lambda: direct.runs.working == 0)
    again = await post(direct, path=RUNS)
    assert (headers(again.headers)["location"], decoded(again)["state"]) == (location, "complete")
    refused(await post(direct), 422, "idempotency_key_reused")
    assert direct.play.calls == 1


# --- from pages ------------------------------------------------------------------------------------------------------


async def test_a_page_of_a_listed_origin_may_send_it(make: Make) -> None:
    direct = make(allowed_origins=["https://page.example"])
    answer = await direct.ask("OPTIONS", EVENTS, origin="https://page.example", access_control_request_method="POST")
    assert "Idempotency-Key" in headers(answer.headers)["access-control-allow-headers"].split(", ")
