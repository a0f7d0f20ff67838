"""What a caller is shown and may use, by its scopes: in every list, by every way to call, and by what is said of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import pytest
from scoped_tools import lends_there, names_there, sealed, tool_as_json_there
from web_access import EVENTS, RUNS, TOOLS, People, Person, fingerprint, served
from web_mounted import STREAM, error_of, response

from mcp_app import Access, Context, Prompts, Registry, Resources, ToolDefinitionError, complete, prompt, resource, tool
from mcp_app.builtin.run_workflow.tool import run_workflow
from mcp_app.protocol.access import ANONYMOUS, UNKNOWN

MAIL = frozenset({"mail.send"})
PEOPLE = {
    "key": Access("key:1", frozenset({"read"}), credential="1"),
    "mailer": Access("key:2", frozenset({"read", "mail.send"}), credential="2"),
    "oauth": Access("https://as.example ann", frozenset({"read"}), steps_up=True, credential="3"),
    "owner": Access("owner"),
}


@tool(read_only=True)
async def open_tool() -> str:
    """Anybody's."""
    return "open"


@tool(read_only=True, scopes=["read"])
async def reads() -> str:
    """Needs one scope."""
    return "read"


@tool(read_only=True, scopes=["mail.send", "read"])
async def send_mail() -> str:
    """Needs two."""
    return "sent"


@tool(read_only=True, hidden=True)
async def open_secret() -> str:
    """Is in no list."""
    return "secret"


@tool(read_only=True, hidden=True, scopes=MAIL)
async def mail_secret() -> str:
    """Is in no list, and needs a scope."""
    return "secret mail"


@tool
async def lends(ctx: Context) -> str:
    """The author's own code calls what the caller may not."""
    return str(await ctx.call(send_mail))


@tool
async def names(ctx: Context, name: str) -> str:
    """Calls what its caller names."""
    return str(await ctx.call(name))


@tool
async def names_json(ctx: Context, name: str) -> str:
    return str(await ctx.call_json(name, {}))


@tool
async def tools_json(ctx: Context) -> str:
    return str(await ctx.call_json(send_mail, {}))


@tool
async def knows(ctx: Context) -> list[str]:
    assert len(ctx.tools) == len(list(ctx.tools))
    return sorted(ctx.tools)


@resource("open://a")
async def open_resource() -> str:
    return "open"


@resource("mail://a", scopes=MAIL)
async def mail_resource() -> str:
    return "mail"


@resource("hidden://a", hidden=True)
async def hidden_resource() -> str:
    return "hidden"


@resource("box://{name}", scopes=MAIL)
async def box(name: Annotated[str, complete(lambda prefix, chosen: ["inbox"])]) -> str:
    return name


@resource("mail://{name}")
async def anything(name: str) -> str:
    """Behind a resource in whose place it must not answer."""
    return f"any {name}"


@prompt
async def open_prompt() -> str:
    return "open"


@prompt(scopes=MAIL)
async def mail_prompt(kind: Literal["short", "long"]) -> str:
    return kind


TOOLS_OFFERED = (open_tool, reads, send_mail, open_secret, mail_secret, lends, names, names_json, tools_json, knows)
OFFERED = (*TOOLS_OFFERED, open_resource, mail_resource, hidden_resource, box, anything, open_prompt, mail_prompt)
FREE = ["knows", "lends", "names", "names_json", "open_tool", "tools_json"]
SHOWN = {
    "": FREE,
    "key": sorted([*FREE, "reads"]),
    "mailer": sorted([*FREE, "reads", "send_mail"]),
    "oauth": sorted([*FREE, "reads", "send_mail"]),
    "owner": sorted([*FREE, "reads", "send_mail"]),
}


@pytest.fixture
async def app() -> AsyncIterator[Any]:
    async with served(*OFFERED, people=PEOPLE, allow_anonymous=True) as (app, _):
        yield app


@pytest.fixture
async def without() -> AsyncIterator[Any]:
    """The same without what needs scopes: what a caller is not shown is answered as here."""
    async with served(*(each for each in OFFERED if not each.scopes), people=PEOPLE, allow_anonymous=True) as (app, _):
        yield app


# --- lists -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHOWN)
async def test_a_list_has_what_its_caller_is_shown(app: Any, name: str) -> None:
    person = Person(app, name)
    shows_mail = name in ("mailer", "oauth", "owner")
    assert sorted(each["name"] for each in json.loads((await person.ask("GET", TOOLS)).body)["tools"]) == SHOWN[name]
    session = await person.initialize()
    members = {
        "tools/list": ("tools", "name", SHOWN[name]),
        "prompts/list": ("prompts", "name", ["mail_prompt"] * shows_mail + ["open_prompt"]),
        "resources/list": ("resources", "uri", ["mail://a"] * shows_mail + ["open://a"]),
        "resources/templates/list": (
            "resourceTemplates",
            "uriTemplate",
            ["box://{name}"] * shows_mail + ["mail://{name}"],
        ),
    }
    for method, (member, key, expected) in members.items():
        stateless = (await person.stateless(method, {}))["result"]
        assert sorted(each[key] for each in stateless[member]) == expected, method
        assert stateless["cacheScope"] == "private"
        in_session = response(await person.in_session(session, method))["result"]
        assert sorted(each[key] for each in in_session[member]) == expected, method
    assert (await person.stateless("server/discover", {}))["result"]["cacheScope"] == "private"
    document = json.loads((await person.ask("GET", "/.well-known/mcp/server-card.json")).body)
    assert sorted(each["name"] for each in document["tools"]) == SHOWN[name]
    paths = json.loads((await person.ask("GET", "/openapi.json")).body)["paths"]
    assert sorted(path.rpartition("/")[2] for path in paths) == SHOWN[name]
    assert document["authentication"] == {"required": False, "schemes": ["bearer"]}, "who shows nothing is let in"
    assert response(await person.ask("POST", EVENTS, body={"tool": "knows"}))["data"] == SHOWN[name]


async def test_no_document_names_what_needs_a_scope_to_who_shows_none(app: Any) -> None:
    nobody = Person(app)
    for path in (
        "/mcp.json",
        "/server.json",
        "/openapi.json",
        "/.well-known/mcp/server-card.json",
        "/.well-known/ai-catalog.json",
        TOOLS,
    ):
        text = (await nobody.ask("GET", path)).body.decode()
        assert not [each for each in ("send_mail", "secret", "mail://a", "mail_prompt", "reads") if each in text], path


async def test_an_entry_says_which_scopes_it_needs(app: Any) -> None:
    oauth = Person(app, "oauth")
    [listed] = [
        each for each in (await oauth.stateless("tools/list", {}))["result"]["tools"] if each["name"] == "send_mail"
    ]
    assert [value for key, value in listed["_meta"].items() if key.endswith("scopes")] == [["mail.send", "read"]]
    entries = json.loads((await oauth.ask("GET", TOOLS)).body)["tools"]
    assert {each["name"]: each.get("scopes") for each in entries}["send_mail"] == ["mail.send", "read"]


async def test_pages_of_a_list_are_of_what_is_shown(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_app.dialects.mcp.lists.PAGE_BYTES", 1)
    for name, expected in SHOWN.items():
        person, found, cursor = Person(app, name), [], None
        while True:
            page = (await person.stateless("tools/list", {} if cursor is None else {"cursor": cursor}))["result"]
            found += [each["name"] for each in page["tools"]]
            if (cursor := page.get("nextCursor")) is None:
                break
        assert sorted(found) == expected


# --- calls -----------------------------------------------------------------------------------------------------------


async def ways(person: Person, tool: str) -> dict[str, Any]:
    """Every way to call a tool, as the exchange that it was."""
    session = await person.initialize()
    return {
        "plain": await person.plain(tool),
        "stream": await person.ask("POST", EVENTS, STREAM, body={"tool": tool}),
        "own path": await person.ask("POST", f"{TOOLS}/{tool}", body={}),
        "get": await person.ask("GET", f"{EVENTS}?tool={tool}", STREAM),
        "run key": await person.ask("GET", f"{EVENTS}?tool={tool}&run={'k' * 16}{tool}", STREAM),
        "head": await person.ask("HEAD", f"{EVENTS}?tool={tool}", STREAM),
        "run": await person.ask("POST", RUNS, body={"tool": tool}),
        "stateless": await person.rpc("tools/call", {"name": tool, "arguments": {}}),
        "session": await person.in_session(session, "tools/call", name=tool, arguments={}),
    }


@pytest.mark.parametrize(
    ("name", "called"),
    [("key", "send_mail"), ("", "send_mail"), ("", "reads"), ("key", "mail_secret"), ("oauth", "mail_secret")],
)
async def test_what_a_caller_is_not_shown_is_as_if_it_were_not_there(
    app: Any, without: Any, name: str, called: str
) -> None:
    there, not_there = await ways(Person(app, name), called), await ways(Person(without, name), called)
    for way, exchange in there.items():
        assert fingerprint(exchange) == fingerprint(not_there[way]), way
        assert exchange.status == {"stateless": 400, "session": 200}.get(way, 404), way


async def test_who_can_step_up_gets_the_403_that_names_all_scopes(app: Any) -> None:
    for way, exchange in (await ways(Person(app, "oauth"), "send_mail")).items():
        assert exchange.status == 403, way
        challenge = exchange.field("www-authenticate") or ""
        assert challenge == 'Bearer error="insufficient_scope", scope="mail.send read"', way
        if way == "head":
            continue
        said = response(exchange)["error"]
        error = said["data"] if way in ("stateless", "session") else said
        assert (error["code"], error["scopes"]) == ("insufficient_scope", ["mail.send", "read"]), way


async def test_who_has_the_scopes_calls(app: Any) -> None:
    for name, called in (
        ("mailer", "send_mail"),
        ("owner", "send_mail"),
        ("mailer", "mail_secret"),
        ("", "open_secret"),
    ):
        for way, exchange in (await ways(Person(app, name), called)).items():
            assert exchange.status in (200, 202), (name, called, way)


async def test_similar_names_are_of_what_is_shown(app: Any) -> None:
    for name, hint in (("key", False), ("mailer", True), ("oauth", True), ("", False)):
        person = Person(app, name)
        said = error_of(await person.plain("send_mial"))["hint"]
        assert ("send_mail" in said) is hint
        refused = (await person.stateless("prompts/get", {"name": "mail_promt"}))["error"]
        assert ("mail_prompt" in refused["message"]) is hint
        refused = (await person.stateless("resources/read", {"uri": "box://{nam}"}))["error"]
        assert ("box://" in refused["message"].replace("box://{nam}", "")) is hint
    assert "open_secret" not in error_of(await Person(app, "owner").plain("open_secre"))["hint"]


# --- resources, prompts, completion ----------------------------------------------------------------------------------

READS = {
    "resources/read": [{"uri": "mail://a"}, {"uri": "box://inbox"}],
    "prompts/get": [{"name": "mail_prompt", "arguments": {"kind": "short"}}],
    "completion/complete": [
        {"ref": {"type": "ref/prompt", "name": "mail_prompt"}, "argument": {"name": "kind", "value": "s"}},
        {"ref": {"type": "ref/resource", "uri": "box://{name}"}, "argument": {"name": "name", "value": "i"}},
    ],
}
CASES = [(method, params) for method, each in READS.items() for params in each]


@pytest.mark.parametrize(("method", "params"), CASES)
async def test_resources_and_prompts_alike(app: Any, without: Any, method: str, params: dict[str, Any]) -> None:
    for name in ("mailer", "owner"):
        assert "result" in await Person(app, name).stateless(method, params), name
    for name in ("key", ""):
        if params.get("uri") == "mail://a":  # without it the template behind it answers
            assert "error" in await Person(app, name).stateless(method, params)
            continue
        person, other = Person(app, name), Person(without, name)
        sessions = await person.initialize(), await other.initialize()
        for there, none in (
            (await person.rpc(method, params), await other.rpc(method, params)),
            (
                await person.in_session(sessions[0], method, **params),
                await other.in_session(sessions[1], method, **params),
            ),
        ):
            assert fingerprint(there) == fingerprint(none), name
            assert "error" in response(there)
    oauth = Person(app, "oauth")
    session = await oauth.initialize()
    for exchange in (await oauth.rpc(method, params), await oauth.in_session(session, method, **params)):
        assert exchange.status == 403
        assert 'scope="mail.send"' in (exchange.field("www-authenticate") or "")


async def test_hidden_resources_are_read_by_who_knows_them(app: Any) -> None:
    assert "result" in await Person(app).stateless("resources/read", {"uri": "hidden://a"})
    assert "result" in await Person(app, "key").stateless("resources/read", {"uri": "mail://b"})


async def test_subscriptions_need_the_scopes(app: Any) -> None:
    for name, expected in (("mailer", "result"), ("key", "error")):
        person = Person(app, name)
        said = response(await person.in_session(await person.initialize(), "resources/subscribe", uri="mail://a"))
        assert expected in said, name
    oauth = Person(app, "oauth")
    exchange = await oauth.in_session(await oauth.initialize(), "resources/subscribe", uri="mail://a")
    assert exchange.status == 403
    assert (await (await oauth.subscribed(resourceSubscriptions=["mail://a"])).rest()).status == 403


# --- changes ---------------------------------------------------------------------------------------------------------


async def test_who_is_not_shown_an_item_is_not_told_of_its_changes() -> None:
    tools, resources, prompts = Registry(TOOLS_OFFERED), Resources([mail_resource, open_resource]), Prompts()
    async with served(tools, resources, prompts, people=PEOPLE) as (app, _):
        streams = {}
        for name in ("key", "mailer", "oauth"):
            person = Person(app, name)
            session = await person.initialize()
            await person.in_session(session, "ping")
            body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            await person.ask("POST", "/mcp", (b"mcp-session-id", session.encode()), body=body)
            kinds = {"toolsListChanged": True, "promptsListChanged": True}
            # The key holder subscribes to what it may not read, as to what does not exist.
            uris = [] if name == "oauth" else ["mail://a"]
            streams[name] = (
                await person.listening(session),
                await person.subscribed(**kinds, resourceSubscriptions=uris),
            )
        tools.remove(mail_secret)  # nobody's list has it
        tools.remove(send_mail)
        resources.updated("mail://a")
        tools.remove(open_tool)
        prompts.add(mail_prompt)
        prompts.add(open_prompt)
        changed = "notifications/tools/list_changed", "notifications/prompts/list_changed"
        for name, (own, subscribed) in streams.items():
            heard = await heard_until(subscribed, changed[1])
            assert [each for each in heard if "list_changed" in each] == list(changed)
            assert ("notifications/resources/updated" in heard) is (name == "mailer")
            assert set(await heard_until(own, changed[1])) == set(changed)
        prompts.remove(mail_prompt)
        tools.remove(reads)
        assert await heard_until(streams["key"][1], changed[0]) == [changed[0]]
        assert sorted(await heard_until(streams["oauth"][1], changed[0])) == sorted(changed)
        for each in (stream for pair in streams.values() for stream in pair):
            each.disconnect()


async def heard_until(stream: Any, method: str) -> list[str]:
    """The notifications since the last look, to the one of that method."""
    heard: list[str] = []
    while method not in heard:
        before = len(stream.wire.events)
        await stream.receive()
        said = [json.loads(each.data)["method"] for each in stream.wire.events[before:] if each.data]
        heard += [each for each in said if "acknowledged" not in each]
    return heard


# --- tools that call tools -------------------------------------------------------------------------------------------


async def test_a_tool_lends_what_it_calls_and_not_what_is_named(app: Any) -> None:
    key, mailer, oauth = (Person(app, name) for name in ("key", "mailer", "oauth"))
    assert response(await key.plain("lends"))["data"] == "sent"
    for by in ("names", "names_json"):
        assert response(await mailer.plain(by, name="send_mail"))["data"] == "sent"
        refused = await oauth.plain(by, name="send_mail")
        assert (refused.status, error_of(refused)["code"]) == (403, "insufficient_scope")
        assert error_of(refused)["scopes"] == ["mail.send", "read"]
        refused = await key.plain(by, name="send_mail")
        assert error_of(refused)["code"] == "tool_failed"  # the author has not caught UnknownTool
    assert response(await mailer.plain("tools_json"))["data"] == "sent"
    assert error_of(await key.plain("tools_json"))["code"] == "tool_failed"
    assert (await oauth.plain("tools_json")).status == 403
    said = (await oauth.stateless("tools/call", {"name": "names", "arguments": {"name": "send_mail"}}))["result"]
    assert said["isError"] is True
    assert "mail.send read" in said["content"][0]["text"]


async def test_in_a_process_too() -> None:
    offered = (sealed, lends_there, names_there, tool_as_json_there)
    async with served(*offered, people=PEOPLE) as (app, _):
        key, mailer, oauth = (Person(app, name) for name in ("key", "mailer", "oauth"))
        assert response(await key.plain("lends_there"))["data"] == "sent"
        for by, params in (("names_there", {"name": "sealed"}), ("tool_as_json_there", {})):
            assert response(await mailer.plain(by, **params))["data"] == "sent"
            refused = await oauth.plain(by, **params)
            assert (refused.status, error_of(refused)["code"]) == (403, "insufficient_scope")
            assert error_of(refused)["scopes"] == ["mail.send"]
            assert error_of(await key.plain(by, **params))["code"] == "tool_failed"


async def test_a_workflow_is_refused_before_its_first_step() -> None:
    steps = [{"id": "a", "tool": "open_tool", "params": {}}, {"id": "b", "tool": "send_mail", "params": {}}]
    async with served(run_workflow, *TOOLS_OFFERED, people=PEOPLE) as (app, _):
        done = response(await Person(app, "mailer").plain("run_workflow", steps=steps))["data"]
        assert [each["status"] for each in done["steps"]] == ["ok", "ok"]
        refused = await Person(app, "oauth").plain("run_workflow", steps=steps)
        assert (refused.status, error_of(refused)["scopes"]) == (403, ["mail.send", "read"])
        assert json.loads(refused.body)["progress"] == []
        unknown = error_of(await Person(app, "key").plain("run_workflow", steps=steps))
        assert unknown["code"] == "invalid_workflow"
        assert unknown["details"] == [{"field": "steps.1.tool", "problem": 'there is no tool named "send_mail"'}]


async def test_metrics_name_no_tool_that_is_not_shown(app: Any) -> None:
    await Person(app, "key").plain("lends")
    await Person(app, "mailer").plain("names", name="reads")
    for name in ("", "key", "mailer", "owner"):
        text = (await Person(app, name).ask("GET", "/metrics")).body.decode()
        assert ('tool="send_mail",code="complete"} 1' in text) is (name in ("mailer", "owner")), name
        assert ('tool="reads"' in text) is bool(name), name
        assert sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("mcp_app_steps")) == 2


async def test_a_limit_of_a_tool_that_is_not_shown_names_none_in_the_metrics() -> None:
    async with served(*TOOLS_OFFERED, people=PEOPLE, limits="runs of send_mail 1/h, runs of reads 1/h") as (app, _):
        for tool in ("send_mail", "reads") * 2:
            await Person(app, "owner").plain(tool)
        for name, known in (("key", False), ("mailer", True), ("owner", True)):
            text = (await Person(app, name).ask("GET", "/metrics")).body.decode()
            assert 'mcp_app_limited_total{limit="runs of reads"} 1' in text
            assert ('mcp_app_limited_total{limit="runs of send_mail"} 1' in text) is known, name
            assert ('mcp_app_limited_total{limit="runs of a tool"} 1' in text) is not known, name
            assert ("send_mail" in text) is known, name


# --- what caches may do ----------------------------------------------------------------------------------------------


async def test_answers_of_one_caller_are_not_for_caches_that_others_share(app: Any) -> None:
    for name in ("key", "oauth", "owner", ""):
        person = Person(app, name)
        run = json.loads((await person.ask("POST", RUNS, body={"tool": "open_tool"})).body)["id"]
        for method, target, fields in (
            ("GET", TOOLS, ()),
            ("GET", f"{RUNS}/{run}", ()),
            ("GET", f"{RUNS}/{run}/events", (STREAM,)),
            ("GET", "/metrics", ()),
            ("GET", "/nothing", ()),
        ):
            answer = await person.ask(method, target, *fields)
            assert "private" in (answer.field("cache-control") or ""), target
            assert "public" not in (answer.field("cache-control") or "")
            assert answer.field("vary") == "Accept, Authorization, Cookie"
        document = await person.ask("GET", "/mcp.json")
        assert document.field("vary") == "Accept, Authorization, Cookie"
        assert ("private" in (document.field("cache-control") or "")) is bool(name)


# --- how it is written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["mail", [""], ["a b"], ['"'], [1], 7, ["ä"]])
def test_what_cannot_be_scopes_is_refused_where_it_is_written(given: Any) -> None:
    async def named() -> str:
        return ""

    for make in (tool(scopes=given), resource("a://a", scopes=given), prompt(scopes=given)):
        with pytest.raises(ToolDefinitionError, match=r"named.*scopes"):
            make(named)


def test_what_needs_scopes_is_not_public_for_caches() -> None:
    with pytest.raises(ToolDefinitionError, match="cache_scope"):
        resource("a://a", scopes=["x"], cache_scope="public")(open_resource.typed.function)


def test_the_owner_of_the_machine_may_use_everything() -> None:
    registry = Registry(TOOLS_OFFERED)
    assert registry.get("send_mail", ANONYMOUS) is send_mail
    assert registry.get("open_tool", UNKNOWN) is open_tool
    assert [each.name for each in registry.shown(ANONYMOUS)] == [each.name for each in TOOLS_OFFERED if not each.hidden]


def test_people_are_known_by_the_table() -> None:
    assert People(**PEOPLE).people["key"].principal == "key:1"
