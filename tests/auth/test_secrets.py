"""Secrets are planted in every door of a running server, and looked for in all that it gives away.

In its logs at the lowest level, its audit log, its metrics, its pages and documents, its errors, and what other callers
get. What an author's own code writes or raises is the author's.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_server import eventually, process
from planted import Planted, spellings

SSE, RUNS, MCP, TOOLS_PATH = "/api/v1/mcp/sse", "/api/v1/mcp/runs", "/mcp", "/api/v1/mcp/tools"
EVENTS = "text/event-stream"

TOOLS = '''
import asyncio
from pydantic import BaseModel, SecretStr
from mcp_app import Context, resource, tool

class Account(BaseModel):
    name: str
    pin: SecretStr
    number: int

@tool(read_only=True)
def act(token: str, number: int = 1) -> int:
    """Act."""
    return number

@tool
def fail(token: str, account: Account) -> int:
    """Fail."""
    kept = [token, account, account.pin.get_secret_value()]
    raise RuntimeError(f"a defect in {len(kept)} things")

@tool
async def wait(token: str, ctx: Context) -> int:
    """Wait."""
    await ctx.progress(1)
    await asyncio.sleep(60)
    return 1

@tool(placement="process")
def compute(token: str) -> int:
    """Compute."""
    raise RuntimeError("a defect elsewhere")

@resource("note://{name}")
def note(name: str) -> str:
    """A note."""
    raise RuntimeError("a defect of a note")
'''

DOCUMENTS = [
    *("/", "/healthz", "/readyz", "/metrics", "/mcp.json", "/openapi.json", "/api/v1/mcp/tools", "/robots.txt"),
    *("/.well-known/mcp.json", "/.well-known/mcp/server-card.json", "/.well-known/ai-catalog.json"),
]


@dataclass
class Attempts:
    """Requests with secrets in them, and what was answered."""

    http: httpx.Client
    planted: Planted
    key: str
    found: list[str] = field(default_factory=list)

    def send(self, door: str, method: str, path: str, **options: Any) -> httpx.Response:
        """The secret of this door must not be in the answer either, nor any of another door."""
        headers = {"authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        answer = self.http.request(method, path, headers=headers, **options)
        said = f"{answer.status_code} {dict(answer.headers)} {answer.text}"
        self.found += self.planted.found(f"the answer to {door}", said)
        return answer

    def call(self, tool: str, params: Any, **headers: str) -> httpx.Response:
        return self.send(tool, "POST", SSE, json={"tool": tool, "params": params}, headers=headers)

    def rpc(self, method: str, params: dict[str, Any], **headers: str) -> httpx.Response:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "planter", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, **params}}
        fields = {"accept": f"application/json, {EVENTS}", "mcp-protocol-version": "2026-07-28", "mcp-method": method}
        if "name" in params or "uri" in params:
            fields["mcp-name"] = params.get("name", params.get("uri", ""))
        return self.send(method, "POST", MCP, json=body, headers={**fields, **headers})


def credentials(a: Attempts) -> None:
    """All that is no key of this server's, and one that is, beside them."""
    secret = a.planted.secret
    key = a.key
    wrong = {
        "an unknown token": f"Bearer {secret('an unknown token')}",
        "a key of another server": f"Bearer {key[:17]}{secret('a key of another server')}",
        "a key cut short": f"Bearer {a.planted.known('a key cut short', key[:40])}",
        "Basic": f"Basic {secret('Basic')}==",
        "garbage": f"{secret('garbage')} = , {secret('more garbage')}",
        "a scheme": secret("a scheme"),
        "a large token": f"Bearer {secret('a large token') * 1000}",
    }
    for door, value in wrong.items():
        assert a.send(door, "GET", TOOLS_PATH, headers={"authorization": value}).status_code in (400, 401)
    fields = ("cookie", "x-api-key", "proxy-authorization", "x-auth-token", "x-forwarded-for", "forwarded", "referer")
    more = ("user-agent", "last-event-id", "traceparent", "tracestate", "baggage", "x-requested-with", "from")
    for name in (*fields, *more):
        value = secret(f"the field {name}")
        a.send(name, "GET", TOOLS_PATH, headers={name: f"a={value}"})
        a.call("act", {"token": "x"}, **{name: f"a={value}"})


def queries(a: Attempts) -> None:
    for number, path in enumerate((*DOCUMENTS, SSE, RUNS, MCP, "/nowhere", f"{RUNS}/{'0' * 32}")):
        value = a.planted.secret(f"the query of {path} {number}")
        a.send(path, "GET", f"{path}?access_token={value}&ticket={value}&x", headers={"accept": "application/json"})
    value = a.planted.secret("a parameter in a query")
    run = a.planted.secret("a run key")
    twice = f"tool=act&token={value}&token={value}&%zz"
    for query in (f"tool=act&token={value}&run={run}", f"tool=act&token={value}&number=x", twice):
        a.send("a call by EventSource", "GET", f"{SSE}?{query}", headers={"accept": EVENTS})


def bodies(a: Attempts) -> None:
    secret = a.planted.secret
    assert a.call("act", {"token": secret("a parameter")}).status_code == 200
    assert a.call("act", {"token": secret("beside what is wrong"), "number": "x"}).status_code == 422
    assert a.call("act", {"token": [secret("what is wrong")]}).status_code == 422
    assert a.call("act", {"token": "x", "number": secret("a wrong number")}).status_code == 422
    assert a.call("act", {"token": "x", "other": secret("an unknown parameter")}).status_code == 422
    pin = {"name": secret("in a model"), "pin": secret("a SecretStr"), "number": 1}
    assert "tool_failed" in a.call("fail", {"token": secret("to a tool that fails"), "account": pin}).text
    assert "tool_failed" in a.call("compute", {"token": secret("to a process")}).text
    for door, text in {
        "a broken body": '{"tool": "act", "params": {"token": "%s", }}',
        "a body twice": '{"tool": "act", "params": {"token": "%s", "token": 1}}',
        "a body of text": "token=%s",
        "a large body": '{"tool": "act", "params": {"token": "%s"}}' + " " * 1_100_000,
        "a deep body": "[" * 100 + '"%s"' + "]" * 100,
    }.items():
        answer = a.send(door, "POST", SSE, content=text % secret(door), headers={"content-type": "application/json"})
        assert answer.status_code in (400, 413)
    a.send("a form", "POST", SSE, content=f"token={secret('a form')}", headers={"content-type": "text/plain"})


def mcp(a: Attempts) -> None:
    secret = a.planted.secret
    assert a.rpc("tools/call", {"name": "act", "arguments": {"token": secret("MCP arguments")}}).status_code == 200
    a.rpc("tools/call", {"name": "act", "arguments": {"token": [secret("wrong MCP arguments")]}})
    a.rpc("tools/call", {"name": "fail", "arguments": {"token": secret("MCP: a tool that fails"), "account": 1}})
    state = {"requestState": secret("requestState"), "inputResponses": {"a": {"action": secret("an answer")}}}
    a.rpc("tools/call", {"name": "act", "arguments": {"token": "x"}, **state})
    a.rpc("tools/call", {"name": "act", "arguments": {"token": "x"}}, **{"mcp-param-token": secret("mcp-param")})
    a.rpc("resources/read", {"uri": "note://x"}, **{"mcp-session-id": secret("mcp-session-id")})
    a.rpc("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}, "argument": secret("a completion")})
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "planter", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    accept = {"accept": f"application/json, {EVENTS}"}
    opened = a.send("initialize", "POST", MCP, json=body, headers=accept)
    session = opened.headers["mcp-session-id"]
    a.planted.known("an MCP session", session)
    with_session = {**accept, "mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
    arguments = {"token": secret("a session's arguments")}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "act", "arguments": arguments}}
    a.send("a session's call", "POST", MCP, json=call, headers=with_session)
    a.send("the end of a session", "DELETE", MCP, headers=with_session)


def runs(a: Attempts) -> None:
    """A run's id opens it: whoever may be asked for it gets it, and nobody else."""
    secret = a.planted.secret
    body = {"tool": "wait", "params": {"token": secret("a detached run")}}
    answer = a.send("a detached run", "POST", RUNS, json=body)
    assert answer.status_code == 202
    run = answer.json()["id"]
    a.send("its state", "GET", f"{RUNS}/{run}")
    a.send("its end", "DELETE", f"{RUNS}/{run}")
    with a.http.stream("POST", SSE, json=body, headers={"authorization": f"Bearer {a.key}", "accept": EVENTS}) as left:
        next(left.iter_lines())  # and leave
    a.planted.known("a run's id", run)


def browsers(a: Attempts) -> None:
    """What stands for a key in a browser: the answer that gives it has it, and nothing else does."""
    mine = {"authorization": f"Bearer {a.key}"}
    signed_in = a.http.post("/page/sign-in", headers={**mine, "origin": str(a.http.base_url).rstrip("/")})
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    a.planted.known("a sign-in", cookie.partition("=")[2])
    run = secrets.token_hex(16)
    ticket = a.http.post("/api/v1/mcp/tickets", json={"run": run}, headers=mine).json()["ticket"]
    a.planted.known("a ticket", ticket)
    a.http.cookies.clear()
    call = f"{SSE}?tool=act&token=x&access_ticket={ticket}&run="
    with_cookie, with_nothing = {"cookie": cookie}, {"accept": EVENTS}
    for method, path, fields, status in (
        *(("GET", path, with_cookie, None) for path in DOCUMENTS),
        ("GET", "/page/sign-in", with_cookie, 200),
        ("POST", "/page/sign-in", with_cookie, 401),
        ("GET", call + run, with_nothing, 200),
        ("GET", call + run[1:], with_nothing, 401),
        ("GET", f"{call}{run}&number=x", with_nothing, 422),
        ("POST", call + run, with_nothing, 401),
        ("GET", f"/nowhere?access_ticket={ticket}", with_nothing, 401),
        ("DELETE", "/page/sign-in", with_cookie, 204),
    ):
        answer = a.http.request(method, path, headers=fields)
        assert status in (None, answer.status_code), (method, path, answer.text)
        said = f"{dict(answer.headers)} {answer.text}"
        a.found += a.planted.found(f"the answer to {method} {path} in a browser", said)
    wrong, no_ticket = a.planted.secret("a wrong cookie"), a.planted.secret("no ticket")
    a.send("a wrong cookie", "GET", TOOLS_PATH, headers={"cookie": f"__Host-mcp_app={wrong}"})
    a.send("no ticket", "GET", f"{SSE}?tool=act&token=x&run={run}&access_ticket={no_ticket}")


def raw(port: int, tls_port: int, planted: Planted) -> None:
    """What is no HTTP, and what is refused before anybody sees it as a request."""
    secret = planted.secret
    for door, text in {
        "a broken line": "GET /?{} HTTP/9.9\r\n\r\n",
        "a broken field": "GET / HTTP/1.1\r\nHost: localhost\r\nAuthori zation: Bearer {}\r\n\r\n",
        "a field without end": "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: {}" + "a" * 70_000 + "\r\n\r\n",
        "two fields": "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {0}\r\n"
        "Authorization: x{0}\r\n\r\n",
        "a wrong length": "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        "chunks": "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n",
        "h2c": "GET /?{} HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: A\r\n\r\n",
        "a target with a user": "GET http://user:{}@localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "a WebSocket": "GET /?{} HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    }.items():
        data = text.format(secret(door)).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            talk(plain, data)
        with socket.create_connection(("127.0.0.1", tls_port), timeout=10) as below:
            context = any_certificate("http/1.1")
            with context.wrap_socket(below, server_hostname="localhost") as secure:
                talk(secure, data)
    with socket.create_connection(("127.0.0.1", tls_port), timeout=10) as plain:
        talk(plain, f"GET /?{secret('plain HTTP to TLS')} HTTP/1.1\r\n\r\n".encode())


def any_certificate(*alpn: str) -> ssl.SSLContext:
    """The process makes one of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context


def talk(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR) if not isinstance(connection, ssl.SSLSocket) else None
        connection.settimeout(2)
        while connection.recv(65536):
            pass
    except OSError:
        return  # closed, or silent, which is an answer


@pytest.fixture(params=["text", "json"])
def way(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.time_bound(180)
def test_no_secret_that_goes_in_comes_out(tmp_path: Path, way: str) -> None:
    planted = Planted()
    (tmp_path / "tools.py").write_text(TOOLS)
    env = {
        "MCP_APP_SECRET": planted.secret("MCP_APP_SECRET"),
        "MCP_APP_KEYS": str(tmp_path / "keys.json"),
        "MCP_APP_AUDIT_LOG": str(tmp_path / "audit.jsonl"),
        "OPENAI_API_KEY": planted.secret("the environment"),
    }
    keys = [made_key(tmp_path, env, name) for name in ("ada", "bob")]
    planted.known("a key", keys[0])
    planted.known("its secret", keys[0].rpartition("_")[2][12:])
    with process("tools.py", "--log-level", "debug", "--log-format", way, cwd=tmp_path, env=env) as server:
        found = list[str]()
        for url, options in ((server.url, {}), (server.tls_url, {"http2": True, "verify": any_certificate("h2")})):
            with httpx.Client(base_url=url, timeout=30, **options) as client:  # type: ignore[arg-type]
                attempts = Attempts(client, planted_for(planted, url), keys[0])
                for part in (credentials, queries, bodies, mcp, runs, browsers):
                    part(attempts)
                found += attempts.found
                planted.doors |= {f"{door} ({url[:5]})": value for door, value in attempts.planted.doors.items()}
        raw(server.port, server.tls_port, planted)
        with httpx.Client(base_url=server.url, timeout=30) as client:
            for headers in ({}, {"authorization": f"Bearer {keys[1]}"}):
                for path in DOCUMENTS:
                    answer = client.get(path, headers=headers)
                    found += planted.found(f"{path} for {'another' if headers else 'anybody'}", answer.text)
        eventually(lambda: any("healthz" in line for line in server.output), server.output)
    log = "\n".join(server.output)
    assert log.count("a defect") >= 3  # what failed is in it
    assert len((tmp_path / "audit.jsonl").read_text().splitlines()) > 20
    found += planted.found("the log", log)
    found += planted.found("the audit log", (tmp_path / "audit.jsonl").read_text())
    found += planted.found("the file of keys", (tmp_path / "keys.json").read_text())
    assert not found, "\n".join(sorted(set(found)))
    assert len(planted.doors) > 120


class Echo(http.server.BaseHTTPRequestHandler):
    """An authorization server that is broken, and answers with all that it was sent."""

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers.get("content-length", 0))) + str(self.headers).encode()
        self.send_response(500)
        self.send_header("Content-Length", str(len(said)))
        self.send_header("X-Said", self.headers.get("authorization", ""))
        self.end_headers()
        self.wfile.write(said)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        return


def test_what_goes_to_an_authorization_server_stays_between_the_two(tmp_path: Path) -> None:
    planted = Planted()
    (tmp_path / "tools.py").write_text(TOOLS)
    broken = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=broken.serve_forever, daemon=True).start()
    issuer = f"http://127.0.0.1:{broken.server_address[1]}"
    env = {
        "MCP_APP_PUBLIC_URL": "http://localhost",
        "MCP_APP_OAUTH_ISSUERS": issuer,
        "MCP_APP_OAUTH_INTROSPECTION": f"{issuer}/introspect",
        "MCP_APP_OAUTH_CLIENT_ID": "tools",
        "MCP_APP_OAUTH_CLIENT_SECRET": planted.secret("the client's secret"),
    }
    found = list[str]()
    try:
        with (
            process("tools.py", "--log-level", "debug", cwd=tmp_path, env=env) as server,
            httpx.Client(base_url=server.url, timeout=30) as client,
        ):
            for door in ("a token", "another token"):
                field = f"Bearer {planted.secret(door)}"
                answer = client.get(TOOLS_PATH, headers={"authorization": field})
                assert answer.status_code >= 400
                found += planted.found(f"the answer to {door}", f"{dict(answer.headers)} {answer.text}")
            found += planted.found("the metrics", client.get("/metrics").text)
    finally:
        broken.shutdown()
        broken.server_close()
    found += planted.found("the log", "\n".join(server.output))
    assert not found


def planted_for(planted: Planted, url: str) -> Planted:
    """New secrets by this way in, beside those that hold for all."""
    mine = Planted()
    mine.doors = {door: planted.doors[door] for door in ("MCP_APP_SECRET", "the environment", "a key", "its secret")}
    return mine


def made_key(directory: Path, env: dict[str, str], name: str) -> str:
    command = [sys.executable, "-m", "mcp_app", "keys", "add", name]
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **env}, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.splitlines()[-1].strip()


def test_what_is_planted_is_found_however_it_is_written() -> None:
    planted = Planted()
    secret = planted.secret("a door")
    for text in (
        secret,
        json.dumps({"x": [secret]}),
        secret.upper(),
        base64.b64encode(f"user:{secret}".encode()).decode(),
    ):
        assert list(planted.found("here", f"something {text} more")) == ["a door: in here"]
    assert list(planted.found("here", "nothing", ())) == []
    assert secret in spellings(secret)
