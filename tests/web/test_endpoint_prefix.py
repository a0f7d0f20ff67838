"""Below a path of its own: every address that is given out leads back, whoever says where the server is."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from web_asgi import Client, running
from web_direct import EVENTS, RUNS
from web_play import Play

from mcp_app import Settings, create_app
from mcp_app.manifest import DOCUMENT_PATHS

STREAM = (b"accept", b"text/event-stream")


class Mounted:
    """An application that serves another at `prefix`, as ASGI has it: with the whole path, and what stood before."""

    def __init__(self, app: Any, prefix: str) -> None:
        self.app, self.prefix = app, prefix

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await self.app(scope | {"root_path": self.prefix}, receive, send)


async def detached(client: Client, prefix: str) -> tuple[str, dict[str, Any]]:
    exchange = await client.post(f"{prefix}{RUNS}", b'{"tool":"echo"}').rest()
    assert exchange.status == 202
    return exchange.field("location") or "", json.loads(exchange.body)


async def messages_address(client: Client, path: str) -> str:
    exchange = client.open("GET", path, [STREAM])
    [first, *_] = (await exchange.until(1)).events
    exchange.disconnect()
    await exchange.over()
    assert first.event == "endpoint"
    return str(first.data)


async def documents(client: Client, prefix: str) -> str:
    """The text of all of them."""
    return "".join([(await client.open("GET", prefix + path).rest()).body.decode() for path in DOCUMENT_PATHS])


@pytest.mark.parametrize(
    ("public", "root", "asked", "prefix", "base"),
    [
        (None, "", "", "", "https://127.0.0.1:8443"),
        (None, "/ai", "/ai", "/ai", "https://127.0.0.1:8443/ai"),
        (None, "/ai/", "/ai", "/ai", "https://127.0.0.1:8443/ai"),
        (None, "/", "", "", "https://127.0.0.1:8443"),
        (None, "/a b/ü", "/a b/ü", "/a%20b/%C3%BC", "https://127.0.0.1:8443/a%20b/%C3%BC"),
        ("https://tools.example.com", "", "", "", "https://tools.example.com"),
        ("https://tools.example.com/tools", "", "", "/tools", "https://tools.example.com/tools"),
        ("https://tools.example.com/tools/", "", "", "/tools", "https://tools.example.com/tools"),
        ("https://tools.example.com:8443/a/b", "", "", "/a/b", "https://tools.example.com:8443/a/b"),
        ("https://tools.example.com", "/ai", "/ai", "/ai", "https://tools.example.com/ai"),
        ("https://tools.example.com/ai", "/ai", "/ai", "/ai", "https://tools.example.com/ai"),
        ("https://tools.example.com/x/ai", "/ai", "/ai", "/x/ai", "https://tools.example.com/x/ai"),
    ],
)
async def test_every_address_has_the_prefix(
    play: Play, lane: bool, public: str | None, root: str, asked: str, prefix: str, base: str
) -> None:
    app = create_app(Settings(public_url=public, allow_anonymous=True), play.tools(), lane=lane)  # type: ignore[arg-type]
    async with running(app):
        client = Client(Mounted(app, root))
        location, run = await detached(client, asked)
        assert location == run["url"] == f"{prefix}{RUNS}/{run['id']}"
        assert run["events_url"] == f"{location}/events"
        for method in ("GET", "DELETE"):
            state = await client.open(method, f"{asked}{RUNS}/{run['id']}").rest()
            assert json.loads(state.body)["url"] == location
        for path in ("/mcp", f"{EVENTS}"):
            assert (await messages_address(client, asked + path)).startswith(f"{prefix}{path}/messages?session=")
        text = await documents(client, asked)
        assert f'"{base}{EVENTS}"' in text
        assert f'"{base}/mcp"' in text
        assert f'"{base}/mcp/server-card"' in text
        assert all(f"{address}/".startswith(f"{base}/") for address in _urls(text)), _urls(text)


def _urls(text: str) -> list[str]:
    return [part for part in text.split('"') if part.startswith("https://") and "modelcontextprotocol" not in part]


@pytest.mark.parametrize(
    "root", ["//evil.example", "/x\r\nSet-Cookie: a=b", '/x"y', "/x\u2028y", "/../..", "///evil.example"]
)
async def test_a_mount_with_a_parameter_lets_no_caller_choose_another_host_or_field(
    play: Play, lane: bool, root: str
) -> None:
    """Of `/{tenant}` a caller chooses what stands in the root path."""
    app = create_app(Settings(), play.tools(), lane=lane)
    async with running(app):
        client = Client(Mounted(app, root))
        location, _ = await detached(client, root)
        assert location.isascii()
        assert location.isprintable()
        assert urlsplit(urljoin("https://localhost/", location)).netloc == "localhost"
        address = await messages_address(client, f"{root}/mcp")
        assert urlsplit(urljoin("https://localhost/", address)).netloc == "localhost"
        assert "evil.example" not in {urlsplit(each).hostname for each in _urls(await documents(client, root))}
