"""Who calls, over the whole path: what is answered to nobody, and what to the holder of a key, by every way in."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from web_asgi import Exchange, running
from web_mounted import Caller, error_of, response, signed_in, stopped_after

from mcp_app import Access, Context, Request, Settings, asgi_app, create_app, tool
from mcp_app.auth import keys
from mcp_app.auth.key_file import KeyFile
from mcp_app.auth.key_records import KeyRecord
from mcp_app.life import Server
from mcp_app.manifest import DOCUMENT_PATHS, load_manifest
from mcp_app.routes import HEALTH_PATHS, table
from mcp_app.web.asgi.lifespan import NotStarted
from mcp_app.web.pages import pages

EVENTS = "/api/v1/mcp/sse"
RUNS = "/api/v1/mcp/runs"
PUBLIC = "https://tools.example.com"


@tool(read_only=True)
async def who(ctx: Context) -> dict[str, Any]:
    """Whose call it is."""
    return {
        "principal": ctx.principal,
        "scopes": None if ctx.scopes is None else sorted(ctx.scopes),
        "claims": dict(ctx.claims),
    }


@tool(scopes=["read"])
async def scoped() -> str:
    """Not for everybody."""
    return "done"


@tool(read_only=True)
async def asks_who(ctx: Context) -> Any:
    """The same in a step."""
    return await ctx.call(who)


def bearer(text: str) -> tuple[bytes, bytes]:
    return (b"authorization", f"Bearer {text}".encode())


class KeyHolder(Caller):
    """Calls with a key, which may be none."""

    def __init__(self, app: Any, key: str | None = None, prefix: str = "") -> None:
        super().__init__(app, prefix=prefix)
        self.fields = () if key is None else (bearer(key),)


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


@pytest.fixture
def key(key_file: KeyFile) -> keys.Key:
    made = keys.make(secrets.randbits)
    record = KeyRecord(made.id, "ci", made.digest, frozenset({"write"}), created=0)
    key_file.change(lambda records: records.update({made.id: record}), create=True)
    return made


def with_keys(file: KeyFile, **more: Any) -> Settings:
    return Settings(**{"keys": file.path, "scopes": "write>read", "allow_anonymous": False, **more})


@pytest.fixture
async def app(key_file: KeyFile, key: keys.Key, lane: bool) -> AsyncIterator[Any]:
    made = create_app(with_keys(key_file), [who, asks_who], lane=lane)
    async with running(made):
        yield made


def requests() -> Mapping[str, set[str]]:
    """Every route, with the methods that it has."""
    found = {path: set(methods) | {"OPTIONS"} for path, methods in table(load_manifest(None)).items()}
    return {path.replace("<run>", "0" * 32).replace("<result>", "1"): methods for path, methods in found.items()}


RESOURCE_METADATA = "/.well-known/oauth-protected-resource"
SIGN_IN = "/page/sign-in"
OPEN = {*HEALTH_PATHS, *DOCUMENT_PATHS, *pages()}


async def test_every_route_asks_but_those_that_lead_to_a_sign_in(app: Any) -> None:
    nobody = KeyHolder(app)
    asked, answered = set(), set()
    for path, methods in [*requests().items(), ("/nothing/here", {"GET"})]:
        for method in methods:
            answer = await nobody.ask(method, path)
            if path.startswith(RESOURCE_METADATA) and method != "OPTIONS":
                assert answer.status == 404, path  # there is no issuer
                continue
            if path == SIGN_IN:
                assert answer.status != 500  # where one signs in by a key: it has tests of its own
                continue
            if path in OPEN or method == "OPTIONS":
                assert answer.status in (200, 204), (method, path)
                answered.add(path)
                continue
            assert answer.status == 401, (method, path)
            assert answer.field("www-authenticate") == "Bearer"
            if method != "HEAD":
                assert error_of(answer)["code"] == "unauthorized"
            asked.add(path)
    assert answered >= OPEN
    assert {EVENTS, RUNS, "/mcp", "/metrics", "/api/v1/mcp/tools", "/nothing/here"} <= asked


async def test_a_key_opens_them(app: Any, key: keys.Key) -> None:
    holder = KeyHolder(app, key.text)
    said = {"principal": f"key:{key.id}", "scopes": ["read", "write"], "claims": {}}
    for name in ("who", "asks_who"):
        assert (await holder.ask("POST", EVENTS, body={"tool": name})).wire.last["data"] == said
        assert (await holder.ask("GET", f"{EVENTS}?tool={name}")).wire.last["data"] == said
        result = (await holder.stateless("tools/call", {"name": name, "arguments": {}}))["result"]
        assert json.loads(result["content"][0]["text"]) == said
        session = await holder.initialize()
        called = await holder.in_session(session, "tools/call", name=name, arguments={})
        assert json.loads(response(called)["result"]["content"][0]["text"]) == said
    assert (await holder.ask("GET", "/metrics")).status == 200
    assert (await holder.ask("GET", "/mcp.json")).status == 200


async def test_two_fields_are_a_bad_request_and_nothing_of_them_comes_back(app: Any, key: keys.Key) -> None:
    for fields in (
        (bearer(key.text), bearer(key.text)),
        ((b"authorization", b"Basic Og=="), bearer(key.text)),
        (bearer(key.text), (b"authorization", b"")),
        ((b"authorization", b""), bearer(key.text)),
        (bearer(key.text + "a" * 65_536),),
    ):
        answer = await KeyHolder(app).ask("POST", EVENTS, *fields, body={"tool": "who"})
        assert (answer.status, error_of(answer)["code"]) == (400, "invalid_credentials")
        assert key.id not in answer.body.decode()


@pytest.mark.parametrize(
    ("field", "challenge"),
    [
        (b"Basic Og==", "Bearer"),
        (b"Bearer abc", 'Bearer error="invalid_token"'),
        (b"bearer mcpk_abc", 'Bearer error="invalid_token"'),
    ],
)
async def test_credentials_that_nobody_knows(app: Any, field: bytes, challenge: str) -> None:
    answer = await KeyHolder(app).ask("POST", "/mcp", (b"authorization", field), body={})
    assert (answer.status, answer.field("www-authenticate")) == (401, challenge)


async def test_a_page_of_an_allowed_origin_can_read_the_challenge(key_file: KeyFile, key: keys.Key) -> None:
    settings = with_keys(key_file, allowed_origins=("https://app.example.com",))
    async with running(create_app(settings, [who])) as client:
        origin = (b"origin", b"https://app.example.com")
        answer = await client.post(EVENTS, b"{}", origin).rest()
        assert answer.status == 401
        assert answer.field("access-control-allow-origin") == "https://app.example.com"
        assert "WWW-Authenticate" in (answer.field("access-control-expose-headers") or "")


async def test_other_machines_are_served_where_callers_are_known(key_file: KeyFile, key: keys.Key, lane: bool) -> None:
    app = create_app(with_keys(key_file, allowed_hosts=("10.0.0.7",)), [who], lane=lane)
    async with running(app):
        statuses = []
        for fields in ((), (bearer(key.text),)):
            scope = KeyHolder(app).client.scope("GET", "/metrics", fields, host=b"10.0.0.7")
            statuses.append((await Exchange(app, {**scope, "server": ("10.0.0.7", 443)}).answered()).status)
        assert statuses == [401, 200]


async def test_by_a_public_name_nobody_calls_unless_the_setting_says_so(lane: bool) -> None:
    for allow, status in ((False, 401), (True, 200)):
        settings = Settings(public_url=PUBLIC, allow_anonymous=allow)  # type: ignore[arg-type]
        async with running(create_app(settings, [who], lane=lane)) as client:
            for host in (b"localhost", b"tools.example.com"):
                body = json.dumps({"tool": "who"}).encode()
                assert (await client.post(EVENTS, body, host=host).rest()).status == status
            assert (await client.open("GET", "/healthz").rest()).status == 200


async def test_a_server_with_wrong_keys_does_not_start(key_file: KeyFile, key: keys.Key) -> None:
    key_file.path.chmod(0o644)
    app = asgi_app(who, settings=with_keys(key_file))
    with pytest.raises(NotStarted, match="others can reach the keys"):
        await app.startup()


# --- a verifier of an author's, and a host ---------------------------------------------------------------------------


def by_field(request: Request) -> Access | str | None:
    """The caller of a header field, whom everything that a verifier may look at names."""
    name = request.headers.get("x-name")
    if name is None:
        return None
    return Access(name, frozenset({"read"}), claims={"seen": [request.method, request.url, request.peer]})


async def test_a_verifier_of_an_authors_sees_the_request(lane: bool) -> None:
    app = create_app(Settings(), [who], verifiers=[by_field], lane=lane)
    async with running(app):
        answer = await KeyHolder(app).ask("POST", f"{EVENTS}?a=%20b", (b"x-name", b"ann"), body={"tool": "who"})
        assert answer.wire.last["data"] == {
            "principal": "ann",
            "scopes": ["read"],
            "claims": {"seen": ["POST", f"https://localhost{EVENTS}?a=%20b", "127.0.0.1"]},
        }
        assert (await KeyHolder(app).ask("POST", EVENTS, body={"tool": "who"})).status == 401
        server: Server = app.extensions["mcp_app"]
        assert (server.verifies, server.refuses_anonymous) == (True, True)


async def test_what_a_browser_adds_by_itself_counts_in_no_document_for_a_page_of_another_origin(lane: bool) -> None:
    """Neither its cookies nor its certificate, whoever verifies them; what the page itself has does."""

    def by_browser(request: Request) -> str | None:
        return request.headers.get("cookie") or request.certificate or request.headers.get("x-name")

    settings = Settings(allowed_origins=("https://app.example.com",))
    app = create_app(settings, [scoped], verifiers=[by_browser], lane=lane)
    foreign, listed = {"origin": "https://evil.example"}, {"origin": "https://app.example.com"}
    async with running(app):
        answer = app.extensions["mcp_app"].endpoint.answer
        for shown, given in (({"cookie": "ann"}, None), ({}, "PEM"), ({"x-name": "ann"}, None)):
            for origin in ({}, listed, foreign):
                headers = {"host": "localhost"} | shown | origin
                found = await answer(Request("GET", "/openapi.json", headers=headers, certificate=given))
                assert (b"/scoped" in found.body) == (origin is not foreign or "x-name" in shown), (shown, origin)


async def test_what_an_authors_verifier_raises_is_masked(lane: bool, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Request) -> str:
        raise LookupError("at secret-host")

    app = create_app(Settings(), [who], verifiers=[broken], lane=lane)
    async with running(app):
        answer = await KeyHolder(app).ask("POST", EVENTS, body={"tool": "who"})
        assert (answer.status, error_of(answer)["code"]) == (500, "internal_error")
        assert "secret-host" not in answer.body.decode()
        assert "secret-host" in caplog.text
        assert (await KeyHolder(app).ask("GET", "/healthz")).status == 200


async def test_in_a_host_keys_are_asked_first_and_then_its_sign_in(key_file: KeyFile, key: keys.Key) -> None:
    def access(scope: Mapping[str, Any]) -> Access | None:
        name = signed_in(scope)
        return None if name is None else Access(name, frozenset({"read"}), claims={"of": "the host"})

    async with stopped_after(asgi_app(who, settings=with_keys(key_file), principal=access)) as app:
        called = await KeyHolder(app, key.text).ask("POST", EVENTS, body={"tool": "who"})
        assert called.wire.last["data"]["principal"] == f"key:{key.id}"
        called = await Caller(app, "ann", prefix="").ask("POST", EVENTS, body={"tool": "who"})
        assert called.wire.last["data"] == {"principal": "ann", "scopes": ["read"], "claims": {"of": "the host"}}
        for path in ("/mcp.json", EVENTS):
            assert (await KeyHolder(app).ask("GET", path)).status == 401  # all but health is the host's


@pytest.mark.parametrize("name", ["key:abc", "certificate:x"])
async def test_a_host_cannot_name_a_caller_as_our_own_are_named(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with stopped_after(asgi_app(who, principal=lambda _: name)) as app:
        assert (await KeyHolder(app).ask("POST", EVENTS, body={"tool": "who"})).status == 500
        assert "returned a name that begins with key:" in caplog.text
