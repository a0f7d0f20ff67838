"""The URL given -> routes; a manifest's path, never its host."""

import pytest

from mcp_app.client.address import event_route, parse_address
from mcp_app.client.outcome import CallFailed, Status


@pytest.mark.parametrize(
    ("text", "root", "url"),
    [
        ("https://localhost:8443", True, "https://localhost:8443/"),
        ("https://localhost:8443/", True, "https://localhost:8443/"),
        ("http://[::1]:8000/api/v1/mcp/sse", False, "http://[::1]:8000/api/v1/mcp/sse"),
        ("HTTP://Example.com/x/?q=1#f", True, "http://example.com/x/?q=1"),
        ("https://example.com/sse?heartbeat=event", False, "https://example.com/sse?heartbeat=event"),
    ],
)
def test_a_path_with_a_slash_at_its_end_is_a_root(text: str, root: bool, url: str) -> None:
    address = parse_address(text)

    assert (address.is_root, address.url) == (root, url)


@pytest.mark.parametrize(
    "text",
    [
        "localhost:8000",
        "ftp://x/",
        "//x",
        "",
        "http://",
        "http://:80/",
        "http://x:port/",
        "http://x:99999/",
        "http://[x/",
    ],
)
def test_what_is_no_http_url_is_refused(text: str) -> None:
    with pytest.raises(CallFailed) as caught:
        parse_address(text)

    assert caught.value.status == Status.REFUSED


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(CallFailed) as caught:
        parse_address("https://me:secret@example.com/")

    assert "secret" not in caught.value.message + caught.value.advice


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert parse_address(f"http://{host}:1/").is_loopback is loopback


def test_siblings_of_the_event_route() -> None:
    route = parse_address("https://x/api/v1/mcp/sse?a=1")

    assert route.tools().url == "https://x/api/v1/mcp/tools"
    assert route.run("a b/../c").url == "https://x/api/v1/mcp/runs/a%20b%2F..%2Fc"
    assert parse_address("https://x/prefix/").manifest().url == "https://x/prefix/mcp.json"


def manifest(events: object) -> dict[str, object]:
    return {"_meta": {"other/thing": {"events": "/no"}, "com.example/streaming": {"events": events}}}


@pytest.mark.parametrize(
    "events", ["https://elsewhere.example/api/sse?x=1", "/api/sse", "http://127.0.0.1:8000/api/sse"]
)
def test_the_manifests_path_is_taken_at_the_host_that_was_given(events: str) -> None:
    root = parse_address("https://localhost:8443/")

    assert event_route(root, manifest(events)).url == "https://localhost:8443/api/sse"


@pytest.mark.parametrize(
    ("root", "endpoint", "events", "expected"),
    [
        ("http://localhost:8000/", "https://x/tools/mcp", "https://x/tools/api/sse", "/api/sse"),
        (
            "http://localhost:8000/tools/",
            "https://x/tools/mcp",
            "https://x/tools/api/sse",
            "/tools/api/sse",
        ),
        ("http://localhost:8000/a/b/", "https://x/mcp", "https://x/api/sse", "/a/b/api/sse"),
        ("http://localhost:8000/", "https://x/other/mcp", "https://x/tools/api/sse", "/tools/api/sse"),
        ("http://localhost:8000/", "https://x/elsewhere", "/tools/api/sse", "/tools/api/sse"),
        ("http://localhost:8000/", ["no"], "/tools/api/sse", "/tools/api/sse"),
    ],
)
def test_what_a_proxy_takes_off_is_replaced_by_where_the_manifest_was(
    root: str, endpoint: object, events: str, expected: str
) -> None:
    found = event_route(parse_address(root), {"endpoint": endpoint, **manifest(events)})
    assert found.url == f"http://localhost:8000{expected}"


@pytest.mark.parametrize("content", [{}, {"_meta": 1}, manifest(None), manifest("relative"), manifest("http://[x")])
def test_a_manifest_without_an_event_route_is_said_so(content: dict[str, object]) -> None:
    with pytest.raises(CallFailed, match="names no event route"):
        event_route(parse_address("https://localhost:8443/"), content)
