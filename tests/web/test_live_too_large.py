"""A body over the limit: clients that send all of it before they read get the 413 all the same, on either version."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
from live_server import LiveServer, client_tls
from web_direct import EVENTS
from web_play import SECONDS

SIZES = [1_100_000, 4_000_000]

NODE = """
const http2 = require("node:http2"), [url, path, size] = process.argv.slice(1);
const session = http2.connect(url, {rejectUnauthorized: false});
const request = session.request({":method": "POST", ":path": path, "content-type": "application/json"});
let status = 0, body = "";
request.on("response", (headers) => { status = headers[":status"]; });
request.on("data", (data) => { body += data; });
request.on("close", () => { console.log(JSON.stringify([status, JSON.parse(body).error.code])); session.close(); });
request.end(Buffer.alloc(Number(size), " "));
"""


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("declared", [True, False], ids=["with a length", "without one"])
async def test_httpx(server: LiveServer, http2: bool, size: int, declared: bool) -> None:
    async def pieces() -> object:
        for _ in range(0, size, 10_000):
            yield b" " * 10_000

    verify = client_tls("h2" if http2 else "http/1.1")
    async with httpx.AsyncClient(http1=not http2, http2=http2, verify=verify, timeout=SECONDS) as client:
        content = b" " * size if declared else pieces()
        answer = await client.post(
            f"{server.tls_url}{EVENTS}", content=content, headers={"content-type": "application/json"}
        )
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
        assert (await client.get(f"{server.tls_url}/healthz")).status_code == 200


@pytest.mark.needs("curl")
@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
@pytest.mark.parametrize("size", SIZES)
async def test_curl(server: LiveServer, program: Callable[[str], str], option: str, size: int) -> None:
    curl = await asyncio.create_subprocess_exec(
        *(program("curl"), "-sSk", option, f"{server.tls_url}{EVENTS}", "-H", "Content-Type: application/json"),
        *("--data-binary", "@-", "-w", "\n%{http_code}", "-m", str(SECONDS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(curl.communicate(b" " * size), 2 * SECONDS)
    body, _, status = output.rpartition(b"\n")
    assert (curl.returncode, status) == (0, b"413")
    assert json.loads(body)["error"]["code"] == "body_too_large"


@pytest.mark.needs("node")
@pytest.mark.parametrize("size", SIZES)
async def test_node(server: LiveServer, program: Callable[[str], str], size: int) -> None:
    node = await asyncio.create_subprocess_exec(
        program("node"), "-e", NODE, server.tls_url, EVENTS, str(size), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(node.communicate(), SECONDS)
    assert json.loads(output) == [413, "body_too_large"]
