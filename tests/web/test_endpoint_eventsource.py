"""What an EventSource does after its call: a key, a reconnect with Last-Event-ID, and the end that is one."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest
from web_direct import EVENTS, RUNS, Direct, Make
from web_play import eventually
from web_readers import EVENT_SOURCE, come_back
from web_wire import Following, Wire, decoded, refused, stream

from mcp_app.eventlog.memory import MemoryLog
from mcp_app.protocol.policy import Retention

KEY = "k" * 16
WALK = f"{EVENTS}?tool=walk&count=3&run={KEY}"


async def gone(direct: Direct, target: str, last: str) -> None:
    answer = await direct.get(target, last_event_id=last)
    assert (answer.status, answer.body) == (204, b"")


async def walked(direct: Direct) -> Wire:
    """A run of three steps, read to its end."""
    direct.play.step(3)
    return await stream(await direct.get(WALK))


# --- the key ---------------------------------------------------------------------------------------------------------


async def test_a_key_starts_one_run_however_often_it_is_asked_for(direct: Direct) -> None:
    answers = await asyncio.gather(*(direct.get(WALK) for _ in range(5)))
    direct.play.step(3)
    wires = await asyncio.gather(*(stream(answer) for answer in answers))
    assert direct.play.calls == 1
    assert len({wire.messages[0]["metadata"]["run"] for wire in wires}) == 1
    assert all(wire.raw == wires[0].raw or wire.messages == wires[0].messages for wire in wires)
    assert KEY.encode() not in wires[0].raw, "the id of a run is never its key"


async def test_a_key_starts_one_run_on_a_log_that_takes_its_time(make: Make) -> None:
    class Slow(MemoryLog):
        async def open(self, run: str, keep: Retention) -> None:
            await asyncio.sleep(0)  # as one on disk or network does: other requests have their turn
            await super().open(run, keep)

    direct = make(log=Slow())
    answers = await asyncio.gather(*(direct.get(f"{EVENTS}?tool=echo&run={KEY}") for _ in range(5)))
    wires = await asyncio.gather(*(stream(answer) for answer in answers))
    assert (direct.runs.started, direct.play.calls) == (1, 1)
    assert len({wire.ids[0] for wire in wires}) == 1


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
        "tool=walk&count=%33",
        "tool=walk&count=3.0",
        "params=" + quote('{"count":3}') + "&tool=walk",
        "params=" + quote('{"count":"3"}') + "&tool=walk",
        "params=" + quote('{"count":3.0}') + "&tool=walk",
    ):
        assert (await direct.get(f"{EVENTS}?{query}&run={KEY}")).status == 200
    assert direct.play.calls == 1


@pytest.mark.parametrize("query", ["tool=walk", "tool=walk&count=03"])
async def test_what_was_not_said_the_same_is_another_call(direct: Direct, query: str) -> None:
    """What a tool makes of its parameters is no measure: that can be an object of any kind, or a secret."""
    await walked(direct)
    refused(await direct.get(f"{EVENTS}?{query}&run={KEY}"), 409, "run_conflict")


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
    assert [number.partition("/")[2] for number in wire.ids + rest.ids] == ["1", "2", "3", "4", "05"]
    assert direct.play.calls == 1


async def test_after_the_end_the_rest_is_replayed_and_204_comes_only_when_nothing_is_left(direct: Direct) -> None:
    ids = (await walked(direct)).ids
    for number, last in enumerate(ids[:-1], start=1):
        rest = await stream(await direct.get(WALK, last_event_id=last))
        assert rest.ids == ids[number:]
    for last in (ids[-1], ids[-1].replace("/0", "/")):  # as it came, and by its number alone
        await gone(direct, WALK, last)
        await gone(direct, f"{EVENTS}?tool=walk", last)
    assert direct.play.calls == 1


@pytest.mark.parametrize("target", [WALK, f"{EVENTS}?tool=walk", f"{EVENTS}?tool=echo", f"{EVENTS}?run={KEY}"])
async def test_who_comes_back_to_a_run_that_is_lost_is_told_once_and_it_is_never_a_new_start(
    direct: Direct, target: str
) -> None:
    """As after a crash: the run is of the process before."""
    wire = await stream(await direct.get(target, last_event_id=f"{'0' * 32}/3"))
    assert wire.error["code"] == "unknown_run"
    assert "restarted" in wire.error["message"]
    assert wire.raw.startswith(b": open\nid: ")
    assert wire.ids == [f"{'0' * 32}/03"], "the last event that it has, which nothing follows"
    await gone(direct, target, wire.ids[-1])
    refused(await direct.get(target, last_event_id=f"{'0' * 32}/3", accept="application/json"), 404, "unknown_run")
    head = await direct.ask("HEAD", target, last_event_id=f"{'0' * 32}/3")
    assert (head.status, dict(head.headers)["Content-Length"]) == (200, str(len(wire.raw)))
    assert (await direct.ask("HEAD", target, last_event_id=wire.ids[-1])).status == 204
    assert direct.play.calls == 0
    assert direct.runs.started == 0


async def test_who_has_read_to_the_end_is_told_nothing_by_a_server_that_was_restarted(make: Make) -> None:
    ids = (await walked(make())).ids
    restarted = make()
    for target in (WALK, f"{EVENTS}?tool=walk", f"{RUNS}/{ids[-1].partition('/')[0]}/events"):
        await gone(restarted, target, ids[-1])
        told = await stream(await restarted.get(target, last_event_id=ids[-2]))
        assert told.error["code"] == "unknown_run"
    assert restarted.runs.started == 0


async def test_an_event_source_stops_after_each_end(make: Make) -> None:
    direct = make(keep_seconds=0.05)
    ids = (await walked(direct)).ids
    known = await come_back(EVENT_SOURCE, lambda last: direct.get(WALK, last_event_id=last), ids[-2])
    assert [each["type"] for each in known] == ["complete"]
    await eventually(lambda: direct.runs.kept == 0)
    for last, kinds in ((ids[-2], ["error"]), (ids[-1], [])):
        forgotten = await come_back(EVENT_SOURCE, lambda last: direct.get(WALK, last_event_id=last), last)
        assert [each["type"] for each in forgotten] == kinds
    assert direct.play.calls == 1


async def test_an_event_source_that_fell_behind_the_log_is_told_once(direct: Direct) -> None:
    run = decoded(await direct.post(RUNS, {"tool": "count", "params": {"upto": 3000}}))
    await eventually(lambda: direct.runs.working == 0)
    told = await come_back(
        EVENT_SOURCE, lambda last: direct.get(run["events_url"], last_event_id=last), f"{run['id']}/9"
    )
    assert [each["error"]["code"] for each in told] == ["purged"]


async def test_a_last_event_id_of_another_keys_run_is_lost(direct: Direct) -> None:
    wire = await walked(direct)
    told = await stream(await direct.get(f"{EVENTS}?tool=walk&run={'other' * 4}", last_event_id=wire.ids[0]))
    assert told.error["code"] == "unknown_run"
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


async def test_a_second_readers_lower_cap_ends_the_run_and_says_so(direct: Direct) -> None:
    first = Following(await direct.get(f"{EVENTS}?tool=wait&run={KEY}"))
    second = await stream(await direct.get(f"{EVENTS}?tool=wait&run={KEY}&cap_seconds=0.2"))
    assert second.error["code"] == "time_cap"
    assert "0.2 seconds" in second.error["message"]
    assert (await first.rest()).error == second.error


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
