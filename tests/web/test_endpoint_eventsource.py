"""What an EventSource does: a call in a query, a key, a reconnect with Last-Event-ID, and the end that is one."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from web_direct import EVENTS, RUNS, Direct, Make
from web_play import eventually
from web_wire import Following, Wire, decoded, headers, refused, stream

from mcp_app import tool
from mcp_app.protocol.errors import ToolDefinitionError
from mcp_app.protocol.plain import RESERVED

KEY = "k" * 16
WALK = f"{EVENTS}?tool=walk&count=3&run={KEY}"


async def gone(direct: Direct, target: str, last: str) -> None:
    answer = await direct.get(target, last_event_id=last)
    assert (answer.status, answer.body) == (204, b"")


async def walked(direct: Direct) -> Wire:
    """A run of three steps, read to its end."""
    direct.play.step(3)
    return await stream(await direct.get(WALK))


# --- starting --------------------------------------------------------------------------------------------------------


async def test_a_call_in_a_query_streams_with_a_reconnection_time(direct: Direct) -> None:
    wire = await stream(await direct.get(f"{EVENTS}?tool=echo&text=hi%20there%26"))
    assert wire.kinds == ["started", "complete"]
    assert wire.last["data"] == "hi there&"
    assert wire.raw.count(b"retry: 1000\n") == 1
    assert wire.raw.index(b"retry:") < wire.raw.index(b"data:"), "it stands in an event that has data"


async def test_as_json_too(direct: Direct) -> None:
    assert decoded(await direct.get(f"{EVENTS}?tool=echo", accept="application/json"))["data"] == "hello"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("number=7&ratio=0.25&flag=true&text=a", {"number": 7, "ratio": 0.25, "flag": True, "text": "a"}),
        ("names=a&names=b", {"names": ["a", "b"]}),
        ("names=only", {"names": ["only"]}),
        ("numbers=1&numbers=2", {"numbers": [1, 2]}),
        ("colour=blue", {"colour": "blue"}),
        ("text=", {"text": ""}),
        ("params=" + quote('{"point": {"x": 1}, "table": {"a": 2}}'), {"point": {"x": 1, "y": 0}, "table": {"a": 2}}),
        ("params=" + quote('{"number": 3}') + "&text=b", {"number": 3, "text": "b"}),
        ("text=%C3%A4%E2%82%AC+%F0%9F%98%80", {"text": "ä€ 😀"}),
    ],
)
async def test_a_query_is_coerced_by_the_schema(direct: Direct, query: str, expected: dict[str, Any]) -> None:
    wire = await stream(await direct.get(f"{EVENTS}?tool=typed&{query}"))
    assert wire.kinds[-1] == "complete", wire.last
    assert expected.items() <= wire.last["data"].items()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("number=x", "params.number"),
        ("number=", "params.number"),
        ("number=101", "params.number"),
        ("number=1&number=2", "params.number"),
        ("colour=green", "params.colour"),
        ("flag=maybe", "params.flag"),
        ("numbers=1&numbers=b", "params.numbers.1"),
        ("numbers=1&numbers=1&numbers=1&numbers=1&numbers=1&numbers=1", "params.numbers"),
        ("ratio=nothing", "params.ratio"),
        ("unknown=1", "params.unknown"),
        ("text=" + "x" * 51, "params.text"),
        ("params=" + quote('{"point": {"y": 1}}'), "params.point.x"),
    ],
)
async def test_what_does_not_validate_names_its_field(direct: Direct, query: str, field: str) -> None:
    error = refused(await direct.get(f"{EVENTS}?tool=typed&{query}"), 422, "invalid_params")
    assert error["details"][0]["field"] == field
    assert error["details"][0]["problem"]
    assert direct.play.calls == 0


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "tool"),
        ("x=1", "tool"),
        ("tool=echo&tool=echo", "tool"),
        (f"tool=echo&run={'k' * 15}", "run"),
        (f"tool=echo&run={'k' * 129}", "run"),
        ("tool=echo&run=kkkkkkkkkkkkkkk%2F", "run"),
        ("tool=echo&run=" + quote("ключключключключ"), "run"),
        ("tool=echo&run=kkkkkkkkkkkkkkkk%0A", "run"),
        ("tool=echo&heartbeat=loud", "heartbeat"),
        ("tool=echo&heartbeat_seconds=0", "heartbeat_seconds"),
        ("tool=echo&heartbeat_seconds=nan", "heartbeat_seconds"),
        ("tool=echo&cap_seconds=-1", "cap_seconds"),
        ("tool=echo&cap_seconds=inf", "cap_seconds"),
        ("tool=echo&cap_seconds=%D9%A1", "cap_seconds"),
        ("tool=echo&cap_seconds=soon", "cap_seconds"),
        ("tool=echo&params=[1]", "params"),
        ("tool=echo&text=a&params=" + quote('{"text": "b"}'), "text"),
        ("tool=%FF", "query"),
        ("tool=echo&" + "&".join(["a=1"] * 1001), "query"),
    ],
)
async def test_a_query_that_cannot_be_read_names_what_is_wrong(direct: Direct, query: str, named: str) -> None:
    error = refused(await direct.get(f"{EVENTS}?{query}"), 400, "invalid_request")
    assert named in error["message"]
    assert direct.play.calls == 0


async def test_bytes_beyond_ascii_in_a_query_are_refused(direct: Direct) -> None:
    refused(await direct.get(f"{EVENTS}?tool=echo&text=\xe4"), 400, "invalid_request")


async def test_only_a_read_only_tool_starts_by_get(direct: Direct) -> None:
    answer = await direct.get(f"{EVENTS}?tool=write&text=a")
    error = refused(answer, 405, "not_read_only")
    assert headers(answer.headers)["allow"] == "POST"
    assert "runs" in error["hint"]
    assert direct.play.calls == 0


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_names_with_a_meaning_in_a_query_are_refused_as_parameters_of_read_only_tools(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"async def reader({name}: str = '') -> None: pass", scope)
    with pytest.raises(ToolDefinitionError, match=name):
        tool(read_only=True)(scope["reader"])
    tool(scope["reader"])


# --- the key ---------------------------------------------------------------------------------------------------------


async def test_a_key_starts_one_run_however_often_it_is_asked_for(direct: Direct) -> None:
    answers = await asyncio.gather(*(direct.get(WALK) for _ in range(5)))
    direct.play.step(3)
    wires = await asyncio.gather(*(stream(answer) for answer in answers))
    assert direct.play.calls == 1
    assert len({wire.messages[0]["metadata"]["run"] for wire in wires}) == 1
    assert all(wire.raw == wires[0].raw or wire.messages == wires[0].messages for wire in wires)
    assert KEY.encode() not in wires[0].raw, "the id of a run is never its key"


async def test_a_known_key_replays_from_the_start_also_after_the_end(direct: Direct) -> None:
    first = await walked(direct)
    again = await stream(await direct.get(WALK))
    assert again.messages == first.messages
    assert (await stream(await direct.get(f"{EVENTS}?run={KEY}"))).messages == first.messages
    assert direct.play.calls == 1


async def test_a_key_with_another_call_is_a_conflict(direct: Direct) -> None:
    await walked(direct)
    for query in ("tool=walk&count=4", "tool=echo"):
        refused(await direct.get(f"{EVENTS}?{query}&run={KEY}"), 409, "run_conflict")
    assert direct.play.calls == 1


async def test_the_same_parameters_in_another_form_are_the_same_call(direct: Direct) -> None:
    await walked(direct)
    for query in (
        "tool=walk",
        "tool=walk&count=%33",
        "tool=walk&count=03",
        "params=" + quote('{"count":3}') + "&tool=walk",
    ):
        assert (await direct.get(f"{EVENTS}?{query}&run={KEY}")).status == 200
    assert direct.play.calls == 1


async def test_an_unknown_key_without_a_tool_is_404(direct: Direct) -> None:
    refused(await direct.get(f"{EVENTS}?run={KEY}"), 404, "unknown_run")


async def test_a_key_is_forgotten_some_time_after_the_end(make: Make) -> None:
    direct = make(keep_seconds=0.05)
    await walked(direct)
    await eventually(lambda: direct.runs.kept == 0)
    refused(await direct.get(f"{EVENTS}?run={KEY}"), 404, "unknown_run")


# --- coming back -----------------------------------------------------------------------------------------------------


async def test_a_reconnect_gets_what_follows_its_last_event(direct: Direct) -> None:
    following = Following(await direct.get(WALK))
    direct.play.step(1)
    wire = await following.until(2)
    following.close()
    direct.play.step(1)
    back = Following(await direct.get(WALK, last_event_id=wire.ids[-1]))
    direct.play.step(1)
    rest = await back.rest()
    assert rest.raw.startswith(b": open\n\n")
    assert [message.get("metadata", {}).get("progress") for message in rest.messages] == [2, 3, None]
    assert [number.partition("/")[2] for number in wire.ids + rest.ids] == ["1", "2", "3", "4", "5"]
    assert direct.play.calls == 1


async def test_after_the_end_the_rest_is_replayed_and_204_comes_only_when_nothing_is_left(direct: Direct) -> None:
    ids = (await walked(direct)).ids
    for number, last in enumerate(ids[:-1], start=1):
        rest = await stream(await direct.get(WALK, last_event_id=last))
        assert rest.ids == ids[number:]
    await gone(direct, WALK, ids[-1])
    await gone(direct, f"{EVENTS}?tool=walk", ids[-1])
    assert direct.play.calls == 1


@pytest.mark.parametrize("target", [WALK, f"{EVENTS}?tool=walk", f"{EVENTS}?tool=echo", f"{EVENTS}?run={KEY}"])
async def test_a_last_event_id_of_an_unknown_run_is_204_and_never_a_new_start(direct: Direct, target: str) -> None:
    await gone(direct, target, f"{'0' * 32}/1")
    assert direct.play.calls == 0
    assert direct.runs.started == 0


async def test_a_last_event_id_of_another_keys_run_is_204(direct: Direct) -> None:
    wire = await walked(direct)
    await gone(direct, f"{EVENTS}?tool=walk&run={'other' * 4}", wire.ids[0])
    assert direct.runs.started == 1


async def test_a_last_event_id_of_another_tools_run_is_a_conflict(direct: Direct) -> None:
    wire = await walked(direct)
    refused(await direct.get(f"{EVENTS}?tool=echo", last_event_id=wire.ids[0]), 409, "run_conflict")


@pytest.mark.parametrize(
    "last",
    ["1", "x/1", f"{'0' * 32}", f"{'0' * 32}/", f"{'0' * 32}/-1", f"{'0' * 32}/1.0", f"{'0' * 31}G/1",
     f"{'0' * 32}/\u0661", f"{'A' * 32}/1", f"{'0' * 32}/1\x00", f"{'0' * 32}/{'9' * 16}", f" {'0' * 32}/1",
     f"{'0' * 32}/1, {'0' * 32}/2", "\xe4" * 40, "x" * 60_000],
)  # fmt: skip
async def test_a_last_event_id_that_is_none_of_ours_is_400(direct: Direct, last: str) -> None:
    error = refused(await direct.get(WALK, last_event_id=last), 400, "invalid_request")
    assert "Last-Event-ID" in error["message"]
    assert direct.runs.started == 0


async def test_a_last_event_id_from_the_future_is_400(direct: Direct) -> None:
    wire = await walked(direct)
    future = wire.ids[0].replace("/1", "/99")
    for target in (WALK, f"{RUNS}/{wire.messages[0]['metadata']['run']}/events"):
        assert "99" in refused(await direct.get(target, last_event_id=future), 400, "invalid_request")["message"]


async def test_a_run_waits_for_its_reader_and_is_cancelled_when_that_does_not_come(make: Make) -> None:
    direct = make(linger_seconds=0.2)
    following = Following(await direct.get(f"{EVENTS}?tool=wait&run={KEY}"))
    wire = await following.until(2)
    following.close()
    assert direct.runs.working == 1, "it lingers"
    back = Following(await direct.get(f"{EVENTS}?tool=wait&run={KEY}", last_event_id=wire.ids[-1]))
    await asyncio.sleep(0.3)  # longer than it lingers: only time can show that nothing happens
    assert direct.runs.working == 1
    back.close()
    await direct.play.over()
    assert direct.play.reasons == ["left"]
    last = await stream(await direct.get(f"{EVENTS}?tool=wait&run={KEY}", last_event_id=wire.ids[-1]))
    assert last.error["code"] == "left"


async def test_the_cap_is_the_runs_and_a_reconnect_does_not_put_it_off(direct: Direct) -> None:
    target = f"{EVENTS}?tool=wait&run={KEY}&cap_seconds=0.4"
    following = Following(await direct.get(target))
    wire = await following.until(2)
    following.close()
    rest = await stream(await direct.get(target, last_event_id=wire.ids[-1]))
    assert rest.error["code"] == "time_cap"
    assert rest.messages[-1]["metadata"]["duration_ms"] < 5_000
    await gone(direct, target, rest.ids[-1])


# --- runs of others --------------------------------------------------------------------------------------------------


async def test_a_reader_cannot_end_a_run_that_is_not_an_eventsources(direct: Direct) -> None:
    run = decoded(await direct.post(RUNS, {"tool": "wait"}))
    posted = Following(await direct.call("wait"))
    wire = await posted.until(2)
    for last in (f"{run['id']}/1", wire.ids[0]):
        other = await stream(await direct.get(f"{EVENTS}?tool=wait&cap_seconds=0.1", last_event_id=last))
        assert other.raw.endswith(b": cap\n"), other.raw
        assert other.kinds[-1] == "progress"
        answer = await direct.get(f"{EVENTS}?tool=wait", accept="application/json", last_event_id=last)
        refused(answer, 406, "not_acceptable")
    assert direct.runs.working == 2
    assert decoded(await direct.get(run["url"]))["state"] == "working"
