"""A run as a resource: started detached, looked at, cancelled, followed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from web_direct import RUNS, Direct, Make
from web_play import SECONDS, eventually
from web_wire import Following, decoded, headers, refused, stream


async def start(direct: Direct, tool: str, **params: Any) -> dict[str, Any]:
    answer = await direct.post(RUNS, {"tool": tool, "params": params})
    assert answer.status == 202
    run = decoded(answer)
    assert headers(answer.headers)["location"] == run["url"] == f"{RUNS}/{run['id']}"
    assert run["events_url"] == f"{run['url']}/events"
    return dict(run)


async def state(direct: Direct, run: dict[str, Any]) -> dict[str, Any]:
    return dict(decoded(await direct.get(run["url"])))


async def test_a_detached_run_is_202_with_its_location_and_works_on(direct: Direct) -> None:
    run = await start(direct, "walk")
    assert (run["tool"], run["state"]) == ("walk", "working")
    assert len(run["id"]) == 32
    await asyncio.wait_for(direct.play.begun.wait(), SECONDS)
    assert (await state(direct, run))["state"] == "working"
    direct.play.step(3)
    await direct.play.over()
    await eventually(lambda: direct.runs.working == 0)
    end = await state(direct, run)
    assert (end["state"], end["data"]) == ("complete", {"walked": 3})
    assert end["metadata"]["events"] == 5


async def test_a_failed_run_shows_its_error(direct: Direct) -> None:
    run = await start(direct, "refuses")
    await eventually(lambda: direct.runs.working == 0)
    end = await state(direct, run)
    assert end["state"] == "error"
    assert end["error"]["message"] == "There is no such domain."


async def test_an_unknown_run_is_404_everywhere(direct: Direct) -> None:
    for run in ("0" * 32, "x", "..", "%00", "\x00", "x" * 5000, "{id}", "<run>"):
        for method, rest in (("GET", ""), ("DELETE", ""), ("GET", "/events"), ("HEAD", "/events")):
            answer = await direct.ask(method, f"{RUNS}/{run}{rest}")
            assert answer.status == 404
            if method != "HEAD":
                refused(answer, 404, "unknown_run")


async def test_delete_cancels_once_and_for_all(direct: Direct) -> None:
    run = await start(direct, "wait")
    following = Following(await direct.get(run["events_url"]))
    await following.until(2)
    answer = await direct.ask("DELETE", run["url"])
    assert answer.status in {200, 202}
    await direct.play.over()
    assert direct.play.reasons == ["cancelled"]
    assert (await following.rest()).error["code"] == "cancelled"
    await eventually(lambda: direct.runs.working == 0)
    again = await direct.ask("DELETE", run["url"])
    assert again.status == 200
    assert decoded(again)["error"]["code"] == (await state(direct, run))["error"]["code"] == "cancelled"


async def test_delete_does_not_change_a_finished_run(direct: Direct) -> None:
    run = await start(direct, "echo")
    await eventually(lambda: direct.runs.working == 0)
    assert (await direct.ask("DELETE", run["url"])).status == 200
    assert (await state(direct, run))["state"] == "complete"


async def test_leaving_a_detached_run_means_nothing(direct: Direct) -> None:
    run = await start(direct, "walk")
    first = Following(await direct.get(run["events_url"]))
    direct.play.step(1)
    wire = await first.until(2)
    first.close()
    direct.play.step(2)
    await direct.play.over()
    assert direct.play.reasons == [None]
    rest = await stream(await direct.get(run["events_url"], last_event_id=wire.ids[-1]))
    assert rest.kinds == ["progress", "progress", "complete"]
    whole = await stream(await direct.get(run["events_url"]))
    assert whole.kinds == ["started", "progress", "progress", "progress", "complete"]
    assert whole.raw.count(b"retry: 1000") == 1
    gone = await direct.get(run["events_url"], last_event_id=whole.ids[-1])
    assert (gone.status, gone.body) == (204, b"")
    assert (await direct.ask("HEAD", run["events_url"], last_event_id=whole.ids[-1])).status == 204


async def test_the_cap_of_a_follower_is_a_comment_without_a_last_event(direct: Direct) -> None:
    run = await start(direct, "wait")
    target = f"{run['events_url']}?cap_seconds=0.3&heartbeat_seconds=0.1"
    wire = await stream(await direct.get(target))
    assert wire.kinds == ["started", "progress"]
    assert wire.raw.endswith(b"\n: cap\n")
    assert wire.heartbeats >= 1
    assert (await state(direct, run))["state"] == "working"
    back = await stream(await direct.get(target, last_event_id=wire.ids[-1]))
    assert back.kinds == []
    assert not direct.play.ended.is_set()


async def test_a_detached_run_has_a_life_of_its_own(make: Make) -> None:
    direct = make(cap_seconds=0.1, run_life_seconds=0.4)
    run = await start(direct, "wait")
    wire = await stream(await direct.get(run["events_url"]))
    assert wire.raw.endswith(b": cap\n")
    await direct.play.over()
    assert direct.play.reasons == ["time_cap"]
    assert (await state(direct, run))["error"]["code"] == "time_cap"


async def test_events_are_a_stream_and_nothing_else(direct: Direct) -> None:
    run = await start(direct, "echo")
    error = refused(await direct.get(run["events_url"], accept="application/json"), 406, "not_acceptable")
    assert "state" in error["hint"]


@pytest.mark.parametrize("query", ["heartbeat=x", "cap_seconds=x", "heartbeat_seconds=0"])
async def test_a_bad_query_of_a_follower_is_refused(direct: Direct, query: str) -> None:
    run = await start(direct, "echo")
    error = refused(await direct.get(f"{run['events_url']}?{query}"), 400, "invalid_request")
    assert query.partition("=")[0] in error["message"]


async def test_a_last_event_id_of_another_run_is_refused(direct: Direct) -> None:
    one, other = await start(direct, "echo"), await start(direct, "echo")
    answer = await direct.get(one["events_url"], last_event_id=f"{other['id']}/1")
    assert "Last-Event-ID" in refused(answer, 400, "invalid_request")["message"]


async def test_a_reader_that_fell_behind_the_log_is_told_and_gets_no_hole(direct: Direct) -> None:
    run = await start(direct, "count", upto=3000)
    await eventually(lambda: direct.runs.working == 0)
    wire = await stream(await direct.get(run["events_url"]))
    assert wire.kinds == ["error"]
    assert wire.error["code"] == "purged"
    assert wire.ids == [f"{run['id']}/00"], "who comes back is not told again"
    assert (await direct.get(run["events_url"], last_event_id=wire.ids[-1])).status == 204
    late = await stream(await direct.get(run["events_url"], last_event_id=f"{run['id']}/2990"))
    assert late.kinds[-1] == "complete"
    assert late.ids[0].endswith("/2991")


async def test_a_forgotten_run_is_unknown_and_ends_who_follows_it(make: Make) -> None:
    direct = make(keep_seconds=0.05)
    run = await start(direct, "echo")
    await eventually(lambda: direct.runs.kept == 0)
    refused(await direct.get(run["url"]), 404, "unknown_run")
    refused(await direct.get(run["events_url"]), 404, "unknown_run")


async def test_starting_is_guarded_like_a_call(direct: Direct) -> None:
    refused(await direct.post(RUNS, {"tool": "echo"}, content_type="text/plain"), 415, "unsupported_media_type")
    refused(await direct.post(RUNS, b"", content_type="application/json"), 400, "invalid_request")
    refused(await direct.post(RUNS, {"tool": "nobody"}), 404, "unknown_tool")
    refused(await direct.post(RUNS, {"tool": "echo", "params": {"x": 1}}), 422, "invalid_params")
    assert direct.runs.started == 0


async def test_draining_ends_detached_runs_too(direct: Direct) -> None:
    run = await start(direct, "wait")
    following = Following(await direct.get(run["events_url"]))
    await following.until(2)
    await asyncio.wait_for(direct.runs.drain(), SECONDS)
    assert (await following.rest()).error["code"] == "shutdown"
    answer = await direct.post(RUNS, {"tool": "echo"})
    refused(answer, 503, "draining")
    assert headers(answer.headers)["retry-after"]


async def test_cap_seconds_ends_a_detached_run(direct: Direct) -> None:
    answer = await direct.post(RUNS, {"tool": "wait", "params": {}, "cap_seconds": 0.05})
    assert answer.status == 202
    run = decoded(answer)
    await eventually(lambda: direct.runs.working == 0)
    assert (await state(direct, run))["error"]["code"] == "time_cap"


@pytest.mark.parametrize("name", ["stream", "heartbeat", "heartbeat_seconds"])
async def test_what_belongs_to_a_stream_is_refused_where_there_is_none(direct: Direct, name: str) -> None:
    answer = await direct.post(RUNS, {"tool": "wait", "params": {}, name: 1})
    assert refused(answer, 400, "invalid_request")["details"] == [
        {"field": name, "problem": "There is no field of this name"}
    ]
