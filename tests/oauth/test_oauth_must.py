"""What the authorization texts of MCP demand of a server, through the whole of ours: tests/requirements names these."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from guarded import ENDPOINTS, REVISIONS, Guarded, field, guarded, value
from oauth_tokens import EC, ISSUER, NOW, OTHER_EC, RSA, SERVER, claims, part, signed
from pydantic import ValidationError

from mcp_app import Settings

METADATA = "/.well-known/oauth-protected-resource"


@pytest.fixture
async def server() -> AsyncIterator[Guarded]:
    async with guarded() as made:
        yield made


each_revision = pytest.mark.parametrize("revision", REVISIONS)


@each_revision
@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_request_without_a_token_is_told_where_the_metadata_are(
    server: Guarded, path: str, revision: str
) -> None:
    headers, body = REVISIONS[revision]
    answer = await server.ask(path=path, body=body, **headers)
    assert answer.status == 401
    challenge = field(answer, "www-authenticate")
    assert challenge == f'Bearer resource_metadata="{SERVER}{METADATA}{path}", scope="read"'
    assert value(answer)["error"]["code"] == "unauthorized"
    assert server.ran == []


@pytest.mark.parametrize("path", ["", *ENDPOINTS])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_the_metadata_of_each_resource_are_for_everybody(server: Guarded, path: str, method: str) -> None:
    answer = await server.ask(method, METADATA + path, origin="https://anybody.test")
    assert answer.status in (200, 204)
    assert field(answer, "access-control-allow-origin") == "*"
    if method == "GET":
        assert field(answer, "content-type") == "application/json"
        document = value(answer)
        assert document["resource"] == SERVER + path
        assert document["authorization_servers"] == [ISSUER]
        assert document["bearer_methods_supported"] == ["header"]
        assert document["scopes_supported"] == ["read"]
        again = await server.ask("GET", METADATA + path, if_none_match=field(answer, "etag"))
        assert again.status == 304
        for each in (answer, again):
            assert field(each, "cache-control") == "public, max-age=300"


async def test_other_paths_have_no_metadata(server: Guarded) -> None:
    assert (await server.ask("GET", f"{METADATA}/other")).status == 404
    assert (await server.ask("POST", METADATA)).status == 405


def none_at_all() -> str:
    return f"{part({'alg': 'none'})}.{part(claims())}."


BAD = {
    "audience": lambda: signed(claims(aud="https://other.test/mcp")),
    "no audience": lambda: signed(claims(aud=None)),
    "issuer": lambda: signed(claims(iss="https://other.test")),
    "expired": lambda: signed(claims(exp=NOW - 60)),
    "not yet": lambda: signed(claims(nbf=NOW + 60)),
    "no end": lambda: signed(claims(exp=None)),
    "key": lambda: signed(claims(), OTHER_EC, kid=EC.kid),
    "key id": lambda: signed(claims(), kid="unknown"),
    "key of another": lambda: signed(claims(), RSA, "RS256"),
    "algorithm none": none_at_all,
    "an id token's type": lambda: signed(claims(), typ="id+jwt"),
    "no subject": lambda: signed(claims(sub=None)),
    "changed": lambda: re.sub(r"\.[^.]+\.", f".{part(claims(scope='admin'))}.", signed(claims())),
    "opaque": lambda: "SlAV32hkKG",
    "long": lambda: signed(claims(more="a" * 11_000), OTHER_EC, kid=EC.kid),
}


@each_revision
@pytest.mark.parametrize("name", BAD)
async def test_a_token_that_is_not_for_this_server_or_no_longer_valid_is_401(
    server: Guarded, name: str, revision: str
) -> None:
    await server.whoami(signed(claims()))
    server.ran.clear()
    headers, body = REVISIONS[revision]
    path = ENDPOINTS[0]  # which speaks all of them
    answer = await server.ask(path=path, body=body, token=BAD[name](), **headers)
    assert answer.status == 401
    assert 'error="invalid_token"' in field(answer, "www-authenticate")
    assert f'resource_metadata="{SERVER}{METADATA}{path}"' in field(answer, "www-authenticate")
    assert set(value(answer)) == {"type", "error"}
    assert server.ran == []
    good = await server.ask(path=path, body=body, token=signed(claims()), **headers)
    assert good.status == 200, "nobody else is affected"


@pytest.mark.parametrize("audience", [SERVER, *(SERVER + path for path in ENDPOINTS), f"{SERVER}/"])
async def test_the_server_and_each_endpoint_is_an_audience(server: Guarded, audience: str) -> None:
    assert (await server.whoami(signed(claims(aud=audience)))).status == 200


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer a b", "Bearer a, Bearer b", "Bearer " + "a" * 65_536, 'Bearer "a"', "Bearer é"],
    ids=lambda text: text[:20],
)
async def test_malformed_credentials_are_400(server: Guarded, authorization: str) -> None:
    answer = await server.whoami(None, authorization=authorization)
    assert answer.status == 400
    assert value(answer)["error"]["code"] == "invalid_credentials"
    assert server.ran == []


async def test_other_schemes_are_401_with_a_challenge(server: Guarded) -> None:
    for scheme in ("Basic", "DPoP", "Digest"):
        answer = await server.whoami(None, authorization=f"{scheme} {base64.b64encode(b'alice:secret').decode()}")
        assert answer.status == 401
        assert field(answer, "www-authenticate").startswith("Bearer resource_metadata=")


@pytest.mark.parametrize("name", ["access_token", "authorization", "token"])
async def test_a_token_in_the_query_or_the_body_is_none(server: Guarded, name: str) -> None:
    token = signed(claims())
    answer = await server.ask("GET", ENDPOINTS[0], query=f"tool=whoami&{name}={token}".encode())
    assert answer.status == 401
    answer = await server.ask(path=ENDPOINTS[0], body={"tool": "whoami", "params": {}, name: token})
    assert answer.status == 401


async def test_a_caller_is_its_issuer_and_subject(server: Guarded) -> None:
    first = value(await server.whoami(signed(claims())))["data"]
    second = value(await server.whoami(signed(claims(jti="2", client_id="another", exp=NOW + 60))))["data"]
    other = value(await server.whoami(signed(claims(sub="bob"))))["data"]
    assert first["principal"] == second["principal"] == f"{ISSUER} alice"
    assert other["principal"] == f"{ISSUER} bob"
    assert second["claims"]["client_id"] == "another"


async def test_broader_scopes_imply_narrower_ones() -> None:
    async with guarded(hierarchy="admin>write>read") as server:
        data = value(await server.whoami(signed(claims(scope="write"))))["data"]
        assert data["scopes"] == ["read", "write"]


async def test_a_token_is_asked_for_in_every_request(server: Guarded) -> None:
    """Also in the same session."""
    headers, body = REVISIONS["2025-11-25"]
    opened = await server.ask(body=body, token=signed(claims()), **headers)
    session = field(opened, "mcp-session-id")
    assert session
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    assert (await server.ask(body=ping, token=signed(claims(jti="2")), mcp_session_id=session)).status == 200
    assert (await server.ask(body=ping, mcp_session_id=session)).status == 401
    expired = signed(claims(exp=NOW - 60))
    assert (await server.ask(body=ping, mcp_session_id=session, token=expired)).status == 401
    another = signed(claims(sub="bob"))
    assert (await server.ask(body=ping, mcp_session_id=session, token=another)).status == 404


async def test_a_token_expires_while_it_is_in_use(server: Guarded) -> None:
    token = signed(claims())
    assert (await server.whoami(token)).status == 200
    server.clock.now = NOW + 631
    answer = await server.whoami(token)
    assert answer.status == 401
    assert "expired" in value(answer)["error"]["message"]


async def test_an_outage_of_the_issuer_is_503_and_no_challenge(server: Guarded) -> None:
    """A 401 would have clients throw their tokens away."""
    server.web.answers.clear()
    answer = await server.whoami(signed(claims()))
    assert answer.status == 503
    assert field(answer, "retry-after") == "5"
    assert field(answer, "www-authenticate") == ""


async def test_nothing_of_a_token_goes_anywhere(server: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "a-claim-that-is-nobodys-business"
    answers = []
    for token in (signed(claims(private=secret)), signed(claims(aud="x", private=secret)), signed(claims(), OTHER_EC)):
        answers.append(await server.ask(body=REVISIONS["2025-11-25"][1], token=token))
        said = caplog.text + "".join(str((each.headers, each.body)) for each in answers)
        for piece in (token, *token.split(".")[1:], secret):
            assert piece not in said
        assert all(token not in url for url in server.web.asked)
        assert all(form == "" for form in server.web.forms)


@pytest.mark.parametrize(
    ("issuers", "says"),
    [
        ("http://id.test", "is https"),
        ("id.test", "an issuer is an address"),
        ("ftp://id.test", "an issuer is an address"),
        ("https://id.test?x=1", "query or a fragment"),
        ("https://u:secret@id.test", "user or a password"),
        ("https://id.test, https://id.test", "stands there twice"),
        ("https://id.test=keys", "keys is an address"),
        ("https://id te.st", "an issuer is an address"),
    ],
)
def test_issuers_are_https(issuers: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says) as raised:
        Settings(public_url=SERVER, oauth_issuers=issuers)
    assert "secret" not in str(raised.value)


def test_what_issuers_may_be() -> None:
    settings = Settings(
        public_url=SERVER,
        oauth_issuers="https://a.test/, http://localhost:8080/realms/x=http://keycloak:8080/certs?a=b,",
        oauth_scopes="read write,admin",
        oauth_audiences="api://tools, x",
    )
    assert settings.key_addresses == {
        "https://a.test/": "",
        "http://localhost:8080/realms/x": "http://keycloak:8080/certs?a=b",
    }
    assert settings.oauth_scopes == ("read", "write", "admin")
    assert settings.oauth_audiences == ("api://tools", "x")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"oauth_issuers": ISSUER}, "MCP_APP_PUBLIC_URL"),
        ({"oauth_client_id": "x"}, "MCP_APP_OAUTH_INTROSPECTION"),
        ({"oauth_introspection": ISSUER, "public_url": SERVER, "oauth_issuers": ISSUER}, "MCP_APP_OAUTH_CLIENT_ID"),
        (
            {"oauth_introspection": ISSUER, "oauth_client_id": "x", "oauth_client_secret": "y"},
            "MCP_APP_OAUTH_ISSUERS",
        ),
        ({"oauth_introspection": "x"}, "introspection endpoint is an address"),
        ({"oauth_scopes": 'a"b'}, "is no scope"),
    ],
    ids=str,
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Settings(**settings)


ERASE: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "2025-11-25": ({}, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "erase"}}),
    "2026-07-28": (
        {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "erase"},
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "erase", **REVISIONS["2026-07-28"][1]["params"]},
        },
    ),
    "plain": ({}, {"tool": "erase", "params": {}}),
}


@pytest.mark.parametrize("revision", ERASE)
async def test_a_scope_that_is_missing_is_403_and_all_of_the_operation_are_named(revision: str) -> None:
    """Step-up: the client has its user agree to them, and calls again."""
    async with guarded(hierarchy="admin>write, admin>delete") as server:
        headers, body = ERASE[revision]
        path = ENDPOINTS[0]
        if revision == "2025-11-25":
            opened = await server.ask(path=path, body=REVISIONS[revision][1], token=signed(claims()))
            headers = {"mcp-session-id": field(opened, "mcp-session-id")}
        for scope in ("read", "read write", "delete"):
            answer = await server.ask(path=path, body=body, token=signed(claims(scope=scope)), **headers)
            assert answer.status == 403
            challenge = field(answer, "www-authenticate")
            assert challenge.startswith('Bearer error="insufficient_scope"')
            assert 'scope="delete write"' in challenge
            assert f'resource_metadata="{SERVER}{METADATA}{path}"' in challenge
            assert server.ran == []
        for scope in ("write delete", "admin"):
            answer = await server.ask(path=path, body=body, token=signed(claims(scope=scope)), **headers)
            assert answer.status == 200, answer
        assert server.ran == ["erase", "erase"]
