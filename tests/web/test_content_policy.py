"""What a browser may do with an answer that it shows: on every route, for every error, nothing inline and no frame."""

from __future__ import annotations

import pytest
from web_direct import EVENTS, RUNS, Direct, Make
from web_wire import headers

from mcp_app.manifest import DOCUMENT_PATHS
from mcp_app.web.messages import Answer
from mcp_app.web.pages import pages


def policy(answer: Answer) -> dict[str, list[str]]:
    """The directives; fails for an answer with none, or with two that a browser would join."""
    [text] = [value for name, value in answer.headers if name.lower() == "content-security-policy"]
    return {words[0]: words[1:] for part in text.split(";") if (words := part.split())}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/v1/mcp/tools", *DOCUMENT_PATHS, *pages()])
async def test_every_document_and_page_has_its_policy(direct: Direct, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = await direct.ask(method, path)
        assert answer.status == 200
        directives = policy(answer)
        assert directives["default-src"] == directives["frame-ancestors"] == ["'none'"]
        assert "unsafe" not in str(directives)
        assert headers(answer.headers)["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "target", "body", "fields", "status"),
    [
        ("GET", "/nothing", b"", {}, 404),
        ("FOO", "/", b"", {}, 405),
        ("GET", "/", b"", {"host": "evil.example"}, 421),
        ("GET", "/", b"", {"origin": "https://evil.example"}, 403),
        ("GET", f"{EVENTS}?tool=echo", b"", {"sec_fetch_site": "cross-site"}, 403),
        ("GET", f"{EVENTS}?tool=nothing", b"", {}, 404),
        ("GET", f"{EVENTS}?tool=echo", b"", {"accept": "image/png"}, 406),
        ("GET", f"{RUNS}/x", b"", {}, 404),
        ("POST", EVENTS, b"{", {"content_type": "application/json"}, 400),
        ("POST", EVENTS, b"{}", {"content_type": "text/plain"}, 415),
        ("POST", "/mcp", b'{"jsonrpc": "2.0", "id": 1, "method": "x"}', {"content_type": "application/json"}, 400),
        ("DELETE", "/mcp", b"", {"mcp_session_id": "x"}, 404),
    ],
)
async def test_every_error_has_one(
    direct: Direct, method: str, target: str, body: bytes, fields: dict[str, str], status: int
) -> None:
    answer = await direct.ask(method, target, body, **fields)
    assert answer.status == status
    assert policy(answer) == {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}


async def test_an_unexpected_failure_has_one(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    direct = make()

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mcp_app.documents.tool_list", broken)
    answer = await direct.get("/api/v1/mcp/tools")
    assert answer.status == 500
    assert policy(answer)["frame-ancestors"] == ["'none'"]


async def test_an_answer_in_json_has_one(direct: Direct) -> None:
    answer = await direct.call("echo", accept="application/json", text="x")
    assert (answer.status, policy(answer)["default-src"]) == (200, ["'none'"])
