"""In FastAPI and Starlette: below every prefix, under their middleware, with and without a lifespan."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request, Response
from hypercorn.middleware import DispatcherMiddleware
from own_tools import who
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route
from web_asgi import Client
from web_mounted import STREAM, Caller, error_of, stopped_after
from web_play import Play

from mcp_app import Settings, asgi_app, create_app

EVENTS = "/api/v1/mcp/sse"
RUNS = "/api/v1/mcp/runs"

Next = Callable[[Request], Awaitable[Response]]


class Proxied:
    """What a server with a root path says of a request."""

    def __init__(self, app: Any, root_path: str) -> None:
        self.app, self.root_path = app, root_path

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self.app(scope | {"root_path": self.root_path}, receive, send)


def fast(tools: Any, path: str, **more: Any) -> FastAPI:
    app = FastAPI(**more)
    app.mount(path, tools)
    return app


def plain(tools: Any, path: str) -> Starlette:
    return Starlette(routes=[Mount(path, tools)])


async def addresses(app: Any, prefix: str) -> tuple[str, str, str]:
    """Location of a run, the messages address of a session, and the MCP address in the manifest."""
    caller = Caller(app, prefix=prefix)
    run = await caller.ask("POST", RUNS, body={"tool": "echo"})
    assert run.status == 202, run.body
    stream = caller.open("GET", "/mcp", STREAM)
    [first, *_] = (await stream.until(1)).events
    stream.disconnect()
    await stream.over()
    manifest = json.loads((await caller.ask("GET", "/mcp.json")).body)
    return run.field("location") or "", str(first.data), manifest["remotes"][0]["url"]


@pytest.mark.parametrize(
    ("host", "asked", "given_out"),
    [
        (lambda tools: fast(tools, "/tools"), "/tools", "/tools"),
        (lambda tools: plain(tools, "/tools"), "/tools", "/tools"),
        (lambda tools: fast(tools, "/tools/"), "/tools", "/tools"),
        (lambda tools: plain(plain(tools, "/b"), "/a"), "/a/b", "/a/b"),
        (lambda tools: fast(fast(tools, "/b"), "/a"), "/a/b", "/a/b"),
        (lambda tools: plain(tools, "/{tenant}/tools"), "/ann/tools", "/ann/tools"),
        (lambda tools: plain(tools, ""), "", ""),
        (lambda tools: DispatcherMiddleware({"/tools": tools}), "/tools", "/tools"),
        # uvicorn --root-path /api: the path has it
        (lambda tools: Proxied(fast(tools, "/tools"), "/api"), "/api/tools", "/api/tools"),
        (lambda tools: Proxied(plain(tools, "/tools"), "/api"), "/api/tools", "/api/tools"),
        # FastAPI(root_path="/api"): a proxy has taken it off the path
        (lambda tools: fast(tools, "/tools", root_path="/api"), "/tools", "/api/tools"),
    ],
)
@pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")
async def test_every_address_has_the_prefix(play: Play, host: Callable[[Any], Any], asked: str, given_out: str) -> None:
    async with stopped_after(asgi_app(*play.tools())) as tools:
        location, messages, manifest = await addresses(host(tools), asked)
    assert location.startswith(f"{given_out}{RUNS}/")
    assert messages.startswith(f"{given_out}/mcp/messages?session=")
    assert manifest == f"https://127.0.0.1:8443{given_out}/mcp"


async def test_without_the_slash_the_page_is_not_there_but_a_redirect(play: Play) -> None:
    """The page's links are relative."""
    async with stopped_after(asgi_app(*play.tools())) as tools:
        client = Client(fast(tools, "/tools"))
        assert (await client.open("GET", "/tools").rest()).status == 307
        assert b"<!doctype html>" in (await client.open("GET", "/tools/").rest()).body


async def test_the_host_answers_what_is_its_own_and_we_what_is_ours(play: Play) -> None:
    async with stopped_after(asgi_app(*play.tools())) as tools:
        app = fast(tools, "/tools")

        @app.exception_handler(404)
        async def not_found(request: Request, error: HTTPException) -> Response:
            return PlainTextResponse("the host's", status_code=404)

        @app.get("/mcp.json")
        async def own() -> str:
            return "the host's"

        client = Client(app)
        assert (await client.open("GET", "/mcp.json").rest()).body == b'"the host\'s"'
        assert (await client.open("GET", "/nothing").rest()).body == b"the host's"
        assert (await client.open("GET", "/toolsmith").rest()).body == b"the host's"
        ours = await client.open("GET", "/tools/nothing").rest()
        assert (ours.status, error_of(ours)["code"]) == (404, "not_found")


class Header(AuthenticationBackend):
    async def authenticate(self, connection: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = connection.headers.get("x-user")
        return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None


def user_of(scope: dict[str, Any]) -> str | None:
    name: str = scope["user"].display_name
    return name or None


async def test_starlettes_own_sign_in_says_who_calls() -> None:
    async with stopped_after(asgi_app(who, principal=user_of)) as tools:
        app = Starlette(
            routes=[Mount("/tools", tools)], middleware=[Middleware(AuthenticationMiddleware, backend=Header())]
        )
        assert (await Caller(app, "ann").ask("POST", EVENTS, body={"tool": "who"})).wire.last["data"] == "ann"
        assert (await Caller(app).ask("POST", EVENTS, body={"tool": "who"})).status == 401


async def test_what_the_hosts_middleware_found_out_is_in_the_scope() -> None:
    async with stopped_after(asgi_app(who, principal=lambda scope: scope["state"].get("user"))) as tools:
        app = fast(tools, "/tools")

        @app.middleware("http")
        async def sign_in(request: Request, call_next: Next) -> Response:
            request.state.user = request.headers.get("x-user")
            return await call_next(request)

        assert (await Caller(app, "ann").ask("POST", EVENTS, body={"tool": "who"})).wire.last["data"] == "ann"
        assert (await Caller(app).ask("POST", EVENTS, body={"tool": "who"})).status == 401


@pytest.mark.parametrize("tells", [False, True], ids=["another server", "our own server"])
async def test_under_a_middleware_that_wraps_the_answer_events_come_at_once_and_leaving_is_noticed(
    play: Play, tells: bool
) -> None:
    async with stopped_after(asgi_app(*play.tools())) as tools:
        app = fast(tools, "/tools")
        app.add_middleware(GZipMiddleware, minimum_size=1)

        @app.middleware("http")
        async def timing(request: Request, call_next: Next) -> Response:
            response = await call_next(request)
            response.headers["x-timing"] = "0"
            return response

        client = Client(app, tells=tells)
        exchange = client.post("/tools" + EVENTS, b'{"tool":"walk"}')
        play.step()
        wire = await exchange.until(2)
        assert wire.kinds == ["started", "progress"]
        assert exchange.field("x-timing") == "0"
        assert exchange.field("content-encoding") is None
        exchange.disconnect()
        await play.over()
        await exchange.over()
        assert play.reasons == ["left"]


@pytest.mark.parametrize("tells", [False, True], ids=["another server", "our own server"])
async def test_a_middleware_that_reads_or_changes_the_body_is_heard(play: Play, tells: bool) -> None:
    async with stopped_after(asgi_app(*play.tools())) as tools:
        inner = fast(tools, "/tools")
        read = []

        @inner.middleware("http")
        async def reading(request: Request, call_next: Next) -> Response:
            read.append(await request.body())
            return await call_next(request)

        async def changing(scope: dict[str, Any], receive: Any, send: Any) -> None:
            async def changed() -> Any:
                message = await receive()
                if message["type"] == "http.request":
                    message = message | {"body": message["body"].replace(b"ann", b"bob")}
                return message

            await inner(scope, changed, send)

        exchange = (
            await Client(changing, tells=tells)
            .post("/tools" + EVENTS, b'{"tool":"echo","params":{"text":"ann"}}')
            .rest()
        )
        assert exchange.wire.last["data"] == "bob"
        assert read == [b'{"tool":"echo","params":{"text":"bob"}}']


async def test_a_websocket_is_refused(play: Play) -> None:
    async with stopped_after(asgi_app(*play.tools())) as tools:
        scope = Client.scope("GET", "/tools/mcp") | {"type": "websocket", "extensions": {"websocket.http.response": {}}}
        sent: list[dict[str, Any]] = []

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await fast(tools, "/tools")(scope, receive, send)
        assert sent[0]["status"] == 400


# --- a lifespan ------------------------------------------------------------------------------------------------------


def lifespan_of(app: Any, state: dict[str, Any] | None = None) -> tuple[Any, asyncio.Queue[str], list[dict[str, Any]]]:
    """The application's lifespan as its server calls it: the call, what is said to it, and what it says."""
    said: asyncio.Queue[str] = asyncio.Queue()
    answers: list[dict[str, Any]] = []

    async def receive() -> Any:
        return {"type": f"lifespan.{await said.get()}"}

    async def send(message: Any) -> None:
        answers.append(message)

    return app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, receive, send), said, answers


@pytest.mark.parametrize(
    "host",
    [
        lambda tools: FastAPI(lifespan=tools.lifespan, routes=[Mount("/tools", tools)]),
        lambda tools: Starlette(lifespan=tools.lifespan, routes=[Mount("/tools", tools)]),
        lambda tools: tools,
    ],
    ids=["FastAPI", "Starlette", "served by itself"],
)
async def test_in_the_hosts_lifespan_streams_end_with_their_last_event(play: Play, host: Any) -> None:
    tools = asgi_app(*play.tools())
    app = host(tools)
    call, said, answers = lifespan_of(app)
    life = asyncio.create_task(call)
    said.put_nowait("startup")
    async with asyncio.timeout(10):
        while not answers:  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert answers == [{"type": "lifespan.startup.complete"}]
    exchange = Client(app).post(("" if app is tools else "/tools") + EVENTS, b'{"tool":"wait"}')
    await exchange.until(2)
    said.put_nowait("shutdown")
    await asyncio.wait_for(life, 10)
    assert answers[1:] == [{"type": "lifespan.shutdown.complete"}]
    assert (await exchange.rest()).wire.error["code"] == "shutdown"
    refused = await Client(tools).post(EVENTS, b'{"tool":"echo"}').rest()
    assert (refused.status, error_of(refused)["code"]) == (503, "draining")


async def test_a_start_that_fails_fails_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(self: Any) -> None:
        raise OSError("no database")

    monkeypatch.setattr("mcp_app.life.Life.start", failing)
    call, said, answers = lifespan_of(asgi_app(who))
    said.put_nowait("startup")
    await asyncio.wait_for(call, 10)
    assert answers == [{"type": "lifespan.startup.failed", "message": "OSError: no database"}]


# --- other hosts of ASGI ---------------------------------------------------------------------------------------------


def test_a_test_client_needs_no_lifespan(play: Play) -> None:
    """Each of its requests has an event loop of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather have httpx2
        from starlette.testclient import TestClient
    app = fast(asgi_app(*play.tools()), "/tools")
    client = TestClient(app, base_url="http://localhost")
    for text in ("one", "two"):
        answer = client.post(f"/tools{EVENTS}", json={"tool": "echo", "params": {"text": text}})
        assert f'"data":"{text}"' in answer.text
    with client:  # the host's lifespan, which does not reach us: one loop
        assert client.get("/tools/readyz").json() == {"status": "ready"}
        assert client.get("/tools/readyz").json() == {"status": "ready"}


async def test_an_application_of_create_app_can_be_mounted_as_well(play: Play, lane: bool) -> None:
    """It starts by itself; what its owner added to it is run by Quart alone."""
    tools = create_app(Settings(), play.tools(), lane=lane)

    async def own(request: Request) -> Response:
        return JSONResponse({"own": True})

    app = Starlette(routes=[Route("/own", own), Mount("/tools", tools)])
    location, messages, manifest = await addresses(app, "/tools")
    assert location.startswith(f"/tools{RUNS}/")
    assert messages.startswith("/tools/mcp/messages?session=")
    assert manifest == "https://127.0.0.1:8443/tools/mcp"
    assert json.loads((await Client(app).open("GET", "/own").rest()).body) == {"own": True}
    [keeper] = [task for task in asyncio.all_tasks() if task.get_name() == "mcp_app"]
    keeper.cancel()  # as the end of the loop does
    await asyncio.wait({keeper}, timeout=10)
