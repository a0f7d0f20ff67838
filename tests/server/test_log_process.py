"""The log of a server process: it cannot stop the server, says no secret, and no author's configuration silences it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from live_server import certificates, process

from tests.server.raw_h2 import raw_h2

WITHIN = 30.0
ROUTE = "/api/v1/mcp/sse"
TOOLS = """\
{first}
import logging, logging.config
from mcp_app import tool

@tool(read_only=True)
def echo(text: str = "x") -> str:
    "Echo."
    return text

@tool(read_only=True)
def fail() -> str:
    "Fail."
    raise LookupError("the reason")

@tool
def configure() -> int:
    "Configure logging."
    logging.config.dictConfig({{"version": 1, "root": {{"level": "WARNING"}}}})
    return 1
"""
SECRETS = {"MCP_APP_SECRET": "topsecrettopsecret123", "OTHER_SECRET": "the-others-secret"}


def call(url: str, tool: str) -> dict[str, object]:
    answer = httpx.post(
        f"{url}{ROUTE}",
        json={"tool": tool, "params": {}},
        headers={"Accept": "application/json", "Authorization": "Bearer my-token", "Cookie": "c=my-cookie"},
        timeout=WITHIN,
    )
    found: dict[str, object] = answer.json()
    return found


@contextmanager
def started(
    folder: Path, *, stdout: int, stderr: int, access: str = "-"
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server whose output nobody reads; it is found by the port."""
    (folder / "t.py").write_text(TOOLS.format(first=""))
    with httpx.Client() as client:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        made = certificates()
        (folder / "hypercorn.toml").write_text(
            f"bind = ['127.0.0.1:0']\ninsecure_bind = ['127.0.0.1:{port}']\naccesslog = '{access}'\n"
            f"certfile = '{made.certificate}'\nkeyfile = '{made.key}'\n"
        )
        root = str(Path(__file__).parent.parent.parent)
        child = subprocess.Popen(
            [sys.executable, "-m", "mcp_app", "serve", "t.py"],
            cwd=folder,
            env={**os.environ, **SECRETS, "PYTHONPATH": root},
            stdout=stdout,
            stderr=stderr,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + WITHIN
            while True:
                try:
                    assert client.get(f"{url}/healthz").status_code == 200
                    break
                except httpx.ConnectError:
                    assert child.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
            yield child, url
        finally:
            child.kill()
            child.wait(WITHIN)
            for each in (child.stdout, child.stderr):
                if each is not None:
                    each.close()


@pytest.mark.parametrize("tool", ["echo", "fail"])
def test_a_parent_that_does_not_read_loses_lines_and_not_the_server(tmp_path: Path, tool: str) -> None:
    with (
        started(tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as (child, url),
        httpx.Client(timeout=WITHIN, headers={"Accept": "application/json"}) as client,
    ):
        for _ in range(1000):  # 64 KiB of either pipe are full after 650 echoes, or 64 tracebacks
            client.post(f"{url}{ROUTE}", json={"tool": tool, "params": {}})
        assert client.get(f"{url}/healthz").status_code == 200
        child.send_signal(signal.SIGTERM)
        assert child.wait(WITHIN) == 0


@pytest.mark.parametrize("kind", ["reader left", "no room"])
def test_a_log_that_cannot_be_written_says_no_secret(tmp_path: Path, kind: str) -> None:
    reading, writing = os.pipe()
    said = tmp_path / "stderr"
    access = "-" if kind == "reader left" else "/dev/full"
    with (
        said.open("wb") as stderr,
        started(tmp_path, stdout=writing, stderr=stderr.fileno(), access=access) as (child, url),
    ):
        os.close(reading)
        os.close(writing)
        for tool in ("echo", "fail"):
            call(url, tool)
        child.send_signal(signal.SIGTERM)
        assert child.wait(WITHIN) == 0
    text = said.read_text()
    assert "the reason" in text
    for secret in (*SECRETS.values(), "my-token", "my-cookie"):
        assert secret not in text


CONFIGURATIONS = {
    "root": "import logging.config; logging.config.dictConfig({'version': 1, 'root': {'level': 'INFO'}})",
    "level alone": "import logging.config; logging.config.dictConfig({'version': 1, 'root': {'level': 'CRITICAL'}})",
    "basicConfig": "import logging, sys; logging.basicConfig(stream=sys.stdout, level=logging.DEBUG)",
    "a handler": "import logging; logging.getLogger().addHandler(logging.StreamHandler())",
    "before": "import mcp_app.app, logging.config; logging.config.dictConfig({'version': 1})",
    "nothing": "",
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_no_configuration_of_an_author_hides_an_error_id(tmp_path: Path, kind: str) -> None:
    (tmp_path / "t.py").write_text(TOOLS.format(first=CONFIGURATIONS[kind]))
    with process("t.py", cwd=tmp_path) as server:
        ids = [str(call(server.url, "fail")["error"]["error_id"])]  # type: ignore[index]
        call(server.url, "configure")
        ids.append(str(call(server.url, "fail")["error"]["error_id"]))  # type: ignore[index]
    for error_id in ids:
        assert len([line for line in server.output if f"[error_id {error_id}]" in line]) == 1, server.output
    assert len([line for line in server.output if "LookupError: the reason" in line]) == 2
    assert len([line for line in server.output if " access: " in line and f"POST {ROUTE}" in line]) == 3


async def test_no_request_forges_a_line(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TOOLS.format(first=""))
    with process("t.py", cwd=tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /%0a%1b[31mFOR%22GED%07%e2%80%a8 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b" 404 " in await asyncio.wait_for(reader.readline(), WITHIN)
        writer.close()
        async with raw_h2(server.port) as client:
            stream = await client.request("/%0a%1b[31mFOR%22GED%07%e2%80%a8")
            await client.until(lambda: client.is_ended(stream))
    lines = [line for line in server.output if "FOR" in line]
    assert [re.sub(r".*access: \S+ ", "", line).rpartition(" 404 ")[0] for line in lines] == [
        f'"GET /\\n\\x1b[31mFOR\\"GED\\x07\\u2028 HTTP/{version}"' for version in ("1.1", "2")
    ]


def test_format_and_level_are_options(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TOOLS.format(first=""))
    with process("t.py", "--log-format", "json", "--log-level", "debug", cwd=tmp_path) as server:
        call(server.url, "fail")
        httpx.get(f"{server.url}/page.js")
    found = [json.loads(line) for line in server.output if line.startswith("{")]
    assert {"access", "mcp_app.runs"} <= {each["logger"] for each in found}
    assert all({"time", "level", "pid"} <= each.keys() for each in found)
    assert "LookupError: the reason" in next(each["traceback"] for each in found if "traceback" in each)
    with process("t.py", "--log-level", "error", cwd=tmp_path) as server:
        call(server.url, "echo")
        call(server.url, "fail")
    assert not [line for line in server.output if " INFO " in line]
    assert [line for line in server.output if " ERROR " in line]


def test_hypercorns_own_command_logs_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(
        TOOLS.format(first=CONFIGURATIONS["root"])
        + "from mcp_app import create_app\nfrom mcp_app.server import engine\nengine.install()\n"
        "app = create_app(tools=[echo, fail, configure])\n"
    )
    made = certificates()
    (tmp_path / "hypercorn.toml").write_text(
        "bind = ['127.0.0.1:0']\ninsecure_bind = ['127.0.0.1:0']\nworkers = 0\naccesslog = '-'\n"
        f"access_log_format = 'text'\ncertfile = '{made.certificate}'\nkeyfile = '{made.key}'\n"
    )
    command = [sys.executable, "-m", "hypercorn", "-c", "hypercorn.toml", "t:app"]
    with process(cwd=tmp_path, command=command, env=SECRETS) as server:
        error_id = call(server.url, "fail")["error"]["error_id"]  # type: ignore[index]
    text = "\n".join(server.output)
    assert text.count(f"[error_id {error_id}]") == 1
    assert re.search(rf'\[\d+\] INFO access: 127\.0\.0\.1:\d+ "POST {ROUTE} HTTP/1\.1" 500 \d\.\d{{3}} s', text)


def test_each_run_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(TOOLS.format(first=""))
    trace = "0af7651916cd43dd8448eb211c80319c"
    with process("t.py", cwd=tmp_path) as server:
        call(server.url, "echo")
        error_id = call(server.url, "fail")["error"]["error_id"]  # type: ignore[index]
        detached = httpx.post(
            f"{server.url}/api/v1/mcp/runs",
            json={"tool": "echo", "params": {}},
            headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
        )
        run = detached.headers["location"].rpartition("/")[2]
        httpx.get(f"{server.url}/api/v1/mcp/runs/{run}")
    lines = [line.partition(" INFO mcp_app.runs: ")[2] for line in server.output if " INFO mcp_app.runs: " in line]
    pattern = r"%s 0\.\d{3} s %d events run=[0-9a-f]{8} HTTP/1\.1 127\.0\.0\.1%s"
    expected = [("echo complete", 2, ""), ("fail tool_failed", 2, f" error_id={error_id}")]
    expected.append(("echo complete", 2, rf" \[trace_id {trace}\]"))
    assert len(lines) == 3, server.output
    for line, each in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern % each, line), line
    text = "\n".join(server.output)
    assert run not in text
    assert text.count(f"run={run[:8]}") == 1
    assert f"/api/v1/mcp/runs/{run[:8]}.. HTTP/1.1" in text
