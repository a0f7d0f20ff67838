"""The whole path on real sockets: a real Hypercorn, TLS, HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import asyncio
import json

import pytest
from live_server import LiveServer, serving
from web_clients import H2, PROTOCOLS, connected
from web_direct import EVENTS, RUNS
from web_play import SECONDS, Play

from mcp_app import Context, create_app, tool
from mcp_app.config.settings import Settings

JSON = {"content_type": "application/json"}
AS_JSON = {**JSON, "accept": "application/json"}
WAIT = b'{"tool":"wait"}'


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_heartbeats_the_cap_and_a_clean_end(server: LiveServer, play: Play, protocol: str) -> None:
    body = b'{"tool":"wait","heartbeat_seconds":0.2,"cap_seconds":1.1}'
    async with connected(server, protocol) as connection:
        reply = await connection.send("POST", EVENTS, body, **JSON)
        wire = await reply.rest()
        assert wire.kinds == ["started", "progress", "error"]
        assert wire.error["code"] == "time_cap"
        assert wire.heartbeats >= 3  # five were due; each is put off by what a busy machine is late
        await play.over()
        assert play.reasons == ["time_cap"]
        assert (await connection.ask("GET", "/healthz")).status == 200


async def test_an_idle_stream_is_two_tasks(server: LiveServer, play: Play, lane: bool) -> None:
    """The request's, which writes, and the tool's. Without the speed-ups one more listens, and Quart has three more."""
    async with connected(server, "h2") as connection:
        await (await connection.send("POST", EVENTS, WAIT, **JSON)).until(2)
        before = len(asyncio.all_tasks())
        for _ in range(10):
            await (await connection.send("POST", EVENTS, WAIT, **JSON)).until(2)
        most = 2 if lane else 5
        assert len(asyncio.all_tasks()) - before <= 10 * most


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_cap_as_json_is_504_with_the_progress_so_far(server: LiveServer, play: Play, protocol: str) -> None:
    async with connected(server, protocol) as connection:
        reply = await connection.ask("POST", EVENTS, b'{"tool":"wait","cap_seconds":0.3}', **AS_JSON)
        assert reply.status == 504
        value = json.loads(reply.body)
        assert value["error"]["code"] == "time_cap"
        assert value["progress"] == [{"type": "progress", "data": "here"}]
        await play.over()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_bytes_come_before_the_tools_first_word_and_each_event_as_it_happens(
    server: LiveServer, play: Play, protocol: str
) -> None:
    async with connected(server, protocol) as connection:
        reply = await connection.send("POST", EVENTS, b'{"tool":"walk"}', **JSON)
        assert (await reply.until(1)).kinds == ["started"]
        assert reply.body.startswith(b": open\nid: ")
        for step in (1, 2, 3):
            play.step()
            wire = await reply.until(1 + step)
            assert wire.messages[step]["metadata"] == {"progress": step, "total": 3}
        assert (await reply.rest()).kinds[-1] == "complete"


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_headers_are_these_and_no_hop_by_hop_ones_on_http_2(server: LiveServer, protocol: str) -> None:
    async with connected(server, protocol) as connection:
        reply = await connection.ask("POST", EVENTS, b'{"tool":"echo"}', **JSON)
        transport = {"transfer-encoding": "chunked"} if protocol == "http/1.1" else {}
        assert {name: value for name, value in reply.headers.items() if name not in {"date", "server"}} == {
            "content-type": "text/event-stream",
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
            "x-content-type-options": "nosniff",
            "vary": "Accept",
        } | transport


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_answers_without_a_body_leave_the_connection_usable(
    server: LiveServer, play: Play, protocol: str
) -> None:
    async with connected(server, protocol) as connection:
        etag = (await connection.ask("GET", "/mcp.json")).headers["etag"]
        for method, path, status, headers in (
            ("HEAD", f"{EVENTS}?tool=wait", 200, {}),
            ("HEAD", "/", 200, {}),
            ("HEAD", "/nothing", 404, {}),
            ("GET", "/mcp.json", 304, {"if_none_match": etag}),
            ("OPTIONS", EVENTS, 204, {}),
            ("GET", f"{EVENTS}?tool=wait", 204, {"last_event_id": f"{'0' * 32}/01"}),
            ("FOO", EVENTS, 405, {}),
            ("GET", "//x", 404, {}),
            ("GET", "/healthz", 200, {}),
        ):
            reply = await connection.ask(method, path, **headers)
            assert reply.status == status, (method, path)
            assert not reply.body or status in {404, 405} or path == "/healthz"
            assert "Accept" in reply.headers["vary"]
            if status == 204:
                assert "content-length" not in reply.headers
        assert play.calls == 0


@pytest.mark.parametrize("accept", ["text/event-stream", "application/json"])
@pytest.mark.parametrize(
    ("protocol", "how"),
    [("h2", "reset"), ("h2", "close"), ("h2", "abort"), ("http/1.1", "close"), ("http/1.1", "abort")],
)
async def test_leaving_stops_the_tool_at_once(
    server: LiveServer, play: Play, protocol: str, how: str, accept: str
) -> None:
    async with connected(server, protocol) as connection:
        reply = await connection.send("POST", EVENTS, WAIT, **JSON, accept=accept)
        await asyncio.wait_for(play.begun.wait(), SECONDS)
        if how == "reset":
            await reply.leave()
        elif how == "close":
            await connection.close()
        else:
            connection.abort()
        await play.over()
        assert play.reasons == ["left"]
        if how == "reset":
            assert (await connection.ask("GET", "/healthz")).status == 200


async def test_one_stream_of_a_connection_leaves_and_the_others_stay(server: LiveServer, play: Play) -> None:
    async with connected(server, "h2") as connection:
        walk = await connection.send("POST", EVENTS, b'{"tool":"walk"}', **JSON)
        await walk.until(1)
        for _ in range(20):
            wait = await connection.send("POST", EVENTS, WAIT, **JSON)
            await wait.leave()
        play.step(3)
        assert (await walk.rest()).kinds == ["started", "progress", "progress", "progress", "complete"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_eventsource_comes_back_on_a_new_connection(protocol: str, lane: bool) -> None:
    play = Play()
    async with serving(create_app(Settings(), play.tools(), lane=lane)) as server:
        target = f"{EVENTS}?tool=walk&run={'k' * 20}"
        async with connected(server, protocol) as connection:
            reply = await connection.send("GET", target, accept="text/event-stream")
            play.step()
            first = (await reply.until(2)).ids
            connection.abort()
        play.step(2)
        async with connected(server, protocol) as connection:
            wire = await (await connection.send("GET", target, last_event_id=first[-1])).rest()
            assert [each.partition("/")[2] for each in first + wire.ids] == ["1", "2", "3", "4", "05"]
            assert (await connection.ask("GET", target, last_event_id=wire.ids[-1])).status == 204
        assert play.calls == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_follower_of_a_detached_run_is_sent_away_at_the_cap_with_a_clean_end(
    server: LiveServer, play: Play, protocol: str
) -> None:
    async with connected(server, protocol) as connection:
        run = json.loads((await connection.ask("POST", RUNS, WAIT, **JSON)).body)
        reply = await connection.ask("GET", f"{run['events_url']}?cap_seconds=0.3")
        assert reply.wire.kinds == ["started", "progress"]
        assert reply.body.endswith(b": cap\n")
        assert not play.ended.is_set()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_that_stops_gives_each_stream_its_last_event_and_a_clean_end(protocol: str, lane: bool) -> None:
    cleaning, cleaned = asyncio.Event(), asyncio.Event()
    play = Play()

    @tool(read_only=True)
    async def tidy(ctx: Context) -> None:
        """Take a while to clean up."""
        try:
            await ctx.partial("here")
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await cleaned.wait()

    async with serving(create_app(Settings(), [*play.tools(), tidy], lane=lane)) as server:
        async with connected(server, protocol) as connection, connected(server, protocol) as other:
            reply = await connection.send("POST", EVENTS, b'{"tool":"tidy"}', **JSON)
            await reply.until(2)
            assert (await other.ask("GET", "/readyz")).status == 200
            asking = await other.send("POST", EVENTS, WAIT, **AS_JSON)
            await asyncio.wait_for(play.begun.wait(), SECONDS)
            server.stop.set()
            wire = await reply.rest()
            assert wire.error["code"] == "shutdown"
            await asking.rest()
            assert asking.status == 503
            assert json.loads(asking.body)["error"]["code"] == "shutdown"
            await asyncio.wait_for(cleaning.wait(), SECONDS)
            cleaned.set()
        assert server.task is not None
        await asyncio.wait_for(asyncio.shield(server.task), SECONDS)


async def test_while_it_drains_it_is_not_ready_and_takes_no_run(server: LiveServer, play: Play) -> None:
    async with connected(server, "h2") as connection:
        assert isinstance(connection, H2)
        # Hypercorn takes no new request once it stops: these were begun before, and their bodies end after.
        ready = await connection.open("GET", "/readyz")
        start = await connection.open("POST", EVENTS, **JSON)
        await (await connection.send("POST", EVENTS, WAIT, **JSON)).until(1)
        server.stop.set()
        await play.over()
        await connection.finish(ready, b" ")
        await ready.rest()
        assert (ready.status, json.loads(ready.body)) == (503, {"status": "draining"})
        await connection.finish(start, b'{"tool":"echo"}')
        await start.rest()
        assert (start.status, json.loads(start.body)["error"]["code"]) == (503, "draining")
        assert int(start.headers["retry-after"]) > 0


@pytest.mark.parametrize("told", [True, False])
async def test_a_body_over_the_bound_is_413_and_another_stream_lives_on(
    server: LiveServer, play: Play, told: bool
) -> None:
    async with connected(server, "h2") as connection:
        walk = await connection.send("POST", EVENTS, b'{"tool":"walk"}', **JSON)
        await walk.until(1)
        assert isinstance(connection, H2)
        size = 1024 * 1024 + 1
        big = await connection.open("POST", EVENTS, **JSON, **({"content_length": str(size)} if told else {}))
        if not told:
            await connection.finish(big, b"x" * size)
        await big.rest()
        assert big.status == 413
        assert json.loads(big.body)["error"]["code"] == "body_too_large"
        play.step(3)
        assert (await walk.rest()).kinds[-1] == "complete"


async def test_a_body_over_the_bound_is_413_on_http_1_1_too(server: LiveServer) -> None:
    async with connected(server, "http/1.1") as connection:
        reply = await connection.ask("POST", EVENTS, b"x" * (1024 * 1024 + 1), **JSON)
        assert reply.status == 413
        assert reply.headers["vary"] == "Accept"


async def test_a_websocket_is_refused_with_the_error_object(server: LiveServer, play: Play) -> None:
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec_WebSocket_Version": "13",
    }
    async with connected(server, "http/1.1") as connection:
        reply = await connection.ask("GET", f"{EVENTS}?tool=echo", **handshake)
        assert reply.status == 400
        assert reply.headers["content-type"] == "application/json"
        assert "WebSocket" in json.loads(reply.body)["error"]["message"]
    assert play.calls == 0


async def test_http_1_0_gets_the_whole_stream_and_the_close_as_its_end(server: LiveServer) -> None:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    head = f"POST {EVENTS} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n"
    writer.write(head.encode() + b'{"tool":"echo"}')
    answer = await asyncio.wait_for(reader.read(-1), SECONDS)
    writer.close()
    assert b"chunked" not in answer
    assert b'{"type":"complete","data":"hello"' in answer
