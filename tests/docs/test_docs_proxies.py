"""The files of docs/deploy, each in front of a real server: events pass at once, leaving arrives, and rules hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from doc_page import ROOT
from live_server import LiveServer, eventually, process
from proxies import FILES, NAME, PROXIES, SECONDS, client, proxied

from mcp_app import Settings
from mcp_app.config.defaults import default_text

DEPLOY = (ROOT / "docs" / "how-to-deploy.md").read_text()

TOOLS = r'''
import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from mcp_app import Context, tool


@tool(read_only=True)
async def steps(ctx: Context, count: int) -> AsyncIterator[int]:
    """Take a step whenever the file of its number is there."""
    try:
        for number in range(count):
            yield number
            while not Path(f"seen-{number}").exists():
                Path(f"begun-{number}").touch()
                await asyncio.sleep(0.01)
    finally:
        os.write(1, f"over: {ctx.cancel_reason}\n".encode())  # in one write, between the lines of the log
'''

SSE = "/api/v1/mcp/sse"
SETTINGS = {"MCP_APP_PUBLIC_URL": f"https://{NAME}", "MCP_APP_ALLOW_ANONYMOUS": "1", "MCP_APP_HEARTBEAT_SECONDS": "0.5"}

WAYS = [
    pytest.param(name, http2, id=f"{name}-{'h2' if http2 else 'h1'}", marks=pytest.mark.needs(name))
    for name, proxy in PROXIES.items()
    for http2 in ([False, True] if proxy.tls else [False])
]
EACH = pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.needs(name)) for name in PROXIES])


@contextmanager
def running(
    name: str, program: Callable[[str], str], folder: Path, *, below: bool = False
) -> Iterator[tuple[LiveServer, str]]:
    (folder / "tools.py").write_text(TOOLS)
    public = {"MCP_APP_PUBLIC_URL": f"https://{NAME}/tools"} if below else {}
    with (
        process("tools.py", cwd=folder, env=SETTINGS | public) as server,
        proxied(name, program(name), [server.port], folder, below=below) as url,
    ):
        yield server, url


def call(count: int) -> dict[str, object]:
    return {"tool": "steps", "params": {"count": count}}


@pytest.mark.parametrize(("name", "http2"), WAYS)
def test_each_event_passes_before_the_next_is_made_and_leaving_reaches_the_tool(
    name: str, http2: bool, program: Callable[[str], str], tmp_path: Path
) -> None:
    with running(name, program, tmp_path) as (server, url), client(http2) as through:
        seen = []
        with through.stream("POST", url + SSE, json=call(3)) as answer:
            assert answer.status_code == 200
            assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            assert "content-encoding" not in answer.headers
            for line in answer.iter_lines():
                event = json.loads(line[6:]) if line.startswith("data: ") else {}
                if event.get("type") == "progress":
                    seen.append(event["data"])
                    (tmp_path / f"seen-{event['data']}").touch()  # only now may the tool go on
        assert seen == [0, 1, 2]
        for each in tmp_path.glob("seen-*"):
            each.unlink()
        with through.stream("POST", url + SSE, json=call(1)) as answer:
            assert any("progress" in line for line in answer.iter_lines())
        through.close()
        eventually(lambda: "over: left" in server.output, server.output)


@EACH
def test_a_json_answer_is_given_up_where_the_file_says_so(
    name: str, program: Callable[[str], str], tmp_path: Path
) -> None:
    says = "of a stream and of a JSON answer" in (FILES / PROXIES[name].file).read_text()
    assert says == PROXIES[name].at_once
    with running(name, program, tmp_path) as (server, url):
        patience = httpx.Timeout(SECONDS, read=1)
        with client() as through, pytest.raises(httpx.ReadTimeout):
            through.post(url + SSE, json=call(1), headers={"Accept": "application/json"}, timeout=patience)
        eventually(lambda: (tmp_path / "begun-0").exists())
        if says:
            eventually(lambda: "over: left" in server.output, server.output)
        else:
            assert not any("over:" in line for line in server.output)
            (tmp_path / "seen-0").touch()
            eventually(lambda: "over: None" in server.output, server.output)


@EACH
def test_rules_and_names_hold_behind_it(name: str, program: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "seen-0").touch()
    with running(name, program, tmp_path) as (server, url), client() as through:
        for path in ("/metrics", "/metrics/", "/metrics?x", "/%6detrics", "/%6Detrics/", "/metric%73"):
            assert through.get(url + path).status_code == 403, path
        assert httpx.get(f"{server.url}/metrics", timeout=SECONDS).status_code == 200
        # An upgrade to HTTP/2 in the clear would let a second request go past the rules.
        upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
        assert through.get(f"{url}/healthz", headers=upgrade).status_code == 200
        json_of = {"Accept": "application/json"}
        own = through.post(url + SSE, json=call(1), headers={"Origin": f"https://{NAME}", **json_of})
        other = through.post(url + SSE, json=call(1), headers={"Origin": "https://other.example.com", **json_of})
        assert (own.status_code, own.json()["type"]) == (200, "complete")
        assert other.status_code == 403
        manifest = through.get(f"{url}/mcp.json").text
        assert re.search(rf'"events": ?"https://{NAME}{SSE}"', manifest)
        wrong = through.get(f"{url}/mcp.json", headers={"Host": "10.0.0.1"}) if not PROXIES[name].tls else None
        assert wrong is None or wrong.status_code == 421
        large = through.post(url + SSE, content=b" " * (2 << 20), headers={"Content-Type": "application/json"})
        assert large.status_code == 413


@EACH
def test_below_a_path_every_address_leads_back(name: str, program: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "seen-0").touch()
    for old, new in PROXIES[name].below:
        assert new.strip().splitlines()[0] in DEPLOY, f"{old} -> {new}"
    with running(name, program, tmp_path, below=True) as (_, url), client() as through:
        root = url.removesuffix("/tools")
        begun = through.post(f"{url}/api/v1/mcp/runs", json=call(1))
        assert begun.status_code == 202
        location = httpx.URL(begun.headers["location"]).path  # Apache and others may make it absolute
        assert location == begun.json()["url"]
        assert location.startswith("/tools/")
        eventually(lambda: through.get(root + location).json()["state"] == "complete")
        assert "complete" in through.get(root + begun.json()["events_url"]).text
        with through.stream("GET", f"{url}/mcp", headers={"Accept": "text/event-stream"}) as answer:
            lines = answer.iter_lines()
            data = next(line for line in lines if line.startswith("data: "))
            address = data.removeprefix("data: ")
            assert address.startswith("/tools/mcp/messages?")
            with client() as another:
                ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
                assert another.post(root + address, json=ping).status_code == 202
        for path in ("", "/page/page.js", "/mcp.json"):
            assert through.get(f"{url}{path or '/'}").status_code == 200


# --- what the files promise ------------------------------------------------------------------------------------------

WAITS = {
    "nginx.conf": r"proxy_read_timeout (\d+)s",
    "haproxy.cfg": r"timeout server (\d+)s",
    "apache.conf": r"ProxyTimeout (\d+)",
    "varnish.vcl": r"first_byte_timeout = (\d+)s",
}
IDLES = {"haproxy.cfg": r"http-keep-alive (\d+)s", "Caddyfile": r"keepalive (\d+)s", "apache.conf": r"ttl=(\d+)"}


def seconds(file: str, pattern: str) -> int:
    [found] = re.findall(pattern, (FILES / file).read_text())
    return int(found)


def test_each_waits_longer_than_a_json_answer_may_take() -> None:
    """At its cap a tool still has its cleanup to do."""
    settings = Settings.model_construct()
    for file, pattern in WAITS.items():
        assert seconds(file, pattern) >= settings.cap_seconds + 30, file
    assert seconds("varnish.vcl", r"between_bytes_timeout = (\d+)s") >= 3 * settings.heartbeat_seconds


def test_each_gives_up_an_idle_connection_before_the_server_does() -> None:
    [kept] = re.findall(r"keep_alive_timeout = (\d+)", default_text("hypercorn.toml"))
    for file, pattern in IDLES.items():
        assert seconds(file, pattern) < int(kept) - 10, file


def test_how_to_deploy_leads_to_every_file() -> None:
    assert {path.name for path in FILES.iterdir()} >= {proxy.file for proxy in PROXIES.values()}
    for path in FILES.iterdir():
        assert f"(deploy/{path.name})" in DEPLOY, path.name
