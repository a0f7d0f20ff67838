"""An application that takes the lane refuses what Quart would have run for our paths; without the lane it is run.

That both ways say the same is seen in test_lane.py.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypercorn.utils import is_asgi
from quart import Blueprint, Quart, Response, current_app, request, signals, websocket
from quart.sessions import SecureCookieSessionInterface
from quart.testing.app import LifespanError
from web_asgi import Client, running
from web_play import SECONDS, Play
from werkzeug.routing import Rule

from mcp_app import Settings, create_app, tool

EVENTS = "/api/v1/mcp/sse"
RUNS = "/api/v1/mcp/runs"


async def view(*_: Any, **__: Any) -> str:
    return "theirs"


async def nothing(*_: Any, **__: Any) -> None:
    """What a hook does here."""


def values(*_: Any) -> None:
    """What a URL processor does here."""


_numbers = itertools.count()


def with_a_hook_for_all() -> Blueprint:
    """A blueprint that wants to be asked before every request, also those of others."""
    theirs = Blueprint(f"theirs_{next(_numbers)}", __name__)
    theirs.before_app_request(nothing)
    return theirs


def in_a_list(app: Quart) -> None:
    hooks = app.after_request_funcs.setdefault(None, [])
    hooks += [nothing]


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "before_request": (lambda app: app.before_request(nothing), "a function before each request: <function nothing"),
    "after_request": (lambda app: app.after_request(nothing), "a function after each request: <function nothing"),
    "teardown_request": (lambda app: app.teardown_request(nothing), "a function at the end of each request"),
    "teardown_appcontext": (lambda app: app.teardown_appcontext(nothing), "at the end of each application context"),
    "url_value_preprocessor": (lambda app: app.url_value_preprocessor(values), "a URL processor: <function values"),
    "errorhandler by code": (lambda app: app.errorhandler(500)(nothing), "an error handler: <function nothing"),
    "errorhandler by class": (lambda app: app.errorhandler(KeyError)(nothing), "an error handler"),
    "error handlers": (lambda app: app.error_handler_spec[None][404].update({KeyError: nothing}), "an error handler"),
    "a hook of our blueprint": (
        lambda app: app.before_request_funcs["mcp_app"].insert(0, nothing),
        "a function before each request",
    ),
    "a hook in a list": (in_a_list, "a function after each request"),
    "a blueprint's hook for all": (
        lambda app: app.register_blueprint(with_a_hook_for_all()),
        "a function before each request",
    ),
    "a rule": (lambda app: app.add_url_rule(EVENTS, view_func=view), f"another route at {EVENTS}"),
    "a rule with a slash": (lambda app: app.add_url_rule("/mcp/", view_func=view), "another route at /mcp/"),
    "a rule below a run": (lambda app: app.get(f"{RUNS}/<int:number>")(view), f"another route at {RUNS}/<int:number>"),
    "a redirect": (lambda app: app.url_map.add(Rule("/mcp.json", redirect_to="/x")), "another route at /mcp.json"),
    "a websocket": (lambda app: app.websocket("/mcp")(view), "another route at /mcp"),
    "a view in the place of ours": (
        lambda app: app.endpoint("mcp_app.route_0")(view),
        "another view in the place of mcp_app.route_0",
    ),
    "views": (
        lambda app: app.view_functions.update({"mcp_app.anything": view}),
        "another view in the place of mcp_app.a",
    ),
    "a session": (lambda app: setattr(app, "secret_key", "x" * 32), "sessions (SECRET_KEY)"),
    "a session by the config": (lambda app: app.config.update(SECRET_KEY="x" * 32), "sessions (SECRET_KEY)"),
    "another session interface": (
        lambda app: setattr(app, "session_interface", SecureCookieSessionInterface()),
        "another session_interface",
    ),
    "another request class": (
        lambda app: setattr(app, "request_class", type("Own", (app.request_class,), {})),
        "another request_class",
    ),
    "a method": (lambda app: setattr(app, "make_response", app.make_response), "another make_response"),
    "a registry": (lambda app: setattr(app, "before_request_funcs", {None: [nothing]}), "another before_request_funcs"),
}


@pytest.mark.parametrize("hook", REFUSED)
async def test_what_would_not_run_is_refused_where_it_is_added(play: Play, hook: str) -> None:
    add, named = REFUSED[hook]
    app = create_app(Settings(), play.tools())
    with pytest.raises(RuntimeError, match=r"^this application takes the lane: create_app\(lane=False\)") as caught:
        add(app)
    assert named in str(caught.value)
    async with running(app) as client:
        assert (await client.open("GET", "/healthz").rest()).status == 200
        with pytest.raises(RuntimeError, match="takes the lane"):
            add(app)


@pytest.mark.parametrize("hook", REFUSED)
async def test_without_the_lane_nothing_is_refused(play: Play, hook: str) -> None:
    REFUSED[hook][0](create_app(Settings(), play.tools(), lane=False))


SIGNALS = (
    *("request_started", "request_finished", "request_tearing_down", "got_request_exception"),
    *("appcontext_pushed", "appcontext_popped", "appcontext_tearing_down"),
)


@pytest.mark.parametrize("name", SIGNALS)
async def test_a_receiver_of_a_signal_prevents_the_start(play: Play, name: str) -> None:
    app = create_app(Settings(), play.tools())
    signal = getattr(signals, name)
    for sender in (app, signal.ANY):
        with (
            signal.connected_to(nothing, sender),
            pytest.raises(LifespanError, match=f"takes the lane.*a receiver of {signal.name}: <function nothing"),
        ):
            await app.test_app().startup()
    with signal.connected_to(nothing, create_app(Settings(), [])):
        async with running(app) as client:
            assert (await client.open("GET", "/healthz").rest()).status == 200


@pytest.mark.parametrize("name", SIGNALS)
async def test_a_receiver_that_comes_while_it_is_served_is_refused(play: Play, name: str) -> None:
    app = create_app(Settings(), play.tools())
    other = create_app(Settings(), [])
    signal = getattr(signals, name)
    async with running(app):
        for sender in (app, signal.ANY):
            with pytest.raises(RuntimeError, match="takes the lane"):
                signal.connect(nothing, sender)
            assert not list(signal.receivers_for(app))
        with signal.connected_to(nothing, other):
            assert list(signal.receivers_for(other)) == [nothing]
    with signal.connected_to(nothing):  # nobody minds any longer
        assert list(signal.receivers_for(app)) == [nothing]


@pytest.mark.parametrize(
    ("registry", "hooks"),
    [
        ("before_request_funcs", {None: [nothing]}),
        ("url_value_preprocessors", {"mcp_app": [values]}),
        ("error_handler_spec", {None: {500: {KeyError: nothing}}}),
    ],
)
async def test_what_was_put_into_a_registry_prevents_the_start(play: Play, registry: str, hooks: Any) -> None:
    app = create_app(Settings(), play.tools())
    getattr(app, registry).update(hooks)
    with pytest.raises(LifespanError, match=r"takes the lane.*<function"):
        await app.test_app().startup()


async def test_after_a_start_that_failed_nobody_minds_a_receiver(play: Play) -> None:
    app = create_app(Settings(), play.tools())

    @app.before_serving
    async def fails() -> None:
        raise LookupError("here")

    with pytest.raises(LifespanError, match="here"):
        await app.test_app().startup()
    with signals.request_started.connected_to(nothing):
        assert list(signals.request_started.receivers_for(app)) == [nothing]


async def test_without_the_lane_every_hook_runs(play: Play) -> None:
    app = create_app(Settings(), play.tools(), lane=False)
    seen: list[str] = []

    @app.before_request
    async def before() -> None:
        seen.append(f"before {request.path}")

    @app.after_request
    async def after(response: Response) -> Response:
        response.headers["X-After"] = current_app.name
        return response

    @app.teardown_request
    async def end(_: BaseException | None) -> None:
        seen.append("end")

    async def started(sender: Quart, **_: Any) -> None:
        seen.append(f"started {sender.name}")

    async with running(app) as client:
        with signals.request_started.connected_to(started, app):
            exchange = await client.post(EVENTS, b'{"tool":"echo"}').rest()
    assert exchange.wire.kinds == ["started", "complete"]
    assert exchange.field("x-after") == "mcp_app"
    assert seen == ["started mcp_app", f"before {EVENTS}", "end"]


# --- what is the owner's own -----------------------------------------------------------------------------------------


async def test_routes_at_other_paths_go_quarts_way_with_the_hooks_of_their_blueprint(play: Play, lane: bool) -> None:
    app = create_app(Settings(), play.tools(), lane=lane)
    theirs = Blueprint("theirs", __name__)
    seen: list[str] = []

    @theirs.before_request
    async def before() -> None:
        seen.append(request.path)

    @theirs.errorhandler(KeyError)
    async def failed(_: KeyError) -> tuple[str, int]:
        return "theirs failed", 500

    @theirs.get("/theirs")
    async def one() -> str:
        return f"theirs, by {current_app.name}"

    @theirs.get("/fails")
    async def fails() -> str:
        raise KeyError("x")

    theirs.get("/<path:rest>")(view)
    app.register_blueprint(theirs)
    async with running(app) as client:
        assert (await client.open("GET", "/theirs").rest()).body == b"theirs, by mcp_app"
        assert (await client.open("GET", "/fails").rest()).body == b"theirs failed"
        assert (await client.open("GET", "/any/thing").rest()).body == b"theirs"
        assert (await client.open("GET", "/healthz").rest()).field("content-type") == "application/json"
        assert (await client.open("PUT", "/any/thing").rest()).status == 404
    assert seen == ["/theirs", "/fails", "/any/thing"]


async def test_a_websocket_of_theirs_is_answered_and_ours_are_refused(play: Play, lane: bool) -> None:
    app = create_app(Settings(), play.tools(), lane=lane)

    async def said(path: str) -> dict[str, Any]:
        """What a handshake is answered with, or the first message after it."""
        sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        received.put_nowait({"type": "websocket.connect"})
        scope = client.scope("GET", path) | {"type": "websocket", "scheme": "wss", "subprotocols": []}
        task = asyncio.create_task(app(scope, received.get, sent.put))  # type: ignore[arg-type]
        first = await asyncio.wait_for(sent.get(), SECONDS)
        if first["type"] == "websocket.accept":
            first = await asyncio.wait_for(sent.get(), SECONDS)
        received.put_nowait({"type": "websocket.disconnect"})
        await asyncio.wait({task}, timeout=SECONDS)
        return first

    async with running(app) as client:
        for path in ("/mcp", "/theirs"):
            assert (await said(path))["type"] == "websocket.close"

        @app.websocket("/theirs")
        async def speak() -> None:
            await websocket.send("hello")

        assert (await said("/theirs"))["text"] == "hello"
        for path in ("/mcp", f"{RUNS}/x"):
            assert (await said(path))["type"] == "websocket.close"


async def test_serving_begins_and_ends_once(play: Play, lane: bool) -> None:
    app = create_app(Settings(), play.tools(), lane=lane)
    seen: list[str] = []

    @app.before_serving
    async def begin() -> None:
        seen.append("begin")

    @app.after_serving
    async def stop() -> None:
        seen.append("stop")

    async with running(app) as client:
        for _ in range(2):
            await client.open("GET", "/healthz").rest()
        assert seen == ["begin"]
    assert seen == ["begin", "stop"]


async def test_quarts_test_client_goes_quarts_way(lane: bool) -> None:
    @tool(read_only=True)
    async def where() -> str:
        """Who serves it."""
        return current_app.name

    app = create_app(Settings(), [where], lane=lane)
    async with app.test_app() as served:
        answer = await served.test_client().post(EVENTS, json={"tool": "where"}, headers={"Accept": "application/json"})
        assert (await answer.get_json())["data"] == "mcp_app"


async def test_middleware_wraps_what_quarts_own_is(play: Play, lane: bool) -> None:
    """By what kind of function it is, middleware tells ASGI 3 from ASGI 2 (asgiref's, and so OpenTelemetry's), and a
    server an ASGI application from one of WSGI."""
    app = create_app(Settings(), play.tools(), lane=lane)
    assert inspect.iscoroutinefunction(app.asgi_app)
    assert is_asgi(app.asgi_app)
    assert type(app).asgi_app is Quart.asgi_app, "what is patched there is patched here"
    inner = app.asgi_app
    seen: list[str] = []

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])
        await inner(scope, receive, send)

    app.asgi_app = middleware  # type: ignore[method-assign]
    async with running(app) as client:
        assert (await client.open("GET", "/healthz").rest()).status == 200
        assert (await client.open("GET", "/nothing").rest()).status == 404
    assert seen == ["lifespan", "http", "http"]


# --- in a foreign application ----------------------------------------------------------------------------------------


async def test_a_host_keeps_its_hooks_its_404_and_its_routing(play: Play, lane: bool) -> None:
    ours = create_app(Settings(), play.tools(), lane=lane)
    host = Quart("host", static_folder=None)
    host.register_blueprint(ours.blueprints["mcp_app"])
    seen: list[str] = []

    @host.before_request
    async def before() -> None:
        seen.append(request.path)

    @host.errorhandler(404)
    async def missing(_: Exception) -> tuple[str, int]:
        return "nothing of the host's", 404

    host.get("/their/own")(view)
    async with running(ours), running(host):
        client = Client(host)
        answered = await client.post(EVENTS, b'{"tool":"echo"}').rest()
        assert answered.wire.kinds == ["started", "complete"]
        assert (await client.open("GET", "/their/own").rest()).body == b"theirs"
        lost = await client.open("GET", "/nothing").rest()
        assert (lost.status, lost.body) == (404, b"nothing of the host's")
        assert (await client.open("GET", "/their//own").rest()).status == 308
    assert seen == [EVENTS, "/their/own", "/nothing", "/their//own"]
