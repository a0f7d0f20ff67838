"""The lane: the same bytes as by Quart, also by itself, and nothing left behind.

What it refuses is in test_lane_hooks.py.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from mcp_messages import INITIALIZE, META
from web_asgi import Client, Exchange, TellingQueue, running
from web_deaf import Deaf
from web_direct import EVENTS, RUNS
from web_play import SECONDS, Play, eventually

from mcp_app import create_app
from mcp_app.aio import cancelling as ending
from mcp_app.config.settings import Settings
from mcp_app.protocol.errors import McpAppError
from mcp_app.server.engine.waiting import QUEUE_KEY
from mcp_app.web.asgi import leaving
from mcp_app.web.asgi.application import Lane, Limits
from mcp_app.web.messages import Answer, Request
from mcp_app.web.quart.lane import LaneApplication

JSON = (b"accept", b"application/json")
STREAM = (b"accept", b"text/event-stream")
BOTH = (b"accept", b"application/json, text/event-stream")
MODERN = (
    BOTH,
    (b"mcp-protocol-version", b"2026-07-28"),
    (b"mcp-method", b"tools/call"),
    (b"mcp-name", b"echo"),
)


def modern(tool: str = "echo", **arguments: Any) -> bytes:
    params = {"name": tool, "arguments": arguments, "_meta": META}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


Asked = tuple[str, str, tuple[tuple[bytes, bytes], ...], bytes]

ORIGIN = (b"origin", b"https://app.example")
TOO_LONG = (b"content-length", b"1048577")
TYPE = (b"content-type", b"application/json")

ASKED: tuple[Asked, ...] = (
    *(
        (method, path, (), b"")
        for method in ("GET", "HEAD", "OPTIONS", "DELETE", "FOO", "get")
        for path in ("/", "/mcp")
    ),
    *(("GET", path, (), b"") for path in ("/mcp.json", "/healthz", "/readyz/", "/.well-known/mcp.json", "/nothing")),
    *(("GET", path, (), b"") for path in ("", "*", "//x", "//mcp", "http://[", "http://localhost/healthz", "/a\x00b")),
    *(("GET", path, (), b"") for path in ("/\U0001f600", "/mcp/../mcp", "/mcp?x=\udcff", "/mcp;x", f"{RUNS}/x%2Fy")),
    ("GET", "/mcp.json", ((b"if-none-match", b"*"),), b""),
    ("GET", "/healthz", ((b"origin", b"https://evil.example"),), b""),
    ("GET", "/mcp.json", ((b"origin", b"https://evil.example"),), b""),
    (
        "OPTIONS",
        "/mcp",
        ((b"origin", b"https://app.example"), (b"access-control-request-headers", b"mcp-param-x")),
        b"",
    ),
    ("POST", "/mcp", (TYPE, ORIGIN, *MODERN), modern(text="x")),
    ("POST", "/mcp", (TYPE, *MODERN), modern(text="x")),
    ("POST", "/mcp/", (TYPE, *MODERN), modern(text="\u2028\u00e9")),
    ("POST", "/mcp", (TYPE, *MODERN[1:], STREAM), modern(text="x")),
    ("POST", "/mcp", (TYPE, *MODERN[1:], JSON), modern(number=1)),
    ("POST", "/mcp", (TYPE, BOTH), modern()),
    ("POST", "/mcp", (TYPE, BOTH), b"{"),
    ("POST", "/mcp", (TYPE, BOTH), b""),
    ("POST", "/mcp", (), modern()),
    ("POST", "/mcp", (TYPE, BOTH), json.dumps(INITIALIZE).encode()),
    ("POST", EVENTS, (TYPE, JSON), b'{"tool":"echo"}'),
    ("POST", EVENTS, (TYPE, STREAM), b'{"tool":"count","params":{"upto":20}}'),
    ("POST", EVENTS, (TYPE, STREAM), b'{"tool":"fails"}'),
    ("POST", EVENTS, (TYPE, JSON), b'{"tool":"refuses"}'),
    ("POST", EVENTS, (TYPE, STREAM), b'{"tool":"brief"}'),
    ("POST", EVENTS, (TYPE, (b"accept", b"text/html")), b'{"tool":"echo"}'),
    ("POST", EVENTS, (TYPE, (b"accept", b"text/event-stream;q=0.5"), JSON), b'{"tool":"echo"}'),
    ("POST", EVENTS, (TYPE, TOO_LONG), b""),
    ("POST", EVENTS, (TYPE, (b"content-length", b"-1")), b'{"tool":"echo"}'),
    (
        "POST",
        EVENTS,
        (TYPE, (b"content-length", b"99999999999"), (b"transfer-encoding", b"chunked")),
        b'{"tool":"echo"}',
    ),
    ("POST", EVENTS, (TYPE,), b" " * 1048577),
    ("GET", f"{EVENTS}?tool=echo&text=a%20b", (STREAM,), b""),
    ("HEAD", f"{EVENTS}?tool=echo", (STREAM,), b""),
    ("GET", f"{EVENTS}?tool=echo", (STREAM, (b"last-event-id", b"0123456789abcdef0123456789abcdef/1")), b""),
    *(
        (method, path, (TYPE, STREAM, (b"last-event-id", last)), b'{"tool":"echo"}')
        for method, path in (("GET", f"{EVENTS}?tool=echo"), ("POST", EVENTS), ("POST", RUNS), ("HEAD", EVENTS))
        for last in (b"0123456789abcdef0123456789abcdef/1", b"0123456789abcdef0123456789abcdef/01", b"x", b"")
    ),
    ("POST", RUNS, (TYPE,), b'{"tool":"echo"}'),
)

_OF_ONE_CALL = re.compile(rb"[0-9a-f]{32}|\"duration_ms\":[0-9]+|error_id\W+[0-9a-f]{16}|\"created\":\"[^\"]+\"")


async def told(client: Client, asked: Asked, version: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """All that the server is told to send, but for what each call has of its own."""
    method, target, headers, body = asked
    exchange = await client.open(method, target, headers, body=body, version=version).rest()
    own = {"location", "mcp-session-id"}
    if exchange.body and exchange.field("content-length") is not None:
        assert exchange.field("content-length") == str(len(exchange.body))
        own.add("content-length")  # a millisecond more has a digit more
    same = [(name, "-" if name in own else value) for name, value in exchange.headers]
    return exchange.status, same, _OF_ONE_CALL.sub(b"-", exchange.body)


@pytest.fixture(params=[True, False], ids=["told", "listening"])
def tells(request: pytest.FixtureRequest) -> bool:
    """Whether the server tells that the client has left, or somebody has to listen for it."""
    return bool(request.param)


@pytest.fixture
async def both(play: Play, tells: bool) -> AsyncIterator[tuple[Client, Client]]:
    """One server whose requests go by the lane, and one whose requests go Quart's way."""
    settings = {"allowed_origins": ("https://app.example",), "linger_seconds": 0}
    async with (
        running(create_app(Settings(**settings), play.tools()), tells=tells) as lane,
        running(create_app(Settings(**settings), play.tools(), lane=False)) as quart,
    ):
        yield lane, quart


@pytest.mark.parametrize("version", ["1.0", "1.1", "2"])
async def test_both_ways_say_the_same(
    both: tuple[Client, Client], version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    answer = Lane.answer

    async def counted(self: Lane, scope: Any, path: str, *args: Any) -> None:
        taken.append(scope["path"])
        await answer(self, scope, path, *args)

    monkeypatch.setattr(Lane, "answer", counted)
    lane, quart = both
    for asked in ASKED:
        expected = await told(quart, asked, version)
        assert await told(lane, asked, version) == expected, asked[:3]
    others = {"", "*", "//x", "//mcp", "http://[", "/nothing", "/a\x00b", "/\U0001f600", "/mcp/../mcp", "/mcp;x"}
    assert taken == [path for _, target, _, _ in ASKED if (path := target.partition("?")[0]) not in others]


@pytest.mark.parametrize("version", ["1.0", "1.1", "2"])
async def test_by_itself_it_says_the_same_at_every_path(play: Play, tells: bool, version: str) -> None:
    settings = Settings(allowed_origins=("https://app.example",), linger_seconds=0)
    app = create_app(settings, play.tools())
    assert isinstance(app, LaneApplication)
    async with running(app), running(create_app(settings, play.tools(), lane=False)) as quart:
        lane = Client(app.lane, tells=tells)
        for asked in ASKED:
            assert await told(lane, asked, version) == await told(quart, asked, version), asked[:3]


async def test_by_itself_it_is_an_asgi_application_of_any_function() -> None:
    async def respond(request: Request, unread: McpAppError | None) -> Answer:
        return Answer(200, (("X-Unread", str(unread)),), f"{request.method} {request.path} {request.body!r}".encode())

    client = Client(Lane(respond, Limits(body_bytes=5)))
    exchange = await client.post("http://h/x", b"12345").rest()
    assert (exchange.status, exchange.body) == (200, b"POST /x b'12345'")
    exchange = await client.post("/x", b"123456").rest()
    assert (exchange.field("x-unread") or "").startswith("The body is larger")
    below = client.scope("GET", "/below/x") | {"root_path": "/below"}
    assert (await Exchange(client._app, below).answered()).body == b"GET /x b''"
    with pytest.raises(ValueError, match="lifespan"):
        await Lane(respond)({"type": "lifespan"}, no_message, no_message)  # type: ignore[arg-type]


async def no_message(*_: Any) -> Any:
    raise AssertionError("nothing is received or sent")


@pytest.mark.parametrize(("prefix", "status"), [("/below", 200), ("", 404), ("/other", 404), ("/belowhealthz", 404)])
async def test_below_a_root_path_both_ways_find_the_same(both: tuple[Client, Client], prefix: str, status: int) -> None:
    for client in both:
        scope = client.scope("GET", f"{prefix}/healthz") | {"root_path": "/below"}
        assert (await Exchange(client._app, scope).answered()).status == status


async def test_a_body_in_pieces_is_the_same_body(both: tuple[Client, Client]) -> None:
    answers = []
    for client in both:
        exchange = client.post(EVENTS, None, JSON)
        for piece in (b'{"to', b"", b'ol":"ec'):
            exchange.send(piece, more=True)
        exchange.send(b'ho"}')
        answers.append((await exchange.rest()).body)
    assert _OF_ONE_CALL.sub(b"-", answers[0]) == _OF_ONE_CALL.sub(b"-", answers[1])
    assert json.loads(answers[0])["data"] == "hello"


# --- leaving ---------------------------------------------------------------------------------------------------------


Deafened = Callable[[int], Awaitable[tuple[Deaf, Exchange]]]


@pytest.fixture
def deafened(tells: bool, monkeypatch: pytest.MonkeyPatch) -> Deafened:
    """An exchange by the lane whose answer is deaf."""
    monkeypatch.setattr(ending, "CANCEL_SECONDS", 0.01)
    monkeypatch.setattr(leaving, "LISTEN_AFTER_SECONDS", 0.001)

    async def one(times: int) -> tuple[Deaf, Exchange]:
        deaf = Deaf(times)
        exchange = Client(Lane(deaf), tells=tells).open("GET", "/healthz")  # type: ignore[arg-type]
        await asyncio.wait_for(deaf.begun.wait(), SECONDS)
        return deaf, exchange

    return one


async def test_a_cancellation_that_is_lost_is_repeated(deafened: Deafened) -> None:
    deaf, exchange = await deafened(3)
    exchange.disconnect()
    await exchange.over()
    assert deaf.cancelled == 4
    assert not exchange.task.cancelled(), "a client that left is no failure of the server's call"


async def test_the_servers_own_cancellation_is_passed_on(deafened: Deafened) -> None:
    deaf, exchange = await deafened(0)
    exchange.task.cancel()
    await asyncio.wait({exchange.task}, timeout=SECONDS)
    assert exchange.task.cancelled()
    assert deaf.cancelled == 1


async def test_both_cancellations_at_once_are_the_servers(deafened: Deafened) -> None:
    deaf, exchange = await deafened(1)
    exchange.disconnect()
    await eventually(lambda: deaf.cancelled == 1)
    exchange.task.cancel()
    await asyncio.wait({exchange.task}, timeout=SECONDS)
    assert exchange.task.cancelled()


async def test_an_answer_that_cannot_be_cancelled_is_logged(
    deafened: Deafened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ending, "CANCEL_TRIES", 3)
    deaf, exchange = await deafened(1000)
    exchange.disconnect()
    await eventually(lambda: "does not end" in caplog.text)
    assert deaf.cancelled == 3
    deaf.over.set()
    await asyncio.wait({exchange.task}, timeout=SECONDS)


async def test_an_answer_that_nobody_takes_is_given_up(play: Play, tells: bool) -> None:
    app = create_app(Settings(), play.tools())
    app.config["RESPONSE_TIMEOUT"] = 0.05
    async with running(app, tells=tells) as client:
        exchange = client.open("GET", "/healthz", body=None)
        exchange.writable.clear()
        exchange.send()
        await exchange.over()
        assert exchange.status == 0


async def test_where_the_server_tells_nobody_listens(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "LISTEN_AFTER_SECONDS", 0)
    app = create_app(Settings(linger_seconds=0), play.tools())
    async with running(app, tells=True) as client:
        exchange = client.post(EVENTS, b'{"tool":"wait"}', STREAM)
        await exchange.until(2)
        for _ in range(5):  # in which a listener would have come
            await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if "CancelScope._listen" in repr(task.get_coro())]
        exchange.disconnect()
        await exchange.over()
        await play.over()


async def test_a_body_too_large_is_taken_to_its_end_while_the_answer_is_written(play: Play, tells: bool) -> None:
    app = create_app(Settings(), play.tools())
    async with running(app, tells=tells) as client:
        exchange = client.post(EVENTS, None, JSON, (b"content-length", b"1048577"))
        exchange.writable.clear()
        for _ in range(20):
            exchange.send(b"x" * 1000, more=True)
        await eventually(lambda: exchange._incoming.empty())
        exchange.writable.set()
        await exchange.rest()
        assert exchange.status == 413


async def test_a_server_that_fails_to_receive_is_heard(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "LISTEN_AFTER_SECONDS", 0.001)
    app = create_app(Settings(linger_seconds=0), play.tools())
    messages = [{"type": "http.request", "body": b'{"tool":"wait"}', "more_body": False}]

    async def receive() -> Any:
        if messages:
            return messages.pop()
        raise LookupError("here")

    async def send(_: Any) -> None:
        """Nothing is looked at."""

    async with running(app) as client:
        scope = client.scope("POST", EVENTS, (TYPE, STREAM))
        with pytest.raises(LookupError, match="here"):
            await asyncio.wait_for(app(scope, receive, send), SECONDS)  # type: ignore[arg-type]
        await play.over()


async def test_a_write_that_finds_the_client_gone_ends_the_request(play: Play) -> None:
    """A flood would go on for ever, into a connection that takes everything as it is lost."""
    app = create_app(Settings(linger_seconds=0), play.tools())
    queue = TellingQueue()
    queue.put_nowait({"type": "http.request", "body": b'{"tool":"wait"}', "more_body": False})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            for callback in queue.told:
                callback()

    async with running(app) as client:
        scope = client.scope("POST", EVENTS, (TYPE, STREAM)) | {"extensions": {QUEUE_KEY: queue}}
        await asyncio.wait_for(app(scope, queue.get, send), SECONDS)  # type: ignore[arg-type]
        await play.over()


async def test_the_end_of_a_stream_is_said_with_its_last_bytes(play: Play) -> None:
    async with running(create_app(Settings(), play.tools())) as client:
        exchange = client.open("POST", EVENTS, (TYPE, STREAM), body=b'{"tool":"count","params":{"upto":3}}')
        last = b""
        while not exchange.complete:
            last = await exchange.receive()
        assert b'"type":"complete"' in last
        await exchange.over()


async def test_a_tool_that_is_done_at_once_is_one_write(play: Play) -> None:
    """With a turn of its own for what came first, a short stream would cost a tenth more."""
    async with running(create_app(Settings(), play.tools())) as client:
        exchange = client.open("POST", EVENTS, (TYPE, STREAM), body=b'{"tool":"echo"}')
        assert await exchange.receive() == b""
        whole = await exchange.receive()
        assert whole.startswith(b": open\nid: ")
        assert exchange.wire.kinds == ["started", "complete"]
        assert exchange.complete
        await exchange.over()
