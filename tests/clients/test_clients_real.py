"""Real clients against one server process, over http and over https: what each calls, and which revision it speaks.

A client is a program in drivers/, which takes a URL and the names of steps and prints what each step gave. That is
compared with what it gives with the server of the official SDK.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import build
import httpx
import pytest
from live_server import LiveServer, certificates, process

HERE = Path(__file__).parent
DRIVERS = HERE / "drivers"
BOUND = 60.0
"""Seconds for one client: a few, on an idle machine."""

MODERN, SESSIONS = "2026-07-28", "2025-11-25"
HTTP_SSE = "none"
"""The transport of 2024-11-05 has no header for the revision."""

ALL = (
    *("list", "add", "whole", "late", "spoken", "fail", "invalid", "picture"),
    *("progress", "cancel", "ask", "sample", "offer"),
)
CALLS = ("list", "add", "late", "spoken", "fail", "picture")
"""Libraries for agents hide the rest."""

BRIDGES = {
    "mcp-remote": ("npm", [build.node(), build.BUILT / "npm/node_modules/.bin/mcp-remote"]),
    "supergateway": (
        "npm",
        [build.node(), build.BUILT / "npm/node_modules/.bin/supergateway", "--logLevel", "none", "--sse"],
    ),
    "mcp-proxy": ("mcp-proxy", [build.BUILT / "mcp-proxy/bin/mcp-proxy", "--transport", "streamablehttp"]),
}
"""The environment of each, and its command, which the URL follows."""


@dataclass(frozen=True)
class Client:
    """`environment` of environments.toml, the driver, and the revision it speaks with a server that speaks all."""

    environment: str
    driver: str
    revision: str
    steps: tuple[str, ...] = ALL
    mode: str | None = None
    bridge: str | None = None
    path: str = "/mcp"

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.bridge or self.driver.removeprefix("use_").partition(".")[0], self.mode)))

    @property
    def needs(self) -> set[str]:
        """The environments."""
        return {self.environment} if self.bridge is None else {self.environment, BRIDGES[self.bridge][0]}

    @property
    def over_http_sse(self) -> bool:
        return self.mode == "sse" or self.bridge == "supergateway"

    def command(self) -> list[str]:
        if self.environment == "npm":
            # Beside node_modules: that is where JavaScript looks for what it imports.
            return [str(build.node()), str(build.BUILT / "npm" / "drivers" / self.driver)]
        return [str(build.python_of(self.environment)), str(DRIVERS / self.driver)]

    def environ(self) -> dict[str, str]:
        ca = str(certificates().authority)
        given = {**os.environ, "SSL_CERT_FILE": ca, "NODE_EXTRA_CA_CERTS": ca, "MODE": self.mode or ""}
        if self.bridge is not None:
            given["BRIDGE"] = json.dumps([str(each) for each in BRIDGES[self.bridge][1]])
        return given

    def drive(self, url: str, *steps: str) -> dict[str, Any]:
        """What each step gave."""
        ended = subprocess.run(
            [*self.command(), url, *(steps or self.steps)],
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        given: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
        return given


CLIENTS = (
    Client("mcp2", "use_mcp2.py", MODERN, mode="auto"),
    Client("mcp2", "use_mcp2.py", SESSIONS, mode="legacy"),
    Client("mcp1", "use_mcp1.py", SESSIONS),
    Client("fastmcp", "use_fastmcp.py", MODERN),
    Client("openai-agents", "use_openai_agents.py", MODERN, CALLS),
    Client("pydantic-ai", "use_pydantic_ai.py", MODERN, CALLS),
    Client("langchain", "use_langchain.py", SESSIONS, (*CALLS, "ask")),
    Client("npm", "use_sdk1.mjs", SESSIONS),
    Client("npm", "use_client2.mjs", MODERN, mode="auto"),
    Client("npm", "use_client2.mjs", SESSIONS, mode="legacy"),
    Client("npm", "use_ai_sdk.mjs", MODERN, (*CALLS, "invalid", "ask"), mode="http"),
    Client("npm", "use_ai_sdk.mjs", SESSIONS, (*CALLS, "invalid", "ask"), mode="sse"),
    Client("npm", "use_genkit.mjs", SESSIONS, CALLS),
    Client("mcp1", "use_mcp1.py", SESSIONS, ALL, bridge="mcp-remote"),
    Client("mcp1", "use_mcp1.py", SESSIONS, (*CALLS, "invalid", "progress", "offer"), bridge="mcp-proxy"),
    Client("mcp1", "use_mcp1.py", SESSIONS, (*CALLS, "invalid", "offer"), bridge="supergateway", path="/sse"),
)

SSE_ROUTE = (
    Client("mcp2", "use_mcp2.py", MODERN, mode="auto", path="/api/v1/mcp/sse"),
    Client("mcp1", "use_mcp1.py", SESSIONS, path="/api/v1/mcp/sse"),
    Client("mcp1", "use_mcp1.py", HTTP_SSE, mode="sse", path="/api/v1/mcp/sse"),
)

clients = pytest.mark.parametrize("client", CLIENTS, ids=lambda each: each.name)

pytestmark = pytest.mark.time_bound(3 * BOUND)


@pytest.fixture(autouse=True)
def built(request: pytest.FixtureRequest) -> None:
    """The environments of the test's client, or a skip that says how to get them."""
    client: Client | None = request.node.callspec.params.get("client") if hasattr(request.node, "callspec") else None
    needed = {"npm"} if client is None else client.needs
    if missing := sorted(name for name in needed if not build.is_built(name)):
        pytest.skip(f"needs the clients' environment {missing[0]} (make clients)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One process for all clients, at one URL for http and one for https."""
    home = tmp_path_factory.mktemp("served")
    shutil.copytree(certificates().authority.parent, home / "certs", dirs_exist_ok=True)
    with process(str(HERE / "served.py"), cwd=home) as running:
        yield running


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same tools, served by the official SDK; its URL."""
    if not build.is_built("mcp2"):
        pytest.skip("needs the clients' environment mcp2 (make clients)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("reference") / "log"
    with log.open("w") as said:
        child = subprocess.Popen(
            [build.python_of("mcp2"), HERE / "reference.py", str(port)], stdout=said, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(port, child, log)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            child.terminate()
            child.wait(BOUND)


def _wait_for(port: int, child: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + BOUND
    while time.monotonic() < until and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the reference server did not start:\n{log.read_text()}")


@pytest.fixture(autouse=True, scope="module")
def drivers() -> None:
    """JavaScript looks for what it imports in the directories above the script."""
    if build.is_built("npm"):
        shutil.copytree(DRIVERS, build.BUILT / "npm" / "drivers", dirs_exist_ok=True)


EXPECTED: Mapping[str, Any] = {
    "add": {"sum": 5},
    "whole": {"sum": 5},
    "late": 600_000,
    "invalid": True,
    "picture": "image/png",
    "progress": [[[1, 3, "at 1"], [2, 3, "at 2"], [3, 3, "at 3"]], "counted to 3"],
    "cancel": True,
    "ask": ["Hello, Ada!", "no name: decline", "no name: cancel"],
    "sample": "The model said: echo: a poem",
    "offer": [
        *("note://today", "day://{day}", ["buy milk", "on monday: rest"]),
        *("Plan my monday.", ["tuesday", "thursday"]),
    ],
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@clients
def test_client(client: Client, scheme: str, server: LiveServer) -> None:
    given = client.drive(f"{server.url if scheme == 'http' else server.tls_url}{client.path}")
    assert given.pop("spoken") == client.revision
    assert {"add", "count", "fail", "picture", "wait"} <= set(given.pop("list"))
    failed, text = given.pop("fail")
    assert failed
    assert "the disk is full" in text
    assert given == {step: EXPECTED[step] for step in given}


@pytest.mark.parametrize("client", SSE_ROUTE, ids=lambda each: each.name)
def test_the_event_stream_route_is_the_same_endpoint(client: Client, server: LiveServer) -> None:
    test_client(client, "http", server)


POLLING = [each for each in CLIENTS if each.revision == SESSIONS and each.steps == ALL]


@pytest.mark.parametrize("client", POLLING, ids=lambda each: each.name)
def test_a_call_outlasts_its_streams(client: Client, tmp_path: Path) -> None:
    """In 2025-11-25 a stream that reaches the cap is closed, and the client comes back for the rest."""
    with process(str(HERE / "served.py"), cwd=tmp_path, env={"MCP_APP_CAP_SECONDS": "1"}) as server:
        assert client.drive(f"{server.url}/mcp", "outlast") == {"outlast": "worked for 2.5 s"}
    resumed = [line for line in server.output if '"GET /mcp' in line]  # a line is written when its request has ended
    assert len(resumed) > 1  # the session's own stream is one


LEAVING = [each for each in CLIENTS if each.revision == SESSIONS]


@pytest.mark.parametrize("client", LEAVING, ids=lambda each: each.name)
def test_no_session_outlasts_its_client_for_long(client: Client, tmp_path: Path) -> None:
    """Half of them never send DELETE. Killed in the middle of a call, none does, and the call goes on to its end."""
    env = {"MCP_APP_SESSION_IDLE_SECONDS": "1", "LATE_SECONDS": "3"}
    with process(str(HERE / "served.py"), cwd=tmp_path, env=env) as server:
        client.drive(f"{server.url}{client.path}", "add")
        call = [*client.command(), f"{server.url}{client.path}", "late"]
        before = _metrics(server)["mcp_app_sessions_total"]
        with subprocess.Popen(call, env=client.environ(), stdout=subprocess.PIPE, start_new_session=True) as child:
            _until(server, lambda now: now["mcp_app_sessions_total"] > before and now["mcp_app_runs_working"] > 0)
            os.killpg(child.pid, signal.SIGKILL)
        _until(server, lambda numbers: numbers["mcp_app_sessions_open"] == 0)


def _metrics(server: LiveServer) -> Mapping[str, float]:
    lines = httpx.get(f"{server.url}/metrics", timeout=BOUND).text.splitlines()
    samples = (line.split() for line in lines if not line.startswith("#") and "{" not in line)
    return {name: float(value) for name, value in samples}


def _until(server: LiveServer, holds: Callable[[Mapping[str, float]], bool]) -> None:
    until = time.monotonic() + BOUND
    while time.monotonic() < until:
        if holds(_metrics(server)):
            return
        time.sleep(0.1)
    pytest.fail("that never came to hold")


MODERN_ONES = [each for each in CLIENTS if each.revision == MODERN]


@pytest.mark.parametrize("client", MODERN_ONES, ids=lambda each: each.name)
def test_json_may_begin_before_its_value(client: Client, tmp_path: Path) -> None:
    """A line break for each heartbeat: here several, before the result comes."""
    with process(str(HERE / "served.py"), cwd=tmp_path, env={"MCP_APP_HEARTBEAT_SECONDS": "0.1"}) as server:
        assert client.drive(f"{server.url}{client.path}", "late") == {"late": EXPECTED["late"]}
        assert "mcp_app_heartbeats_total 0" not in httpx.get(f"{server.url}/metrics", timeout=BOUND).text


PATIENT = [each for each in CLIENTS if each.environment == "npm" and each.steps == ALL]


@pytest.mark.parametrize("client", PATIENT, ids=lambda each: each.name)
def test_a_silent_tool_outlasts_the_patience_of_its_client(client: Client, tmp_path: Path) -> None:
    """The server's own progress puts the client's timeout off: 3 s here, of a call that takes 7."""
    with process(str(HERE / "doors_served.py"), cwd=tmp_path, env={"MCP_APP_HEARTBEAT_SECONDS": "1"}) as server:
        assert client.drive(f"{server.url}/mcp", "silent") == {"silent": "done in silence"}


STREAMABLE = [each for each in CLIENTS if not each.over_http_sse]  # all that the official server is asked for here


@pytest.mark.parametrize("client", STREAMABLE, ids=lambda each: each.name)
def test_the_official_server_gives_the_same(client: Client, server: LiveServer, reference: str) -> None:
    """But for the words of a failure, the revision, the names of all tools, and what is too large for its streams."""
    steps = [step for step in client.steps if step not in {"list", "fail", "late", "spoken"}]
    assert client.drive(f"{server.url}{client.path}", *steps) == client.drive(reference, *steps)


@pytest.mark.parametrize(("era", "revision"), [("legacy", SESSIONS), ("auto", MODERN), ("modern", MODERN)])
def test_inspector(era: str, revision: str, server: LiveServer) -> None:
    def inspect(*arguments: str) -> dict[str, Any]:
        command = [build.node(), build.BUILT / "npm/node_modules/.bin/mcp-inspector", "--cli", f"{server.url}/mcp"]
        ended = subprocess.run(
            [*command, "--protocol-era", era, *arguments], capture_output=True, text=True, timeout=BOUND, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        given: dict[str, Any] = json.loads(ended.stdout)
        return given

    assert "add" in {tool["name"] for tool in inspect("--method", "tools/list")["tools"]}
    called = inspect("--method", "tools/call", "--tool-name", "add", "--tool-arg", "a=2", "b=3")
    assert called["structuredContent"] == {"sum": 5}
    spoken = inspect("--method", "tools/call", "--tool-name", "spoken")
    assert spoken["content"][0]["text"] == revision
