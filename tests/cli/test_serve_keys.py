"""`mcp-app serve` with a file of keys that changes while it runs: from the command to a client's stream."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from live_server import LiveServer, process

ROOT = Path(__file__).parent.parent.parent
SSE = "/api/v1/mcp/sse"
SECONDS = 40.0
"""What a change may take on a busy machine before a test gives up: it is seen within 5 s, a stream ends within 10."""

TOOLS = '''
import asyncio
from mcp_app import Context, tool

@tool(read_only=True)
async def who(ctx: Context) -> str:
    """Say who calls."""
    return ctx.principal

@tool
async def stay(ctx: Context) -> None:
    """Stay until the end, which is said in the log."""
    try:
        await asyncio.sleep(600)
    finally:
        print("stay was ended:", ctx.cancel_reason, flush=True)
'''


class Served:
    """A server, and the command that changes its keys."""

    def __init__(self, server: LiveServer, file: Path) -> None:
        self.server, self.file = server, file
        self.http = httpx.Client(base_url=server.url, timeout=SECONDS)

    def keys(self, *words: str) -> str:
        command = [sys.executable, "-m", "mcp_app", "keys", *words, "--file", str(self.file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=True)
        return done.stdout.splitlines()[-1]

    def status(self, key: str) -> int:
        return self.http.get("/metrics", headers=bearer(key)).status_code

    def log(self) -> str:
        return "\n".join(self.server.output)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def until(holds: Callable[[], object], why: Callable[[], str]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, why()
        time.sleep(0.1)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "tools.py").write_text(TOOLS)
    file = tmp_path / "keys.json"
    command = [sys.executable, "-m", "mcp_app", "keys", "add", "first", "--file", str(file)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=SECONDS, check=True)
    # On every address: with keys that needs no --allow-anonymous.
    words = ["serve", "tools.py", "--no-tls", "--insecure-bind", "0.0.0.0:0"]
    with process(
        cwd=tmp_path, command=[sys.executable, "-m", "mcp_app", *words], env={"MCP_APP_KEYS": str(file)}, schemes=1
    ) as server:
        found = Served(server, file)
        yield found
        found.http.close()


@pytest.mark.time_bound(150)
def test_a_key_begins_and_ends_while_the_server_runs(served: Served) -> None:
    assert "0.0.0.0" in served.log()
    assert "callers are asked who they are" in served.log()
    ann, bob = served.keys("add", "ann"), served.keys("add", "bob")
    until(lambda: served.status(ann) == served.status(bob) == 200, served.log)
    streams = [served.http.stream("POST", SSE, json={"tool": "stay"}, headers=bearer(key)) for key in (ann, bob)]
    with streams[0] as of_ann, streams[1] as of_bob:
        lines, others = of_ann.iter_lines(), of_bob.iter_lines()
        for each in (lines, others):
            assert any('"started"' in line for line in each)
        served.keys("revoke", "ann")
        [last] = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        assert (last["type"], last["error"]["code"]) == ("error", "revoked")
        until(lambda: "stay was ended: revoked" in served.log(), served.log)
        assert served.status(ann) == 401
        assert served.status(bob) == 200
        call = {"tool": "who", "params": {}}
        said = served.http.post(SSE, json=call, headers={**bearer(bob), "Accept": "application/json"})
        assert said.json()["data"] == f"key:{bob[5:17]}"
    assert ann[17:] not in served.log()
    assert bob[17:] not in served.log()


@pytest.mark.time_bound(150)
def test_a_file_that_is_spoilt_while_it_runs_leaves_the_keys_as_they_were(served: Served) -> None:
    ann = served.keys("add", "ann")
    until(lambda: served.status(ann) == 200, served.log)
    whole = served.file.read_bytes()
    served.file.write_bytes(whole[: len(whole) // 2])
    until(lambda: "this is no file of keys" in served.log(), served.log)
    assert served.status(ann) == 200
    served.file.write_bytes(whole)
    until(lambda: "the keys can be read again" in served.log(), served.log)
    assert served.log().count("this is no file of keys") == 1
    served.keys("revoke", "ann")
    until(lambda: served.status(ann) == 401, served.log)
