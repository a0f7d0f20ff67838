"""The nginx configuration of docs/how-to-deploy.md, in front of a real server: events pass at once, leaving arrives."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from doc_page import ROOT, blocks
from live_server import LiveServer, certificates, process

DEPLOY = ROOT / "docs" / "how-to-deploy.md"
SECONDS = 20.0
"""For anything to be seen."""

TOOLS = '''
import asyncio
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
                await asyncio.sleep(0.01)
    finally:
        print("over:", ctx.cancel_reason, flush=True)
'''

# Around the server block of the page: what Debian's nginx.conf has, made to run as anybody in a directory of its own.
AROUND = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
{page}
}}
"""


def configuration(server: LiveServer, port: int) -> str:
    """The page's, with this machine's ports and certificate in the place of the example's, and nothing else changed."""
    [block] = blocks(DEPLOY, "nginx")
    made = certificates()
    text, swaps = block.text, (
        ("127.0.0.1:8000", f"127.0.0.1:{server.port}"),
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        ("/etc/letsencrypt/live/tools.example.com/fullchain.pem", str(made.certificate)),
        ("/etc/letsencrypt/live/tools.example.com/privkey.pem", str(made.key)),
    )  # fmt: skip
    for old, new in swaps:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return AROUND.format(page=text)


@contextmanager
def nginx(program: str, server: LiveServer, directory: Path, port: int) -> Iterator[str]:
    (directory / "nginx.conf").write_text(configuration(server, port))
    child = subprocess.Popen(
        [program, "-p", str(directory), "-c", "nginx.conf", "-e", "stderr"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        child.terminate()
        _, said = child.communicate(timeout=SECONDS)
        assert child.returncode == 0, said.decode()


@pytest.fixture
def proxied(tmp_path: Path, program: Callable[[str], str], free_port: int) -> Iterator[tuple[LiveServer, str]]:
    (tmp_path / "tools.py").write_text(TOOLS)
    public = {"MCP_APP_PUBLIC_URL": "https://tools.example.com"}
    with (
        process("tools.py", cwd=tmp_path, env=public) as server,
        nginx(program("nginx"), server, tmp_path, free_port) as url,
    ):
        until = time.monotonic() + SECONDS
        while True:
            try:
                httpx.get(f"{url}/healthz", headers={"Host": "tools.example.com"}, verify=False)
                break
            except httpx.TransportError:
                assert time.monotonic() < until, "nginx does not answer"
                time.sleep(0.05)
        yield server, url


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "h2"])
def test_each_event_passes_before_the_next_is_made(
    proxied: tuple[LiveServer, str], tmp_path: Path, http2: bool
) -> None:
    _, url = proxied
    with client(http2) as through, through.stream("POST", url + SSE, json=call(3)) as answer:
        assert answer.status_code == 200
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        seen = []
        for line in answer.iter_lines():
            event = json.loads(line[6:]) if line.startswith("data: ") else {}
            if event.get("type") == "progress":
                seen.append(event["data"])
                (tmp_path / f"seen-{event['data']}").touch()  # only now may the tool go on
    assert seen == [0, 1, 2]


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "h2"])
def test_leaving_reaches_the_tool(proxied: tuple[LiveServer, str], http2: bool) -> None:
    server, url = proxied
    with client(http2) as through, through.stream("POST", url + SSE, json=call(1)) as answer:
        assert any("progress" in line for line in answer.iter_lines())
    until = time.monotonic() + SECONDS
    while "over: left" not in server.output:
        assert time.monotonic() < until, server.output
        time.sleep(0.02)


@pytest.mark.needs("nginx")
def test_a_page_of_the_public_origin_may_call_and_the_manifest_has_its_address(
    proxied: tuple[LiveServer, str], tmp_path: Path
) -> None:
    _, url = proxied
    (tmp_path / "seen-0").touch()
    with client(False) as through:
        answer = through.post(
            url + SSE, json=call(1), headers={"Origin": "https://tools.example.com", "Accept": "application/json"}
        )
        other = through.post(url + SSE, json=call(1), headers={"Origin": "https://other.example.com"})
        manifest = through.get(f"{url}/mcp.json").text
    assert answer.status_code == 200
    assert other.status_code == 403
    assert re.search(r'"events": ?"https://tools.example.com/api/v1/mcp/sse"', manifest)


SSE = "/api/v1/mcp/sse"


def call(count: int) -> dict[str, object]:
    return {"tool": "steps", "params": {"count": count}}


def client(http2: bool) -> httpx.Client:
    return httpx.Client(http2=http2, verify=False, headers={"Host": "tools.example.com"}, timeout=SECONDS)
