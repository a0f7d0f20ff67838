"""The whole of it with a real authorization server over TLS: challenge, metadata, code, token, call, 401 and 403."""

from __future__ import annotations

import base64
import json
import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from live_server import LiveServer, certificates, eventually, process
from provider import CLIENT, Person, authorization_server, free_port

TOOLS = """
from mcp_app import Context, tool

@tool(read_only=True, scopes=["write"])
def erase() -> str:
    return "erased"

@tool(read_only=True)
def whoami(ctx: Context) -> dict[str, object]:
    return {"principal": ctx.principal, "scopes": sorted(ctx.scopes or ()), "client": ctx.claims.get("client_id")}
"""


@contextmanager
def served(issuer: str, directory: Path, **settings: str) -> Iterator[tuple[LiveServer, httpx.Client, str]]:
    """The server, a client that trusts it, and its public URL."""
    (directory / "tools.py").write_text(TOOLS)
    port = free_port()
    url = f"https://localhost:{port}"
    env = {
        "SSL_CERT_FILE": str(certificates().authority),
        "MCP_APP_PUBLIC_URL": url,
        "MCP_APP_OAUTH_ISSUERS": issuer,
        "MCP_APP_OAUTH_SCOPES": "read",
        "MCP_APP_SCOPES": "admin>write>read",
    } | settings
    (directory / "hypercorn.toml").write_text(
        f'bind = ["127.0.0.1:{port}"]\ninsecure_bind = ["127.0.0.1:0"]\n'
        f'certfile = "{certificates().certificate}"\nkeyfile = "{certificates().key}"\n'
    )
    command = [sys.executable, "-m", "mcp_app", "serve", "tools.py", "--config", "hypercorn.toml"]
    trust = ssl.create_default_context(cafile=str(certificates().authority))
    with process(cwd=directory, env=env, command=command) as server, httpx.Client(verify=trust, timeout=30) as client:
        yield server, client, url


def call(client: httpx.Client, url: str, token: str | None, tool: str = "whoami") -> httpx.Response:
    headers = {"Accept": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    return client.post(f"{url}/api/v1/mcp/sse", json={"tool": tool, "params": {}}, headers=headers)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS256", "Ed25519"])
def test_from_the_challenge_to_a_call(algorithm: str, tmp_path: Path) -> None:
    with authorization_server(algorithm=algorithm) as issuer, served(issuer, tmp_path) as (server, client, url):
        refused = call(client, url, None)
        assert refused.status_code == 401
        challenge = refused.headers["www-authenticate"]
        assert 'scope="read"' in challenge
        assert "error=" not in challenge
        [metadata_url] = re.findall(r'resource_metadata="([^"]+)"', challenge)
        metadata = client.get(metadata_url).raise_for_status().json()
        assert metadata["authorization_servers"] == [issuer]
        assert metadata["resource"] == f"{url}/api/v1/mcp/sse"
        person = Person(metadata["authorization_servers"][0])
        token = person.token(metadata["resource"], "write")
        answer = call(client, url, token)
        assert answer.status_code == 200, answer.text + "\n".join(server.output)
        result = answer.json()["data"]
        assert result["principal"] == f"{issuer} alice"
        assert result["scopes"] == ["read", "write"]
        assert call(client, url, token, "erase").json()["data"] == "erased"
        lacking = call(client, url, person.token(metadata["resource"], "read"), "erase")
        assert lacking.status_code == 403
        assert 'error="insufficient_scope", scope="write"' in lacking.headers["www-authenticate"]
        other = call(client, url, person.token("https://elsewhere.test/mcp", "write"))
        assert other.status_code == 401
        assert 'error="invalid_token"' in other.headers["www-authenticate"]
        assert other.json()["error"]["code"] == "unauthorized"
        person.close()


def test_opaque_tokens_are_asked_for_and_end_when_they_are_revoked(tmp_path: Path) -> None:
    with (
        authorization_server(format="opaque") as issuer,
        served(
            issuer,
            tmp_path,
            MCP_APP_OAUTH_INTROSPECTION=f"{issuer}/token/introspection",
            MCP_APP_OAUTH_CLIENT_ID=CLIENT[0],
            MCP_APP_OAUTH_CLIENT_SECRET=CLIENT[1],
        ) as (_, client, url),
    ):
        person = Person(issuer)
        token = person.token(f"{url}/mcp", "read")
        assert "." not in token
        assert call(client, url, token).json()["data"]["principal"] == f"{issuer} alice"
        assert call(client, url, person.token("https://elsewhere.test", "read")).status_code == 401
        assert call(client, url, "no-token-of-anybody").status_code == 401
        person.revoke(token)
        eventually(lambda: call(client, url, token).status_code == 401)
        person.close()


def test_the_server_starts_without_its_issuer_and_finds_it_later(tmp_path: Path) -> None:
    port = free_port()
    with served(f"https://localhost:{port}", tmp_path) as (server, client, url):
        header, claims = ({"alg": "RS256", "kid": "x"}, {"iss": f"https://localhost:{port}", "aud": url, "sub": "a"})
        unknown = ".".join([*map(_part, (header, claims | {"exp": 4e9})), "c2ln"])
        refused = call(client, url, unknown)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "5"
        eventually(lambda: any("cannot be fetched" in line for line in server.output), server.output)
        with authorization_server(port=port) as issuer:
            person = Person(issuer)
            token = person.token(url, "read")
            eventually(lambda: call(client, url, token).status_code == 200, server.output)
            person.close()
        assert len([line for line in server.output if "cannot be fetched" in line]) == 1
        eventually(lambda: any("can be fetched again" in line for line in server.output), server.output)


def _part(value: object) -> str:

    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
