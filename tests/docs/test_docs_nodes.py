"""The proxies of docs/deploy in front of two nodes: both work, and one that stops, dies or comes back costs no call."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import httpx
import pytest
from live_server import LiveServer, eventually, process
from proxies import NAME, SECONDS, client, free_port, proxied

TOOLS = r'''
import asyncio
import os
from collections.abc import AsyncIterator

from mcp_app import Context, tool

NODE = os.environ["NODE"]


@tool
async def where(text: str = "") -> str:
    """The node that worked on the call."""
    return NODE


@tool(read_only=True)
async def ticks() -> AsyncIterator[int]:
    """Count for a minute."""
    for number in range(1200):
        yield number
        await asyncio.sleep(0.05)


@tool(read_only=True)
async def wait(ctx: Context) -> AsyncIterator[str]:
    """Name the node, then wait for the end."""
    try:
        yield NODE
        await asyncio.Event().wait()
    finally:
        os.write(1, f"over: {ctx.cancel_reason}\n".encode())  # in one write, between the lines of the log
'''

RUNS = "/api/v1/mcp/runs"
SSE = "/api/v1/mcp/sse"
JSON = {"Accept": "application/json"}
SETTINGS = {
    "MCP_APP_PUBLIC_URL": f"https://{NAME}",
    "MCP_APP_ALLOW_ANONYMOUS": "1",
    "MCP_APP_HEARTBEAT_SECONDS": "0.3",
    "MCP_APP_SECRET": "00" * 16,
}
DELAY = 5
"""Seconds of shutdown_delay, as the files say it."""

FOUR = ["nginx", "haproxy", "caddy", "apache2"]
ASKS_READYZ = [name for name in FOUR if name != "nginx"]
NOTICES_BY_READYZ = ["caddy"]
"""Debian's 2.6 has read the body of a POST when it finds no connection, and cannot send it to the other node."""


@dataclass
class Node:
    """One process, which can be started again at its port."""

    name: str
    folder: Path
    port: int = field(default_factory=free_port)

    @contextmanager
    def running(self) -> Iterator[LiveServer]:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "tools.py").write_text(TOOLS)
        (self.folder / "hypercorn.toml").write_text(f'bind = ["127.0.0.1:{self.port}"]\nshutdown_delay = {DELAY}\n')
        command = [sys.executable, "-m", "mcp_app", "serve", "--no-tls"]
        log = {"MCP_APP_EVENT_LOG": f"sqlite://{self.folder.parent}/events.db"}
        environment = SETTINGS | log | {"NODE": self.name}
        with process("tools.py", cwd=self.folder, env=environment, command=command, schemes=1) as server:
            yield server
            if server.process is not None and server.process.poll() == -signal.SIGKILL:
                server.process.returncode = 0  # by a test's order


@dataclass
class Nodes:
    """Two nodes behind the proxy of `name`, at `url`."""

    name: str
    url: str
    nodes: dict[str, Node]
    servers: dict[str, LiveServer]
    _left: ExitStack

    def where(self, through: httpx.Client, text: str = "") -> str:
        """The node that worked on a call; or the status that it got in its place."""
        call = {"tool": "where", "params": {"text": text}}
        try:
            answer = through.post(self.url + SSE, json=call, headers=JSON)
        except httpx.LocalProtocolError:  # httpcore answers a window's update on a connection that has just been closed
            answer = through.post(self.url + SSE, json=call, headers=JSON)
        return str(answer.json()["data"]) if answer.status_code == 200 else f"{answer.status_code} {answer.text[:200]}"

    def stream(self, through: httpx.Client) -> AbstractContextManager[httpx.Response]:
        """The stream of a call that names its node and waits."""
        return through.stream("POST", self.url + SSE, json={"tool": "wait", "params": {}})

    def process(self, name: str) -> Popen[str]:
        found = self.servers[name].process
        assert found is not None
        return found

    def again(self, name: str, through: httpx.Client) -> None:
        """Start the node once more, and wait until it works on a call."""
        self.servers[name] = self._left.enter_context(self.nodes[name].running())
        eventually(lambda: self.where(through) == name)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.needs(name)) for name in FOUR])
def nodes(
    request: pytest.FixtureRequest, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Nodes]:
    """Each test leaves both running, with nothing to do."""
    name, folder = request.param, tmp_path_factory.mktemp("nodes")
    both = {each: Node(each, folder / each) for each in ("one", "two")}
    with ExitStack() as left:
        servers = {each: left.enter_context(node.running()) for each, node in both.items()}
        url = left.enter_context(proxied(name, program(name), [node.port for node in both.values()], folder))
        yield Nodes(name, url, both, servers, left)


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    return (json.loads(line[6:]) for line in lines if line.startswith("data: "))


def node_of(lines: Iterator[str]) -> str:
    """The node that says where it works."""
    return next(str(event["data"]) for event in events(lines) if event["type"] == "progress")


def cut(lines: Iterator[str]) -> list[dict[str, Any]]:
    """The events up to the end of a stream without a last event: some proxies say that it was cut, and some do not."""
    found = []
    try:
        found += events(lines)
    except httpx.TransportError:
        pass
    return found


def beats(lines: Iterator[str]) -> Iterator[str]:
    """Heartbeats, while there is nothing else."""
    for line in lines:
        assert line in (":", ""), line
        if line:
            yield line


def test_heartbeats_pass_and_leaving_reaches_the_tool_on_either_node(nodes: Nodes) -> None:
    """Two streams at once are on two nodes, as each proxy gives the next to the one that has fewer."""
    with client(http2=True) as through:
        with nodes.stream(through) as first, nodes.stream(through) as second:
            assert first.http_version == second.http_version == "HTTP/2"
            streams = [first.iter_lines(), second.iter_lines()]
            assert {node_of(lines) for lines in streams} == {"one", "two"}
            for lines in streams:
                quiet = beats(lines)
                assert [next(quiet) for _ in range(3)] == [":"] * 3
        through.close()
        for server in nodes.servers.values():
            eventually(lambda server=server: "over: left" in server.output, server.output)


def test_a_reader_that_comes_back_goes_on_where_it_was_on_either_node(nodes: Nodes) -> None:
    with client(http2=True) as through:
        begun = through.post(nodes.url + RUNS, json={"tool": "ticks", "params": {}}).json()
        events_url = nodes.url + begun["events_url"]
        ids: list[int] = []
        seen: list[int] = []

        def come_back() -> None:
            """Read three events more, over a connection of its own: left, httpx lets a stream of HTTP/2 go on."""
            last = {"Last-Event-ID": f"{begun['id']}/{ids[-1]}"} if ids else {}
            with client(http2=True) as reader, reader.stream("GET", events_url, headers=last) as answer:
                assert answer.status_code == 200, answer.read()
                until = len(ids) + 3
                for line in answer.iter_lines():
                    if line.startswith("id: "):
                        ids.append(int(line.rpartition("/")[2]))
                    elif line.startswith("data: "):
                        event = json.loads(line[6:])
                        assert event["type"] in ("started", "progress"), event
                        seen.extend([event["data"]] if event["type"] == "progress" else [])
                    elif not line and len(ids) >= until:
                        break

        def served(server: LiveServer) -> bool:
            return any(f'"GET {RUNS}/{begun["id"][:8]}' in line for line in server.output)

        eventually(lambda: come_back() or all(served(each) for each in nodes.servers.values()))
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert seen == list(range(len(seen)))
        assert through.delete(nodes.url + f"{RUNS}/{begun['id']}").status_code in (200, 202, 204)


@pytest.mark.time_bound(150)
def test_a_node_that_is_stopped_is_taken_out_and_no_call_is_lost(nodes: Nodes) -> None:
    with client(http2=True) as through, client(http2=True) as reading:
        # A stream on each: neither node has fewer, and calls go to both.
        with nodes.stream(reading) as stream, nodes.stream(through) as of_other:
            lines = stream.iter_lines()
            stopped, other = node_of(lines), node_of(of_other.iter_lines())
            child = nodes.process(stopped)
            child.send_signal(signal.SIGTERM)
            answers = []
            until = time.monotonic() + DELAY + 2 * SECONDS
            while child.poll() is None:
                assert time.monotonic() < until, "the node did not stop"
                answers.append(nodes.where(through))
            last = list(events(lines))
            assert (last[-1]["type"], last[-1]["error"]["code"]) == ("error", "shutdown")
            refused = [each for each in answers if each not in (stopped, other)]
            turned = len(answers) - answers[::-1].index(stopped)
            if nodes.name in ASKS_READYZ:
                assert refused == [], Counter(refused)
                # It turned away from the node long before that refused anything.
                assert turned < len(answers) * 4 / 5, f"{turned} of {len(answers)}"
            else:
                assert all("draining" in each for each in refused), Counter(refused)
            assert {nodes.where(through) for _ in range(20)} == {other}
        nodes.again(stopped, through)


@pytest.mark.time_bound(150)
def test_a_node_that_is_killed_costs_its_streams_and_no_other_call(nodes: Nodes) -> None:
    with client(http2=True) as through, client(http2=True) as reading:
        with nodes.stream(reading) as stream, nodes.stream(through) as of_other:
            lines = stream.iter_lines()
            killed, other = node_of(lines), node_of(of_other.iter_lines())
            eventually(lambda: nodes.where(through) == killed)  # the proxy has a connection to it
            nodes.process(killed).kill()
            nodes.process(killed).wait(SECONDS)
            assert [event["type"] for event in cut(lines)] == []
            if nodes.name in NOTICES_BY_READYZ:
                eventually(lambda: [nodes.where(through) for _ in range(10)] == [other] * 10)
            assert [nodes.where(through) for _ in range(20)] == [other] * 20
            # More than a proxy keeps of a body before it has looked for a node.
            assert [nodes.where(through, "x" * 200_000) for _ in range(20)] == [other] * 20
        nodes.again(killed, through)
