"""Requests as careless and hostile clients send them, in every dialect, as data. Not a test.

A request refers to what came before it by placeholders, `{run}`, `{session}` …, which stand for one of those that the
world has seen; `{mark}` for what only its sender may read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

SSE = "/api/v1/mcp/sse"
TOOLS = "/api/v1/mcp/tools"
RUNS = "/api/v1/mcp/runs"
MODERN = "2026-07-28"
REVISIONS = (MODERN, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
PLACES = ("run", "session", "task", "event", "key", "state", "visit")

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Step:
    """One request. `who` sends it; `pick` chooses among what a placeholder may stand for; `waits`: nobody can say when
    it is answered; `raw`: these bytes in the place of all else."""

    method: str = "GET"
    path: str = "/"
    headers: Headers = ()
    body: bytes | None = None
    who: str = "a"
    pick: int = 0
    waits: bool = False
    raw: bytes | None = None


NASTY = (
    *("", " ", "\x00", "a\r\nX-Injected: 1", "\u2028", "\ufeff", "../../etc/passwd", "..%2f..", "%00", "{}", "null"),
    *("\u0663", "1e5", "NaN", "-0", "true", "<script>", "a" * 5000, "\U0010ffff", "' OR 1=1 --", "${jndi:x}", "\ud800"),
    *("(a+)+$", "=?utf-8?q?x?=", "0x10", "--1", "{run}", "*", "a,b", '"', "\\", "\x1b[31m"),
)

texts = st.one_of(st.text(max_size=20), st.sampled_from(NASTY))
numbers = st.one_of(
    st.integers(),
    st.sampled_from([2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**100, -1, 0, 101]),
    st.floats(),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, st.just("{mark}"))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=6,
)
trees = st.recursive(
    st.fixed_dictionaries({"name": texts}),
    lambda inner: st.fixed_dictionaries({"name": st.just("{mark}"), "children": st.lists(inner, max_size=3)}),
    max_leaves=4,
)


def dumped(value: Any) -> bytes:
    """As a client with a lax encoder writes it: NaN, lone surrogates and all."""
    return json.dumps(value).encode()


def some_of(strategy: st.SearchStrategy[Any], other: st.SearchStrategy[Any], out_of: int = 8) -> st.SearchStrategy[Any]:
    """Mostly the first. (`one_of` draws from each of its own as often, however often it is named.)"""
    return st.sampled_from([strategy] * (out_of - 1) + [other]).flatmap(lambda drawn: drawn)


CALLS: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.tuples(st.just("echo"), st.fixed_dictionaries({"text": some_of(st.just("{mark}"), texts, 3)})),
    st.tuples(
        st.just("write"),
        st.fixed_dictionaries({"text": st.just("{mark}"), "times": some_of(st.integers(0, 50), numbers)}),
    ),
    st.tuples(st.just("grow"), st.fixed_dictionaries({"tree": some_of(trees, values)}, optional={"depth": scalars})),
    st.tuples(st.just("letters"), st.fixed_dictionaries({"text": texts})),
    st.tuples(st.just("ask"), st.fixed_dictionaries({}, optional={"question": texts})),
    st.tuples(st.sampled_from(["wait", "inside", "nobody", "ech", "."]), st.just({})),
    st.tuples(st.just("large"), st.fixed_dictionaries({}, optional={"size": st.integers(0, 3_000_000)})),
    st.tuples(texts, st.dictionaries(texts, values, max_size=3)),
)

accepts = st.one_of(
    st.sampled_from(["application/json", "text/event-stream", "application/json, text/event-stream", "*/*"]),
    st.sampled_from(["text/html", "", ";q=x", "text/event-stream;q=0.1, application/json;q=0.2", "*/*;q=0"]),
)
content_types = some_of(
    st.just("application/json"), st.sampled_from(["", "text/plain", "application/json; x=\x01"]), 12
)

_UNENDING = {"wait", "ask"}


def _posted(path: str, value: Any, accept: str, content_type: str, tool: str = "", more: Headers = ()) -> Step:
    headers = (("Accept", accept), ("Content-Type", content_type), *more)
    return Step("POST", path, headers, dumped(value), waits=tool in _UNENDING)


def _plain(call: tuple[str, Any], accept: str, content_type: str, more: dict[str, Any], path: str) -> Step:
    tool, params = call
    again = (("Last-Event-ID", str(more.pop("last"))),) if "last" in (more := {**more}) else ()
    return _posted(path, {"tool": tool, "params": params, **more}, accept, content_type, tool, again)


_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "cap_seconds": some_of(st.sampled_from([0.05, 1]), scalars),
        "heartbeat_seconds": some_of(st.just(0.1), scalars),
        "heartbeat": st.sampled_from(["comment", "event", "none"]),
        "stream": st.booleans(),
        "last": st.sampled_from(["{event}", "{event}", "x/1", "", "0" * 32 + "/01"]),
    },
)

plain_posts = st.builds(_plain, CALLS, accepts, content_types, _OPTIONS, st.just(SSE))
started = st.builds(
    _plain,
    CALLS,
    accepts,
    content_types,
    st.fixed_dictionaries({}, optional={"last": st.just("{event}")}),
    st.just(RUNS),
)
own_paths = st.builds(
    lambda call, accept, kind: _posted(
        f"{TOOLS}/{quote(call[0], safe='', errors='replace')}", call[1], accept, kind, call[0]
    ),
    CALLS,
    accepts,
    content_types,
)


def _queried(call: tuple[str, Any], key: str, last: str, accept: str, head: bool) -> Step:
    tool, params = call
    fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    named = {"tool": tool, **({"run": key} if key else {}), **fields}
    query = "&".join(f"{quote(name, errors='replace')}={quote(text, errors='replace')}" for name, text in named.items())
    query = query.replace("%7B", "{").replace("%7D", "}")
    headers = (("Accept", accept), *((("Last-Event-ID", last),) if last else ()))
    return Step("HEAD" if head else "GET", f"{SSE}?{query}", headers, waits=tool in _UNENDING)


queried = st.builds(
    _queried,
    CALLS,
    st.sampled_from(["", "{key}", "{key}", "short"]),
    st.sampled_from(["", "", "{event}"]),
    accepts,
    st.booleans(),
)

of_runs = st.builds(
    Step,
    st.sampled_from(["GET", "GET", "DELETE", "HEAD", "POST", "OPTIONS"]),
    st.sampled_from(
        [f"{RUNS}/{{run}}", f"{RUNS}/{{run}}/events", f"{RUNS}/{{run}}/results/1", f"{RUNS}/{{run}}/x", f"{RUNS}/0"]
    ),
    st.lists(
        st.sampled_from(
            [("Last-Event-ID", "{event}"), ("Range", "bytes=0-9"), ("Range", "bytes=9-0,x"), ("If-None-Match", '"1-1"')]
        ),
        max_size=2,
    ).map(tuple),
)

documents = st.builds(
    Step,
    st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "TRACE", "PURGE"]),
    some_of(
        st.sampled_from(
            [
                *("/", "/mcp.json", "/openapi.json", "/.well-known/ai-catalog.json", "/mcp/server-card", TOOLS),
                *(
                    "/healthz",
                    "/readyz",
                    "/metrics",
                    "/nothing",
                    "//",
                    "/%2e%2e/",
                    "/.well-known/oauth-protected-resource",
                ),
            ]
        ),
        texts.map(lambda text: "/" + quote(text, safe="/?&=%", errors="replace")),
    ),
    st.lists(
        st.sampled_from(
            [("If-None-Match", "*"), ("Origin", "https://evil.example"), ("Origin", "null"), ("Host", "evil")]
        ),
        max_size=1,
    ).map(tuple),
)

_META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "fuzz", "version": "1"},
}
_CAN = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}}

_METHODS: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    CALLS.map(lambda call: ("tools/call", {"name": call[0], "arguments": call[1]})),
    CALLS.map(lambda call: ("tools/call", {"name": call[0], "arguments": call[1], "requestState": "{state}"})),
    st.tuples(
        st.sampled_from(
            ["tools/list", "resources/list", "prompts/list", "resources/templates/list", "server/discover"]
        ),
        st.fixed_dictionaries({}, optional={"cursor": scalars}),
    ),
    st.tuples(st.sampled_from(["ping", "logging/setLevel", "nothing/here", "subscriptions/listen"]), st.just({})),
    st.tuples(st.just("resources/read"), st.fixed_dictionaries({"uri": some_of(st.just("notes://1"), texts, 3)})),
    st.tuples(
        st.just("prompts/get"),
        st.fixed_dictionaries({"name": st.just("advise"), "arguments": st.dictionaries(st.just("topic"), values)}),
    ),
    st.tuples(
        st.sampled_from(["tasks/get", "tasks/update", "tasks/cancel", "tasks/result"]),
        st.fixed_dictionaries({"taskId": some_of(st.just("{task}"), texts, 4)}, optional={"inputResponses": values}),
    ),
    st.tuples(st.just("completion/complete"), st.fixed_dictionaries({}, optional={"ref": values, "argument": values})),
    st.tuples(texts, st.dictionaries(texts, values, max_size=3)),
)


def _stateless(method: tuple[str, dict[str, Any]], accept: str, path: str, tasks: bool, broken: str) -> Step:
    name, params = method
    meta = {**_META, "io.modelcontextprotocol/clientCapabilities": _CAN if tasks else {}}
    body = {"jsonrpc": "2.0", "id": 1, "method": name, "params": {**params, "_meta": meta}}
    said = params.get("name", params.get("uri", params.get("taskId", "")))
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": name, "Mcp-Name": said if isinstance(said, str) else ""}
    headers.pop(broken, None)
    if broken == "body":
        del body["params"]
    waits = name == "subscriptions/listen" or params.get("name") in _UNENDING
    return replace(_posted(path, body, accept, "application/json", more=tuple(headers.items())), waits=waits)


stateless = st.builds(
    _stateless,
    _METHODS,
    some_of(st.just("application/json, text/event-stream"), accepts, 4),
    st.sampled_from(["/mcp", "/mcp", SSE]),
    st.booleans(),
    some_of(st.just(""), st.sampled_from(["Mcp-Method", "Mcp-Name", "MCP-Protocol-Version", "body"])),
)


def _initialize(version: str, capable: bool) -> Step:
    params = {
        "protocolVersion": version,
        "capabilities": {"elicitation": {}, "roots": {}} if capable else {},
        "clientInfo": {"name": "fuzz", "version": "1"},
    }
    body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    return _posted("/mcp", body, "application/json, text/event-stream", "application/json")


def _in_session(method: tuple[str, dict[str, Any]], version: str, accept: str, notice: bool, batch: bool) -> Step:
    name, params = method
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": name, "params": params, **({} if notice else {"id": 7})}
    headers = (("Mcp-Session-Id", "{session}"), ("MCP-Protocol-Version", version))
    waits = params.get("name") in _UNENDING
    return replace(
        _posted("/mcp", [message, message] if batch else message, accept, "application/json", more=headers), waits=waits
    )


sessions = st.one_of(
    st.builds(_initialize, some_of(st.sampled_from(REVISIONS), texts), st.booleans()),
    st.builds(
        _in_session,
        _METHODS,
        st.sampled_from(REVISIONS),
        some_of(st.just("application/json, text/event-stream"), accepts, 4),
        some_of(st.just(False), st.just(True), 4),
        some_of(st.just(False), st.just(True), 6),
    ),
    st.sampled_from(
        [
            Step("GET", "/mcp", (("Mcp-Session-Id", "{session}"), ("Accept", "text/event-stream")), waits=True),
            Step("GET", "/mcp", (("Mcp-Session-Id", "{session}"), ("Last-Event-ID", "{event}")), waits=True),
            Step("DELETE", "/mcp", (("Mcp-Session-Id", "{session}"),)),
            Step("GET", "/sse", (("Accept", "text/event-stream"),), waits=True),
            Step("POST", "/sse/messages?session={session}", (("Content-Type", "application/json"),), b"{}"),
            Step("POST", "/mcp/messages?session=x", (("Content-Type", "application/json"),), b"[]"),
        ]
    ),
)

_GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
_POST = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"

_BYTES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [
            *(b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
            *(b"GET  / HTTP/1.1\r\n\r\n", b"\r\n" * 20, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
            _POST + b"Content-Length: -1\r\n\r\n",
            _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            _POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            _GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n",
            _GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
            _GET + b"Upgrade: h2c\r\nConnection: Upgrade\r\nHTTP2-Settings: A\r\n\r\n",
        ]
    ),
)
junk = _BYTES.map(lambda sent: Step(raw=sent, waits=True))

anything = st.sampled_from(
    [
        *([plain_posts] * 3 + [own_paths] * 2 + [started] * 3 + [queried] * 2 + [of_runs] * 4),
        *([documents] * 2 + [stateless] * 5 + [sessions] * 6 + [junk]),
    ]
).flatmap(lambda drawn: drawn)

steps = st.builds(
    lambda step, who, pick, extra: replace(step, who=who, pick=pick, headers=(*step.headers, *extra)),
    anything,
    some_of(st.sampled_from(["a", "b"]), st.sampled_from(["nobody", "junk", "basic", "twice"])),
    st.integers(0, 30),
    some_of(
        st.just(()),
        st.sampled_from(
            [
                *(("X-Forwarded-For", "1.2.3.4"), ("Forwarded", 'for="[::1]";by=x'), ("Expect", "100-continue")),
                *(("Cookie", "a=b; __Host-x=y"), ("traceparent", "00-x"), ("Content-Encoding", "gzip")),
                *(("Sec-Fetch-Site", "cross-site"), ("Transfer-Encoding", "gzip")),
            ]
        ).map(lambda one: (one,)),
    ),
)

SEQUENCE = 10
"""Requests that are drawn together, and are sent one after the other."""

sequences = st.lists(steps, min_size=SEQUENCE, max_size=SEQUENCE)
