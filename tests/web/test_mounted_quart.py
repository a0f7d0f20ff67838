"""The blueprint in a Quart application of somebody else's: what is ours, and what stays the host's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loop_clock import on_loop_clock
from own_tools import who
from quart import Blueprint, Quart, Response, g, request, session
from web_asgi import Client, running
from web_mounted import STREAM, Caller, error_of, signed_in
from web_play import Play

from mcp_app import Settings, blueprint
from mcp_app.manifest import load_manifest
from mcp_app.routes import table
from mcp_app.web.quart.blueprint import split_prefix

EVENTS = "/api/v1/mcp/sse"
RUNS = "/api/v1/mcp/runs"


@asynccontextmanager
async def hosting(app: Quart) -> AsyncIterator[Quart]:
    async with running(app):
        yield app


class WithRoot:
    """A server with a root path, as Hypercorn's `root_path`: the path has it."""

    def __init__(self, app: Quart, root_path: str) -> None:
        self.app, self.root_path = app, root_path

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self.app(scope | {"root_path": self.root_path}, receive, send)


def host(*tools: Any, prefix: str | None = "/tools", **more: Any) -> Quart:
    app = Quart("shop")
    app.register_blueprint(blueprint(*tools, **more), url_prefix=prefix)

    @app.get("/")
    async def home() -> str:
        return "the shop"

    return app


@pytest.mark.parametrize(
    ("prefix", "root", "asked", "given_out"),
    [
        ("/tools", "", "/tools", "/tools"),
        ("/a/b/tools", "", "/a/b/tools", "/a/b/tools"),
        ("/<tenant>/tools", "", "/ann/tools", "/ann/tools"),
        ("/tools", "/api", "/api/tools", "/api/tools"),
        ("/tools", "/api/", "/api/tools", "/api/tools"),
    ],
)
async def test_every_address_has_the_prefix(play: Play, prefix: str, root: str, asked: str, given_out: str) -> None:
    async with hosting(host(*play.tools(), prefix=prefix)) as app:
        caller = Caller(WithRoot(app, root), prefix=asked)
        run = await caller.ask("POST", RUNS, body={"tool": "echo"})
        location = run.field("location") or ""
        assert location.startswith(f"{given_out}{RUNS}/")
        assert (await caller.ask("GET", location.removeprefix(given_out) + "/events", STREAM)).wire.kinds[
            -1
        ] == "complete"
        stream = caller.open("GET", "/mcp", STREAM)
        [first, *_] = (await stream.until(1)).events
        assert str(first.data).startswith(f"{given_out}/mcp/messages?session=")
        stream.disconnect()
        await stream.over()
        manifest = json.loads((await caller.ask("GET", "/mcp.json")).body)
        assert manifest["remotes"][0]["url"] == f"https://127.0.0.1:8443{given_out}/mcp"
        page = await caller.ask("GET", "/")
        assert b"<!doctype html>" in page.body
        redirected = await caller.ask("GET", "")  # the page's links are relative
        assert redirected.status == 308
        assert (redirected.field("location") or "").endswith(f"{given_out}/")


async def test_a_blueprint_in_a_blueprint(play: Play) -> None:
    outer = Blueprint("outer", "outer", url_prefix="/outer")
    outer.register_blueprint(blueprint(*play.tools()), url_prefix="/tools")
    app = Quart("shop")
    app.register_blueprint(outer, url_prefix="/far")
    async with hosting(app):
        run = await Caller(app, prefix="/far/tools").ask("POST", RUNS, body={"tool": "echo"})
        assert (run.field("location") or "").startswith(f"/far/tools{RUNS}/")


RULES = sorted(table(load_manifest()))
SEGMENT = st.text(st.characters(exclude_characters="/", exclude_categories=("Cs",)), min_size=1, max_size=8)


@given(
    rule=st.sampled_from(RULES),
    prefix=st.lists(SEGMENT, max_size=4),
    name=SEGMENT,
    slash=st.sampled_from(["", "/"]),
)
def test_what_stands_before_a_rule_is_the_prefix(rule: str, prefix: list[str], name: str, slash: str) -> None:
    before = "".join(f"/{each}" for each in prefix)
    ours = rule.replace("<run>", name).replace("<result>", name)
    path = before + ours.rstrip("/") + (slash or ("/" if rule == "/" else ""))
    assert split_prefix(path, rule) == (before, ours)


# --- what stays the host's -------------------------------------------------------------------------------------------


async def test_nothing_of_the_hosts_is_changed(play: Play) -> None:
    bare = Quart("shop")
    app = host(*play.tools())
    assert dict(app.config) == dict(bare.config)
    assert {key: dict(value) for key, value in app.error_handler_spec.items()} == {
        key: dict(value) for key, value in bare.error_handler_spec.items()
    }
    for registry in (
        "before_request_funcs",
        "after_request_funcs",
        "teardown_request_funcs",
        "url_value_preprocessors",
    ):
        assert not any(getattr(app, registry).values())
    assert "mcp_app" not in app.extensions
    assert type(app) is Quart
    added = {rule.rule for rule in app.url_map.iter_rules()} - {rule.rule for rule in bare.url_map.iter_rules()}
    assert added == {"/", *(f"/tools{path}" for path in table(load_manifest()))}


async def test_the_hosts_404_and_405_are_its_own(play: Play) -> None:
    app = host(*play.tools())

    @app.errorhandler(404)
    async def not_found(error: Exception) -> tuple[str, int]:
        return "the shop's 404", 404

    async with hosting(app):
        client = Client(app)
        for path in ("/nothing", "/tools/nothing", "/toolsmith", "/mcp.json"):
            answer = await client.open("GET", path).rest()
            assert (answer.status, answer.body) == (404, b"the shop's 404"), path
        assert (await client.open("PROPFIND", "/tools/mcp").rest()).status == 405
        unknown = await client.open("GET", f"/tools{RUNS}/{'0' * 32}").rest()
        assert (unknown.status, error_of(unknown)["code"]) == (404, "unknown_run")


async def test_the_hosts_hooks_and_context_are_there_for_our_routes(play: Play) -> None:
    app = host(*play.tools(), who, principal=lambda scope: g.user)
    app.secret_key = "a secret of the shop"

    @app.before_request
    async def sign_in() -> tuple[str, int] | None:
        g.user = request.headers.get("x-user")
        session["seen"] = True
        return ("not in this shop", 403) if g.user == "eve" else None

    @app.after_request
    async def mark(response: Response) -> Response:
        response.headers["x-shop"] = "yes"
        return response

    async with hosting(app):
        ann = await Caller(app, "ann").ask("POST", EVENTS, body={"tool": "who"})
        assert ann.wire.last["data"] == "ann"
        assert ann.field("x-shop") == "yes"
        assert "session=" in (ann.field("set-cookie") or "")
        assert (await Caller(app, "eve").ask("POST", EVENTS, body={"tool": "who"})).body == b"not in this shop"
        assert (await Caller(app).ask("POST", EVENTS, body={"tool": "who"})).status == 401


async def test_the_sign_in_may_be_of_the_scope() -> None:
    async with hosting(host(who, principal=signed_in)) as app:
        assert (await Caller(app, "ann").ask("POST", EVENTS, body={"tool": "who"})).wire.last["data"] == "ann"


@pytest.mark.parametrize(("theirs", "size", "status"), [(None, 2_000_000, 413), (100, 200, 413), (10**8, 2000, 200)])
async def test_the_narrower_limit_of_a_body_holds(play: Play, theirs: int | None, size: int, status: int) -> None:
    app = host(*play.tools())
    app.config["MAX_CONTENT_LENGTH"] = theirs
    async with hosting(app):
        body = {"tool": "echo", "params": {"text": "x" * size}}
        answer = await Caller(app).ask("POST", EVENTS, body=body)
        assert answer.status == status
        if status == 413:
            limit = min(each for each in (theirs, 1024 * 1024) if each is not None)
            assert str(limit) in error_of(answer)["message"]
        assert app.config["MAX_CONTENT_LENGTH"] == theirs


@on_loop_clock
async def test_a_stream_is_longer_than_the_hosts_time_out_for_responses(play: Play) -> None:
    app = host(*play.tools())
    app.config["RESPONSE_TIMEOUT"] = 5
    async with hosting(app):
        exchange = Client(app).post("/tools" + EVENTS, b'{"tool":"walk"}')
        await exchange.until(1)
        await asyncio.sleep(20)  # more than the host's time-out
        play.step(3)
        assert (await exchange.rest()).wire.kinds[-1] == "complete"


# --- leaving and stopping --------------------------------------------------------------------------------------------


async def test_leaving_is_noticed_by_the_connection_that_quart_brings(play: Play) -> None:
    async with hosting(host(*play.tools())) as app:
        exchange = Client(app).post("/tools" + EVENTS, b'{"tool":"wait"}')
        await exchange.until(2)
        exchange.disconnect()
        await play.over()
        assert play.reasons == ["left"]


async def test_a_caller_that_leaves_before_its_answer_begins_leaves_nothing(play: Play) -> None:
    """The host's hook is at work when the client leaves: the body is never iterated."""
    app = host(*play.tools())
    held = asyncio.Event()

    @app.after_request
    async def slow(response: Response) -> Response:
        held.set()
        await asyncio.Event().wait()
        return response

    async with hosting(app):
        exchange = Client(app).post("/tools" + EVENTS, b'{"tool":"wait"}')
        await asyncio.wait_for(held.wait(), 10)
        exchange.disconnect()
        await play.over()
        assert play.reasons == ["left"]


async def test_it_ends_with_the_application(play: Play) -> None:
    app = host(*play.tools())
    async with app.test_app():
        exchange = Client(app).post("/tools" + EVENTS, b'{"tool":"wait"}')
        await exchange.until(2)
    assert (await exchange.rest()).wire.error["code"] == "shutdown"
    assert play.reasons == ["shutdown"]


async def test_without_a_lifespan_it_starts_at_the_first_request(play: Play) -> None:
    app = host(*play.tools())
    assert (await Client(app).open("GET", "/tools/readyz").rest()).status == 200
    [keeper] = [task for task in asyncio.all_tasks() if task.get_name() == "mcp_app"]
    keeper.cancel()  # as the end of the loop does
    await asyncio.wait({keeper}, timeout=10)


async def test_two_of_them_in_one_application(play: Play) -> None:
    app = host(*play.tools())
    app.register_blueprint(blueprint(who, settings=Settings(cap_seconds=7)), url_prefix="/more", name="more")
    async with hosting(app):
        one, two = Caller(app, prefix="/tools"), Caller(app, prefix="/more")
        assert (await one.ask("POST", EVENTS, body={"tool": "echo"})).wire.last["data"] == "hello"
        said = await two.ask("POST", EVENTS, body={"tool": "who"})
        assert said.wire.messages[0]["metadata"]["cap_seconds"] == 7
        run = json.loads((await two.ask("POST", RUNS, body={"tool": "who"})).body)
        assert run["url"].startswith("/more/")
        assert (await one.ask("GET", f"{RUNS}/{run['id']}")).status == 404  # each has its own runs
