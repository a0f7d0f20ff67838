"""The host's sign-in: whose a run, a session, a task and a state are, and what who is nobody gets."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from own_tools import Name, greet, task, who
from web_access import EVENTS, RUNS, TASKS
from web_mounted import BOTH, STREAM, Caller, error_of, signed_in, stopped_after

from mcp_app import Context, Settings, asgi_app, resource, tool
from mcp_app.auth import host
from mcp_app.manifest import DOCUMENT_PATHS
from mcp_app.mounting import MountedApp

LARGE = 100_000


@tool
async def large(ctx: Context) -> str:
    """More than an event may have."""
    return ctx.principal * LARGE


@tool(scopes=["write"])
async def scoped() -> str:
    """Not for everybody."""
    return "done"


@resource("test://mine")
async def mine(ctx: Context) -> str:
    return ctx.principal


TOOLS = (who, large, task, greet, mine)


class Mounted:
    """Mounted at /tools, as ASGI has it."""

    def __init__(self, app: MountedApp, **more: Any) -> None:
        self.app, self.more = app, more

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self.app(scope | {"root_path": "/tools"} | self.more, receive, send)


@pytest.fixture
async def mounted() -> AsyncIterator[Mounted]:
    settings = Settings(max_event_bytes=64 * 1024, allow_anonymous=False)
    async with stopped_after(asgi_app(*TOOLS, settings=settings, principal=signed_in)) as app:
        yield Mounted(app)


async def test_who_is_nobody_gets_401_with_a_challenge(mounted: Mounted) -> None:
    nobody = Caller(mounted)
    for method, target, body in (
        ("GET", "/", None),
        ("GET", "/mcp.json", None),
        ("GET", "/api/v1/mcp/tools", None),
        ("GET", "/metrics", None),
        ("GET", "/nothing/here", None),
        ("GET", f"{EVENTS}?tool=who", None),
        ("POST", EVENTS, {"tool": "who"}),
        ("POST", RUNS, {"tool": "who"}),
        ("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"}),
    ):
        answer = await nobody.ask(method, target, body=body)
        assert (answer.status, error_of(answer)["code"]) == (401, "unauthorized"), target
        assert answer.field("www-authenticate") == "Bearer"  # RFC 9110, 15.5.2
        assert "no-store" in (answer.field("cache-control") or "")


async def test_what_balancers_and_preflights_ask_for_needs_nobody(mounted: Mounted) -> None:
    nobody = Caller(mounted)
    assert (await nobody.ask("GET", "/healthz")).status == 200
    assert (await nobody.ask("GET", "/readyz")).status == 200
    assert (await nobody.ask("OPTIONS", EVENTS)).status == 204


async def test_the_guard_comes_first(mounted: Mounted) -> None:
    scope = Caller(mounted).client.scope("GET", "/tools/mcp.json", host=b"evil.example")
    from web_asgi import Exchange

    assert (await Exchange(mounted, scope).answered()).status == 421


@pytest.mark.parametrize(("principal", "status"), [(signed_in, 200), (None, 403)])
async def test_who_has_signed_in_may_come_from_another_machine(principal: Any, status: int) -> None:
    async with stopped_after(asgi_app(who, settings=Settings(allow_anonymous=False), principal=principal)) as app:
        ann = Caller(Mounted(app, server=("192.0.2.7", 80)), "ann")
        answer = await ann.ask("POST", EVENTS, body={"tool": "who"})
        assert answer.status == status
        if status == 403:
            assert error_of(answer)["code"] == "anonymous_not_allowed"


async def test_without_a_sign_in_everybody_is_anonymous() -> None:
    async with stopped_after(asgi_app(who)) as app:
        answer = await Caller(Mounted(app), "ann").ask("POST", EVENTS, body={"tool": "who"})
        assert answer.wire.last["data"] == "anonymous"


@pytest.mark.parametrize("path", DOCUMENT_PATHS)
async def test_what_a_hosts_user_is_shown_is_for_no_shared_cache_whatever_it_is_called(path: str) -> None:
    settings = Settings(public_url="https://shop.example.com")  # type: ignore[arg-type]
    async with stopped_after(asgi_app(scoped, settings=settings, principal=lambda _: "anonymous")) as app:
        answer = await Caller(Mounted(app)).ask("GET", path)
        assert answer.status == 200
        assert (answer.field("cache-control") or "").startswith("private")
        assert "Cookie" in (answer.field("vary") or "")
        assert path != "/openapi.json" or b"/tools/scoped" in answer.body


async def test_a_tool_and_a_resource_are_told_who_calls(mounted: Mounted) -> None:
    for name in ("ann", "bob"):
        caller = Caller(mounted, name)
        assert (await caller.ask("POST", EVENTS, body={"tool": "who"})).wire.last["data"] == name
        read = await caller.stateless("resources/read", {"uri": "test://mine"})
        assert read["result"]["contents"][0]["text"] == name


async def test_a_run_is_its_callers_alone(mounted: Mounted) -> None:
    ann, bob = Caller(mounted, "ann"), Caller(mounted, "bob")
    run = json.loads((await ann.ask("POST", RUNS, body={"tool": "large"})).body)
    here = f"{RUNS}/{run['id']}"
    await ann.ask("GET", f"{here}/events", STREAM)  # to its end
    for method, target, fields in (
        ("GET", here, ()),
        ("GET", f"{here}/events", (STREAM,)),
        ("HEAD", f"{here}/events", (STREAM,)),
        ("GET", f"{here}/results/1", ()),
        ("DELETE", here, ()),
    ):
        assert (await ann.ask(method, target, *fields)).status == 200, target
        assert (await bob.ask(method, target, *fields)).status == 404, target
    again = (b"last-event-id", f"{run['id']}/1".encode())
    assert (await ann.ask("POST", EVENTS, STREAM, again, body={"tool": "large"})).wire.kinds[-1] == "complete"
    lost = await bob.ask("POST", EVENTS, STREAM, again, body={"tool": "large"})
    assert lost.wire.error["code"] == "unknown_run"


async def test_a_run_key_is_its_callers_alone(mounted: Mounted) -> None:
    key = secrets.token_hex(16)
    said = []
    for name in ("ann", "bob", "ann"):
        answer = await Caller(mounted, name).ask("GET", f"{EVENTS}?tool=who&run={key}", STREAM)
        said.append((answer.wire.last["data"], answer.wire.ids[0]))
    assert [name for name, _ in said] == ["ann", "bob", "ann"]
    assert said[0] == said[2] != said[1]


async def test_a_session_is_its_callers_alone(mounted: Mounted) -> None:
    ann, bob = Caller(mounted, "ann"), Caller(mounted, "bob")
    session = await ann.initialize()
    assert (await bob.in_session(session, "ping")).status == 404
    assert (await bob.ask("DELETE", "/mcp", (b"mcp-session-id", session.encode()))).status == 404
    assert (await bob.ask("GET", "/mcp", STREAM, (b"mcp-session-id", session.encode()))).status == 404
    assert (await ann.in_session(session, "ping")).status == 200


async def test_a_session_of_the_oldest_transport_is_its_callers_alone(mounted: Mounted) -> None:
    ann, bob = Caller(mounted, "ann"), Caller(mounted, "bob")
    stream = ann.open("GET", "/mcp", STREAM)
    [first, *_] = (await stream.until(1)).events
    address = str(first.data)
    assert address.startswith("/tools/mcp/messages?session=")
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert (await bob.ask("POST", address.removeprefix("/tools"), body=ping)).status == 404
    assert (await ann.ask("POST", address.removeprefix("/tools"), body=ping)).status == 202
    stream.disconnect()
    await stream.over()


async def test_a_task_is_its_callers_alone(mounted: Mounted) -> None:
    ann, bob = Caller(mounted, "ann"), Caller(mounted, "bob")
    created = await ann.stateless("tools/call", {"name": "task", "arguments": {}}, **TASKS)
    id_ = created["result"]["taskId"]
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        params = {"taskId": id_, "inputResponses": {}}
        refused = await bob.stateless(method, params, **TASKS)
        assert refused["error"]["code"] == -32602
    assert (await ann.stateless("tasks/get", {"taskId": id_}, **TASKS))["result"]["taskId"] == id_


async def test_a_state_is_opened_for_its_caller_alone(mounted: Mounted) -> None:
    ann, bob = Caller(mounted, "ann"), Caller(mounted, "bob")
    call = {"name": "greet", "arguments": {}}
    asked = (await ann.stateless("tools/call", call, elicitation={}))["result"]
    answered = {
        **call,
        "requestState": asked["requestState"],
        "inputResponses": {"who": {"action": "accept", "content": {"name": "Ann"}}},
    }
    refused = await bob.stateless("tools/call", answered, elicitation={})
    assert refused["error"]["data"]["reason"] == "tampered"
    said = await ann.stateless("tools/call", answered, elicitation={})
    assert said["result"]["content"][0]["text"] == "ann: Ann"


async def test_a_result_that_is_linked_is_its_callers_alone(mounted: Mounted) -> None:
    ann, bob = Caller(mounted, "ann"), Caller(mounted, "bob")
    said = await ann.stateless("tools/call", {"name": "large", "arguments": {}})
    [uri] = [each["uri"] for each in said["result"]["content"] if each["type"] == "resource_link"]
    assert "ann" in (await ann.stateless("resources/read", {"uri": uri}))["result"]["contents"][0]["text"]
    assert "error" in await bob.stateless("resources/read", {"uri": uri})


async def test_what_is_shown_to_who_has_signed_in_is_not_for_shared_caches() -> None:
    settings = Settings(public_url="https://shop.example.com", allow_anonymous=True)  # type: ignore[arg-type]
    for principal, scope, cached in ((signed_in, "private", "no-cache"), (None, "public", "max-age")):
        async with stopped_after(asgi_app(who, settings=settings, principal=principal)) as app:
            ann = Caller(Mounted(app), "ann")
            assert (await ann.stateless("tools/list", {}))["result"]["cacheScope"] == scope
            assert (await ann.stateless("server/discover", {}))["result"]["cacheScope"] == scope
            document = await ann.ask("GET", "/mcp.json")
            assert cached in (document.field("cache-control") or "")


async def test_it_may_be_a_coroutine_function() -> None:
    async def later(scope: dict[str, Any]) -> str | None:
        await asyncio.sleep(0)
        return signed_in(scope)

    async with stopped_after(asgi_app(who, principal=later)) as app:
        assert (await Caller(Mounted(app), "ann").ask("POST", EVENTS, body={"tool": "who"})).wire.last["data"] == "ann"
        assert (await Caller(Mounted(app)).ask("POST", EVENTS, body={"tool": "who"})).status == 401


def raising(scope: dict[str, Any]) -> str:
    raise LookupError("session store at secret-host")


async def raising_later(scope: dict[str, Any]) -> str:
    raise SystemExit("secret-host")


def a_user(scope: dict[str, Any]) -> Any:
    return Name(name="secret-host")


def unsendable(scope: dict[str, Any]) -> str:
    return "\ud800"


async def never(scope: dict[str, Any]) -> str:
    await asyncio.Event().wait()
    return ""


@pytest.mark.parametrize(
    ("principal", "logged"),
    [
        (raising, "LookupError: session store at secret-host"),
        (raising_later, "SystemExit: secret-host"),
        (a_user, "principal=a_user (" + __file__),
        (unsendable, "surrogates not allowed"),
        (never, "principal=never (" + __file__),
        (lambda scope, more: "", "missing 1 required positional argument"),
    ],
)
async def test_what_fails_in_it_is_masked_and_logged(
    principal: Callable[..., Any], logged: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "ANSWER_SECONDS", 0.01)
    async with stopped_after(asgi_app(who, principal=principal)) as app:
        with caplog.at_level(logging.ERROR, "mcp_app"):
            answer = await Caller(Mounted(app), "ann").ask("POST", EVENTS, BOTH, body={"tool": "who"})
        assert (answer.status, error_of(answer)["code"]) == (500, "internal_error")
        assert "secret-host" not in answer.body.decode()
        [record] = [each for each in caplog.records if each.name == "mcp_app.endpoint"]
        assert error_of(answer)["error_id"] in record.getMessage()
        assert logged in caplog.text
        assert (await Caller(Mounted(app)).ask("GET", "/healthz")).status == 200


def test_what_is_no_function_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="principal= is a function of the ASGI scope, not 'ann'"):
        asgi_app(who, principal="ann")  # type: ignore[arg-type]
