"""Whatever is sent: a 4xx with an error object that names what was wrong, or the answer; never a 500, no tool run."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from web_bad_input import CRAFTED, bodies, header_fields, header_values, mangled, queries
from web_direct import EVENTS, RUNS, Direct
from web_wire import decoded, headers, stream

from mcp_app.protocol import errors
from mcp_app.web.frames import Frames
from mcp_app.web.messages import Answer

# The endpoint is the same for all examples: what one leaves behind must not harm the next.
many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
some = settings(many, max_examples=60)

REFUSALS = {each.code: each.status for each in errors.RequestError.__subclasses__()}
ROUTES = ["/", "/mcp.json", "/healthz", "/metrics", "/nothing", EVENTS, "/api/v1/mcp/tools", RUNS, f"{RUNS}/x",
          f"{RUNS}/x/events"]  # fmt: skip


def sound(answer: Answer) -> dict[str, Any] | None:
    """The error object of a refusal; None for an answer. Fails for everything that is neither."""
    assert headers(answer.headers)["vary"].startswith("Accept")
    for name, value in answer.headers:
        assert re.fullmatch(r"[\x20-\x7e]*", name + value), "nothing of the request in a header that could break it"
    if isinstance(answer.body, Frames):
        answer.body.close()
        return None
    if answer.status < 400:
        return None
    assert answer.status < 500, answer.body
    value = decoded(answer)
    if "jsonrpc" in value:  # the body was MCP's, and so is the refusal
        assert isinstance(value["error"]["code"], int)
        assert value["error"]["message"]
        return dict(value["error"])
    assert value["type"] == "error"
    error = value["error"]
    assert REFUSALS[error["code"]] == answer.status
    assert error["message"]
    assert error["hint"]
    assert len(answer.body) < 20_000, "an answer is not a mirror"
    for detail in error.get("details", ()):
        assert set(detail) == {"field", "problem"}
        assert detail["problem"]
    if error["code"] == "invalid_params":
        assert all(detail["field"].partition(".")[0] == "params" for detail in error["details"])
    return dict(error)


@many
@given(body=bodies | mangled)
async def test_any_body_is_answered_or_refused(direct: Direct, body: bytes) -> None:
    for path in (EVENTS, RUNS):
        before = direct.play.calls
        error = sound(await direct.post(path, body, accept="application/json"))
        assert error is None or direct.play.calls == before


@pytest.mark.parametrize("body", CRAFTED, ids=lambda body: repr(body[:40]))
async def test_each_crafted_body_is_a_4xx(direct: Direct, body: bytes) -> None:
    answer = await direct.post(EVENTS, body, accept="application/json")
    error = sound(answer)
    assert error is not None
    assert direct.play.calls == 0


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({}, "tool"),
        ({"tool": 1}, "tool"),
        ({"tool": "echo", "params": []}, "params"),
        ({"tool": "echo", "params": None}, "params"),
        ({"tool": "echo", "stream": 1}, "stream"),
        ({"tool": "echo", "heartbeat": "loud"}, "heartbeat"),
        ({"tool": "echo", "heartbeat_seconds": "1"}, "heartbeat_seconds"),
        ({"tool": "echo", "heartbeat_seconds": 0}, "heartbeat_seconds"),
        ({"tool": "echo", "cap_seconds": -1}, "cap_seconds"),
        ({"tool": "echo", "cap_seconds": True}, "cap_seconds"),
        ({"tool": "echo", "run": "k" * 16}, "run"),
    ],
)
async def test_a_call_of_the_wrong_shape_names_its_field(direct: Direct, call: dict[str, Any], field: str) -> None:
    error = sound(await direct.post(EVENTS, call))
    assert error is not None
    assert (error["code"], error["details"][0]["field"]) == ("invalid_request", field)
    assert field in error["message"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"number": "one"}, "params.number"),
        ({"number": 1.5}, "params.number"),
        ({"number": 101}, "params.number"),
        ({"number": 10**100}, "params.number"),
        ({"number": True}, "params.number"),
        ({"flag": 1}, "params.flag"),
        ({"ratio": "0,5"}, "params.ratio"),
        ({"names": "a"}, "params.names"),
        ({"names": ["a", 1]}, "params.names.1"),
        ({"numbers": [1] * 6}, "params.numbers"),
        ({"colour": "green"}, "params.colour"),
        ({"point": {"x": "1.5"}}, "params.point.x"),
        ({"point": 1}, "params.point"),
        ({"table": {"a": "b"}}, "params.table.a"),
        ({"text": "x" * 51}, "params.text"),
        ({"other": 1}, "params.other"),
    ],
)
async def test_parameters_are_checked_and_each_problem_has_its_field(
    direct: Direct, params: dict[str, Any], field: str
) -> None:
    for path in (EVENTS, RUNS):
        error = sound(await direct.post(path, {"tool": "typed", "params": params}))
        assert error is not None
        assert (error["code"], error["details"][0]["field"]) == ("invalid_params", field)
    assert direct.play.calls == 0


@many
@given(query=queries)
@example(query=b"tool=typed&ratio=1e999")
@example(query=b"tool=typed&number=" + b"9" * 5000)
@example(query=b"tool=typed&params=" + b"%5B" * 5000)
@example(query=b"tool=typed&params=%7B%22text%22%3A%22%5Cud800%22%7D")
async def test_any_query_is_answered_or_refused(direct: Direct, query: bytes) -> None:
    for path in (EVENTS, f"{RUNS}/{'0' * 32}/events"):
        for method in ("GET", "HEAD"):
            before = direct.play.calls
            answer = await direct.ask(method, f"{path}?{query.decode('latin-1')}", accept="application/json")
            if method == "GET":
                error = sound(answer)
                assert error is None or direct.play.calls == before
            else:
                assert (answer.status < 500, answer.body, direct.play.calls) == (True, b"", before)


@many
@given(fields=header_fields, path=st.sampled_from(ROUTES), method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS"]))
async def test_any_header_is_answered_or_refused(
    direct: Direct, fields: dict[str, str], path: str, method: str
) -> None:
    target = f"{path}?tool=echo" if path == EVENTS and method == "GET" else path
    answer = await direct.ask(method, target, b'{"tool":"echo"}', **fields)
    if method == "HEAD":
        assert (answer.status < 500, answer.body) == (True, b"")
    else:
        sound(answer)


@some
@given(host=st.text(max_size=30) | header_values, origin=st.none() | header_values)
async def test_any_host_is_loopback_or_refused(direct: Direct, host: str, origin: str | None) -> None:
    error = sound(await direct.get("/metrics", host=host, origin=origin))
    assert error is None or error["code"] in {"host_not_allowed", "origin_not_allowed"}
    if error is None:
        assert re.fullmatch(r"(?i:localhost|127\.[0-9.]+|\[[0:]*1\])(:[0-9]*)?", host)


@some
@given(method=st.text(min_size=1, max_size=30), path=st.text(max_size=60).map(lambda rest: f"/{rest}"))
async def test_any_method_and_path_is_answered_or_refused(direct: Direct, method: str, path: str) -> None:
    for each in (path, f"{RUNS}{path}", f"{EVENTS}{path}"):
        path_alone, _, _ = each.partition("?")
        assert (await direct.ask(method, path_alone)).status < 500


@some
@given(last=st.text(max_size=60) | header_values | st.integers(0, 10**16).map(lambda number: f"{'0' * 32}/{number}"))
async def test_no_last_event_id_starts_a_run(direct: Direct, last: str) -> None:
    started = direct.runs.started
    for target in (f"{EVENTS}?tool=echo", f"{EVENTS}?tool=echo&run={'k' * 16}"):
        answer = await direct.get(target, last_event_id=last)
        if last:
            assert answer.status in {200, 204, 400}
            if answer.status == 200:
                assert (await stream(answer)).kinds == ["error"]
            else:
                sound(answer)
    assert not last or direct.runs.started == started


@some
@given(last=st.text(max_size=60) | header_values | st.integers(0, 10**16).map(lambda number: f"{'0' * 32}/{number}"))
async def test_no_last_event_id_of_a_post_starts_a_run(direct: Direct, last: str) -> None:
    started = direct.runs.started
    for target in (EVENTS, RUNS):
        answer = await direct.post(target, {"tool": "echo"}, last_event_id=last, accept="application/json")
        if last:
            assert answer.status in {204, 400, 404}
            sound(answer)
    answer = await direct.post(EVENTS, {"tool": "echo"}, last_event_id=last)
    if last and answer.status != 204:
        assert (await stream(answer)).kinds == ["error"]
    assert not last or direct.runs.started == started


@some
@given(kind=header_values)
async def test_only_json_is_read(direct: Direct, kind: str) -> None:
    error = sound(await direct.post(EVENTS, {"tool": "echo"}, content_type=kind))
    if kind.partition(";")[0].strip().lower() != "application/json":
        assert error is not None
        assert error["code"] == "unsupported_media_type"
        assert "application/json" in error["message"] + error["hint"]


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON ; charset=utf-8", "application/json;x=y"])
async def test_json_by_any_of_its_names_is_read(direct: Direct, kind: str) -> None:
    assert (await direct.post(EVENTS, {"tool": "echo"}, content_type=kind)).status == 200


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
             "application/json2", "application/json, text/plain", "application/vnd.api+json"]
)  # fmt: skip
async def test_what_a_form_of_another_site_can_send_is_not(direct: Direct, kind: str | None) -> None:
    for path in (EVENTS, RUNS):
        error = sound(await direct.post(path, {"tool": "echo"}, content_type=kind))
        assert error is not None
        assert error["code"] == "unsupported_media_type"


async def test_long_values_are_not_sent_back_in_full(direct: Direct) -> None:
    long = "x" * 100_000
    for answer in (
        await direct.post(EVENTS, {"tool": long}),
        await direct.post(EVENTS, {"tool": "echo", long: 1}),
        await direct.post(EVENTS, {"tool": "echo", "params": {long: 1}}),
        await direct.get(f"{EVENTS}?tool=echo&{long}=1"),
        await direct.post(EVENTS, json.dumps({"tool": "echo", "params": {f"p{n}": n for n in range(5000)}}).encode()),
        await direct.post(EVENTS, {}, content_type=long),
        await direct.get("/metrics", host=long),
        await direct.get("/healthz", origin=long),
        await direct.get(f"{RUNS}/{long}"),
    ):
        assert sound(answer) is not None
