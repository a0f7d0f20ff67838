"""The same through Quart and by the lane: what routing, requests and responses add, and what they must not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from web_asgi import Client, Exchange, running
from web_direct import EVENTS, RUNS
from web_play import SECONDS, Play, eventually

from mcp_app import create_app
from mcp_app.config.settings import Settings
from mcp_app.web.asgi import answer, body

HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "trailer"}
WAIT = b'{"tool":"wait"}'
ACCEPT_JSON = (b"accept", b"application/json")


@pytest.fixture
async def client(play: Play, lane: bool) -> AsyncIterator[Client]:
    async with running(create_app(Settings(linger_seconds=0), play.tools(), lane=lane)) as client:
        yield client


def error_of(exchange: Exchange) -> str:
    """The code of a refusal that has all a refusal must have."""
    assert exchange.field("content-type") == "application/json"
    assert exchange.field("vary") == "Accept"
    assert exchange.field("content-length") == str(len(exchange.body))
    value = json.loads(exchange.body)
    assert value["type"] == "error"
    assert value["error"]["message"]
    return str(value["error"]["code"])


async def test_the_blueprint_streams_a_call_with_exactly_these_headers(client: Client) -> None:
    exchange = await client.post(EVENTS, b'{"tool":"count","params":{"upto":2}}').rest()
    assert exchange.status == 200
    assert sorted((name.lower(), value) for name, value in exchange.headers) == [
        ("cache-control", "no-cache, no-transform"),
        ("content-type", "text/event-stream"),
        ("vary", "Accept"),
        ("x-accel-buffering", "no"),
        ("x-content-type-options", "nosniff"),
    ]
    assert exchange.wire.kinds == ["started", "progress", "progress", "complete"]


@pytest.mark.parametrize("version", ["1.0", "1.1", "2"])
async def test_no_answer_has_a_hop_by_hop_field(client: Client, version: str) -> None:
    for exchange in (
        client.post(EVENTS, b'{"tool":"echo"}', version=version),
        client.post(EVENTS, b'{"tool":"echo"}', ACCEPT_JSON, version=version),
        client.post(EVENTS, b"", version=version),
        client.open("GET", "/", version=version),
        client.open("HEAD", f"{EVENTS}?tool=echo", version=version),
    ):
        await exchange.rest()
        assert not HOP_BY_HOP & {name.lower() for name, _ in exchange.headers}
        assert "Accept" in str(exchange.field("vary"))


async def test_the_first_bytes_come_before_the_tools_first_word_and_each_event_as_it_happens(
    client: Client, play: Play
) -> None:
    exchange = client.post(EVENTS, b'{"tool":"walk","params":{"count":3}}')
    assert (await exchange.until(1)).kinds == ["started"]
    assert exchange.body.startswith(b": open\nid: ")
    for number in (2, 3):
        play.step()
        assert len((await exchange.until(number)).events) == number
    play.step()
    assert (await exchange.rest()).wire.kinds[-1] == "complete"


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("FOO", EVENTS, 405, "method_not_allowed"),
        ("get", EVENTS, 405, "method_not_allowed"),
        ("PUT", RUNS, 405, "method_not_allowed"),
        ("FOO", "/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "//x", 404, "not_found"),
        ("GET", "//evil.example/mcp.json", 404, "not_found"),
        ("GET", f"/{EVENTS}?tool=echo", 404, "not_found"),
        ("POST", "/static/x", 404, "not_found"),
        ("GET", "http://localhost/nothing", 404, "not_found"),
        ("GET", "", 404, "not_found"),
        ("GET", "http://[", 404, "not_found"),
        ("OPTIONS", "*", 404, "not_found"),
        ("GET", "/a\x00b", 404, "not_found"),
        ("GET", "/\U0001f600", 404, "not_found"),
        ("GET", f"/{'x/' * 5000}", 404, "not_found"),
        ("GET", f"{RUNS}/{'0' * 32}", 404, "unknown_run"),
        ("DELETE", f"{RUNS}/x%2Fy", 404, "unknown_run"),
        ("GET", f"{EVENTS}?tool=write", 405, "not_read_only"),
        ("POST", f"{EVENTS}/", 415, "unsupported_media_type"),
    ],
)
async def test_every_method_and_path_gets_the_error_object(
    client: Client, play: Play, method: str, target: str, status: int, code: str
) -> None:
    exchange = await client.open(method, target).rest()
    assert exchange.status == status
    assert error_of(exchange) == code
    assert play.calls == 0


async def test_an_absolute_target_is_the_path_and_the_host_in_it(client: Client) -> None:
    """RFC 9112, 3.2.2: the received Host is ignored."""
    for host in (b"localhost", b"evil.example"):
        answered = await client.open("GET", "http://localhost/metrics", host=host, version="1.1").rest()
        assert answered.status == 200
    refused = await client.open("GET", "http://evil.example/metrics", host=b"localhost", version="1.1").rest()
    assert (refused.status, error_of(refused)) == (421, "host_not_allowed")


@pytest.mark.parametrize("host", [b"a b", b"\xff", b"[", b"", b"localhost\xa0", b"a..b", b"x" * 64, b"x" * 70_000])
async def test_a_host_that_is_none_is_refused_by_the_guard_and_not_by_quart(client: Client, host: bytes) -> None:
    exchange = await client.open("GET", "/metrics", host=host).rest()
    assert (exchange.status, error_of(exchange)) == (421, "host_not_allowed")


async def test_a_query_that_is_no_utf_8_is_refused_by_the_endpoint_and_not_by_quart(client: Client) -> None:
    exchange = client.open("GET", f"{EVENTS}?tool=echo&text=\udcff")
    assert (await exchange.rest()).status == 400
    assert error_of(exchange) == "invalid_request"


async def test_a_slash_at_the_end_is_no_redirect(client: Client) -> None:
    for target in ("/mcp.json/", "/healthz/", f"{EVENTS}/?tool=echo"):
        assert (await client.open("GET", target).rest()).status == 200
    exchange = await client.post(f"{EVENTS}/", b'{"tool":"echo"}', ACCEPT_JSON).rest()
    assert json.loads(exchange.body)["data"] == "hello"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
@pytest.mark.parametrize("target", [f"{EVENTS}?tool=wait", RUNS, "/", "/mcp.json", "/nothing"])
async def test_head_and_options_start_nothing_and_have_no_body(
    client: Client, play: Play, method: str, target: str
) -> None:
    exchange = await client.open(method, target).rest()
    assert exchange.body == b"" or (method, target) == ("OPTIONS", "/nothing")
    assert (exchange.field("content-length") is None) == (exchange.status == 204 or target == f"{EVENTS}?tool=wait")
    assert play.calls == 0


async def test_repeated_fields_are_read_as_one(client: Client) -> None:
    stream, json_ = (b"accept", b"text/event-stream;q=0.5"), (b"accept", b"application/json")
    exchange = await client.post(EVENTS, b'{"tool":"echo"}', stream, json_).rest()
    assert exchange.field("content-type") == "application/json"
    exchange = await client.open("GET", f"{EVENTS}?tool=echo", [(b"origin", b"https://localhost")] * 2).rest()
    assert (exchange.status, error_of(exchange)) == (403, "origin_not_allowed")


# --- the body's bounds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False])
async def test_a_body_over_the_bound_is_413_at_once_guarded_and_varied(client: Client, told: bool) -> None:
    size = body.MAX_BODY_BYTES + 1
    length = [(b"content-length", str(size).encode())] if told else []
    exchange = client.post(EVENTS, None, *length)
    if not told:
        exchange.send(b"x" * size, more=True)
    await exchange.rest()
    assert (exchange.status, error_of(exchange)) == (413, "body_too_large")
    foreign = client.post(EVENTS, None, (b"content-length", b"9999999"), host=b"evil.example")
    assert (await foreign.rest()).status == 421


async def test_a_body_of_just_the_bound_is_read(client: Client) -> None:
    padding = b" " * (body.MAX_BODY_BYTES - 15)
    exchange = await client.post(EVENTS, b'{"tool":"echo"}' + padding, ACCEPT_JSON).rest()
    assert exchange.status == 200


async def test_a_body_that_does_not_come_is_408(play: Play, lane: bool) -> None:
    app = create_app(Settings(), play.tools(), lane=lane)
    assert app.config["BODY_TIMEOUT"] == body.BODY_SECONDS
    app.config["BODY_TIMEOUT"] = 0.05
    async with running(app) as client:
        exchange = client.post(EVENTS, None)
        exchange.send(b'{"tool":', more=True)
        await exchange.rest()
        assert (exchange.status, error_of(exchange)) == (408, "body_timeout")


@pytest.mark.parametrize("length", [b"-1", b"x", b"1e9", b"9" * 30, b""])
async def test_a_length_that_is_none_is_no_failure(client: Client, length: bytes) -> None:
    exchange = await client.post(EVENTS, b'{"tool":"echo"}', (b"content-length", length)).rest()
    assert exchange.status in {200, 413}


# --- leaving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [b"text/event-stream", b"application/json"])
async def test_leaving_runs_the_tools_finally(client: Client, play: Play, accept: bytes) -> None:
    exchange = client.post(EVENTS, WAIT, (b"accept", accept))
    await asyncio.wait_for(play.begun.wait(), SECONDS)
    exchange.disconnect()
    await play.over()
    await exchange.over()
    assert play.reasons == ["left"]


async def test_leaving_an_eventsource_runs_the_tools_finally(client: Client, play: Play) -> None:
    exchange = client.open("GET", f"{EVENTS}?tool=wait")
    await exchange.until(2)
    exchange.disconnect()
    await play.over()
    await exchange.over()


@pytest.mark.parametrize("method", ["disconnect", "cancel"])
async def test_a_body_that_nobody_iterated_ends_its_run_too(client: Client, play: Play, method: str) -> None:
    exchange = client.post(EVENTS, None)
    exchange.writable.clear()  # the head of the answer cannot be written: the body is never asked for
    exchange.send(WAIT)
    await asyncio.wait_for(play.begun.wait(), SECONDS)
    if method == "cancel":
        exchange.task.cancel()
        await asyncio.wait({exchange.task}, timeout=SECONDS)
        assert exchange.task.cancelled()
    else:
        exchange.disconnect()
        await exchange.over()
    await play.over()
    assert play.reasons == ["left"]
    metrics = (await client.open("GET", "/metrics").rest()).body.split(b"\n")
    assert b"mcp_app_streams_total 1" in metrics
    assert b"mcp_app_streams_open 0" in metrics


async def test_a_server_that_cancels_the_call_leaves_no_task(client: Client, play: Play) -> None:
    exchange = client.post(EVENTS, WAIT)
    await exchange.until(2)
    exchange.task.cancel()
    await asyncio.wait({exchange.task}, timeout=SECONDS)
    assert exchange.task.cancelled()
    await play.over()  # and the fixture no_task_left looks for the rest


async def test_leaving_before_the_body_has_come_starts_nothing(client: Client, play: Play) -> None:
    exchange = client.post(EVENTS, None)
    exchange.send(b'{"tool":"echo"', more=True)
    exchange.disconnect()
    await exchange.over()
    assert play.calls == 0


async def test_a_stream_stuck_in_a_write_is_given_up_after_its_own_cap(
    client: Client, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "BACKSTOP_SECONDS", 0.1)
    exchange = client.post(EVENTS, b'{"tool":"wait","cap_seconds":0.2}')
    await exchange.until(1)
    exchange.writable.clear()
    await play.over()
    await exchange.over()
    assert not exchange.complete, "the server resets it: it was not ended"


# --- draining and lifespan -------------------------------------------------------------------------------------------


async def test_the_end_of_serving_gives_each_stream_its_last_event(play: Play, lane: bool) -> None:
    app = create_app(Settings(), play.tools(), lane=lane)
    async with running(app) as client:
        exchange = client.post(EVENTS, WAIT)
        await exchange.until(2)
        await app.shutdown()
        assert (await exchange.rest()).wire.error["code"] == "shutdown"
        assert play.reasons == ["shutdown"]
        ready = await client.open("GET", "/readyz").rest()
        assert ready.status == 503
        await eventually(lambda: play.ended.is_set())
