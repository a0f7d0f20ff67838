"""Over TLS: who shows a certificate is somebody, by the lane, by Quart and in an application of somebody's own, over
HTTP/2 and HTTP/1.1; and what that application is told of TLS."""

from __future__ import annotations

import json
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from client_certificates import COMMON, COMPANY, Issuer, certificate_of, showing
from cryptography import x509
from defects import lifespan
from hypothesis import given
from hypothesis import strategies as st
from live_server import serving
from quart import Quart

from mcp_app import Settings, create_app, tool
from mcp_app.authoring.context import Context
from mcp_app.mounting import blueprint
from mcp_app.server.engine import tls_extension


@tool
async def whoami(ctx: Context) -> list[Any]:
    """Says who calls."""
    return [ctx.principal, None if ctx.scopes is None else sorted(ctx.scopes)]


SETTINGS = Settings(client_certificates="uri:spiffe://example.org/agents/* -> read; dns:jobs.example.org -> *")


async def call(url: str, tls: ssl.SSLContext, *, http2: bool = True, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(verify=tls, http2=http2, trust_env=False, timeout=20) as client:
        fields = {"accept": "application/json", **headers}
        return await client.post(f"{url}/api/v1/mcp/sse", json={"tool": "whoami"}, headers=fields)


def hosted() -> Quart:
    app = Quart("host")
    app.register_blueprint(blueprint(whoami, settings=SETTINGS))
    return app


APPLICATIONS = {
    "lane": lambda: create_app(SETTINGS, [whoami]),
    "quart": lambda: create_app(SETTINGS, [whoami], lane=False),
    "host": hosted,
}


@pytest.mark.parametrize("http2", [True, False], ids=["h2", "h1"])
@pytest.mark.parametrize("kind", APPLICATIONS)
async def test_who_calls_is_in_the_certificate(kind: str, http2: bool, tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    alpn = "h2" if http2 else "http/1.1"
    agent = showing(issuer.issue(uris=["spiffe://example.org/agents/7"]), alpn)
    job = showing(issuer.issue(dns=["jobs.example.org"]), alpn)
    stranger = showing(issuer.issue(uris=["spiffe://example.org/people/7"]), alpn)
    async with serving(APPLICATIONS[kind](), ca_certs=str(issuer.ca)) as server:
        answer = await call(server.tls_url, agent, http2=http2)
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        assert answer.json()["data"] == ["certificate:uri:spiffe://example.org/agents/7", ["read"]]
        answer = await call(server.tls_url, job, http2=http2)
        assert answer.json()["data"] == ["certificate:dns:jobs.example.org", None]
        for tls in (stranger, showing(None, alpn)):
            answer = await call(server.tls_url, tls, http2=http2)
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "unauthorized"
        answer = await call(server.url, agent, http2=False)  # without TLS nobody shows anything
        assert answer.status_code == 401


async def test_a_certificate_does_not_help_who_has_wrong_credentials(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    agent = showing(issuer.issue(uris=["spiffe://example.org/agents/7"]))
    async with serving(create_app(SETTINGS, [whoami]), ca_certs=str(issuer.ca)) as server:
        assert (await call(server.tls_url, agent, authorization="Bearer wrong")).status_code == 401


class Telling:
    """Answers with the TLS extension of its scope."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = json.dumps(scope["extensions"].get("tls", "none"))
        await send({"type": "http.response.body", "body": body.encode()})


async def told(tls: ssl.SSLContext | None, **settings: Any) -> Any:
    async with (
        serving(Telling(), **settings) as server,
        httpx.AsyncClient(verify=tls or True, http2=True, trust_env=False, timeout=20) as client,
    ):
        return (await client.get(f"{server.tls_url if tls else server.url}/")).json()


async def test_an_application_is_told_of_tls(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    path = issuer.issue([(COMPANY, 'Example, "Ltd"'), (COMMON, "ops+1")])
    assert await told(showing(path), ca_certs=str(issuer.ca)) == {
        "server_cert": None,
        "client_cert_chain": [certificate_of(path)],
        "client_cert_name": r"CN=ops\+1,O=Example\, \"Ltd\"",
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": 0x1302,
    }


@given(st.text(' #\\,+"<>;=\0ab', min_size=1, max_size=6))
def test_a_subject_is_written_as_rfc_4514_has_it(value: str) -> None:
    """As the verifier reads it (`auth.certificates`), which has cryptography; here it need not be installed."""
    written = x509.Name([x509.NameAttribute(COMMON, value)]).rfc4514_string()
    assert tls_extension._distinguished_name(((("commonName", value),),)) == written


async def test_without_a_certificate_it_is_told_the_rest() -> None:
    tls = showing(None)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    tls.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    found = await told(tls)
    assert (found["tls_version"], found["cipher_suite"]) == (0x0303, 0xC02B)
    assert (found["client_cert_chain"], found["client_cert_name"]) == ([], None)


async def test_without_tls_it_is_told_nothing() -> None:
    assert await told(None) == "none"


async def test_an_expired_certificate_makes_no_connection(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    expired = showing(issuer.issue(life=-timedelta(minutes=1), uris=["spiffe://example.org/agents/7"]))
    async with serving(create_app(SETTINGS, [whoami]), ca_certs=str(issuer.ca)) as server:
        with pytest.raises(httpx.TransportError):
            await call(server.tls_url, expired)
