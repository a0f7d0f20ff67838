"""`python -m bench.endurance`: what the server survives, measured on a real one and written as a table.

Each scenario starts a server of its own, misbehaves, and says what it saw; `main` runs them all at full size and
prints Markdown for docs/endurance.md. tests/load runs the same scenarios, smaller, and asserts.
"""

from __future__ import annotations

import http.client
import json
import platform
import re
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .peers import HOST, PATH, WAIT, H2Peer, call, dial, http1_request

MIB = 1024 * 1024
GIGABYTE = {"items": 16_384, "size": 65_536}
"""One binary gigabyte, offered in events of 64 KiB."""


@dataclass
class Server:
    """A server process with the load tools."""

    port: int
    tls_port: int
    ca: Path
    process: psutil.Process

    def rss(self) -> int:
        """Resident bytes."""
        return int(self.process.memory_info().rss)

    def ask(self, tool: str, **params: Any) -> Any:
        """The result of a call, as JSON."""
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}{PATH}",
            json.dumps(call(tool, **params)).encode(),
            {"Content-Type": "application/json", "Accept": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=WAIT * 3) as answer:
            return json.load(answer)["data"]

    def settled(self, what: str, at_most: int) -> int:
        """A number of the census once it is small enough, or as it is after five seconds."""
        deadline = time.monotonic() + 5
        while (count := int(self.ask("census")[what])) > at_most and time.monotonic() < deadline:
            time.sleep(0.1)
        return count


@contextmanager
def running(**environment: str) -> Iterator[Server]:
    """A server for one scenario; it must exit with status 0 within seconds."""
    with tempfile.TemporaryDirectory(prefix="mcp-app-endurance-") as directory:
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.endurance_server", directory],
            env={**psutil.Process().environ(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert child.stdout is not None
        ports = dict(re.findall(r"(https?)://[^\s/]+:(\d+)", child.stdout.readline()))
        server = Server(int(ports["http"]), int(ports["https"]), Path(directory) / "ca.pem", psutil.Process(child.pid))
        try:
            for _ in range(20):  # imports, caches and arenas that a first call fills are nobody's leak
                server.ask("echo", text="warm")
            yield server
        finally:
            child.terminate()
            try:
                status = child.wait(WAIT)
            finally:
                child.kill()
                child.stdout.close()
        assert status == 0, f"the server exited with status {status}"


def stalled_reader(kind: str, seconds: float = 4.0) -> dict[str, Any]:
    """A gigabyte offered to a reader that stops reading, which then leaves."""
    with running() as server:
        before = server.rss()
        leave = _stall(server, kind)
        peak = _peak(server, seconds)
        leave()
        finished = _wait_for(lambda: server.ask("census")["flood"] >= 1)
        after = _peak(server, 1.0)
        return {
            "growth while stalled, MiB": round((peak - before) / MIB, 1),
            "growth after it left, MiB": round((after - before) / MIB, 1),
            "tool stopped": finished,
        }


def flood_as_json() -> dict[str, Any]:
    """A gigabyte asked for as one JSON object."""
    with running() as server:
        server.ask("flood", items=64, size=65_536)
        before = server.rss()
        connection = dial(server.port, None)
        connection.sendall(http1_request(server.port, call("flood", **GIGABYTE), accept="application/json"))
        peak = _peak(server, WAIT * 3, lambda: _readable(connection))
        answer = _http1_body(connection)
        connection.close()
        return {
            "growth, MiB": round((max(peak, server.rss()) - before) / MIB, 1),
            "truncated": answer["metadata"].get("truncated", False),
            "items": answer["metadata"]["items"],
        }


def rapid_resets(count: int = 3000) -> dict[str, Any]:
    """HEADERS and RST_STREAM, again and again, on few connections."""
    with running() as server:
        tasks = server.ask("census")["tasks"]
        _resets(server, 300)  # what the first hundreds allocate is kept by the allocator, and used again
        server.settled("tasks", tasks)
        before = server.rss()
        _resets(server, count)
        left = server.settled("tasks", tasks)
        return {"tasks left behind": max(0, left - tasks), "growth, MiB": round((server.rss() - before) / MIB, 1)}


def neighbours(requests: int = 1001) -> dict[str, Any]:
    """One open stream, and everything on its connection that used to kill it."""
    with running() as server:
        peer = H2Peer(server.tls_port, server.ca)
        watched = peer.post({**call("idle", seconds=60), "heartbeat_seconds": 0.2})
        seen: dict[str, Any] = {}
        stream = peer.finish(peer.post(call("broken")))
        seen["a tool error"] = b"tool_failed" in stream.data and _alive(peer, watched)
        stream = peer.finish(peer.post({**call("idle", seconds=60), "cap_seconds": 0.3}))
        seen["a time cap"] = b"time_cap" in stream.data and stream.ended and _alive(peer, watched)
        refused = peer.post(call("echo"), declare=2 * MIB)
        assert peer.pump(WAIT, lambda: peer.streams[refused].status is not None)
        peer.send_body(refused, b"x" * 32768, end=False)
        seen["a POST refused before its body"] = peer.streams[refused].status == 413 and _alive(peer, watched)
        last = 0
        for _ in range(requests):
            last = peer.finish(peer.post(call("echo", text="x"), accept="application/json")).status or 0
        seen[f"request {requests}"] = last == 200 and _alive(peer, watched)
        peer.close()
        return seen


def idle_streams(count: int, seconds: float, *, per_connection: int = 100, **environment: str) -> dict[str, Any]:
    """Streams that say nothing, with heartbeats; memory is measured while all are open."""
    with running(**environment) as server:
        before = server.rss()
        peers = [H2Peer(server.tls_port, server.ca) for _ in range(count // per_connection)]
        body = {**call("idle", seconds=seconds), "heartbeat_seconds": min(15.0, seconds / 4)}
        ids = [(peer, peer.post(body)) for peer in peers for _ in range(per_connection)]
        start = time.monotonic()
        for peer in peers:
            peer.pump(WAIT, lambda peer=peer: sum(b"idle" in s.data for s in peer.streams.values()) == per_connection)
        opened = server.rss()
        while time.monotonic() < start + seconds + WAIT and not all(p.streams[i].ended for p, i in ids):
            for peer in peers:
                peer.pump(0.05)
        good = sum(p.streams[i].ended and b'"complete"' in p.streams[i].data for p, i in ids)
        beaten = sum(b"\n:\n" in p.streams[i].data for p, i in ids)
        for peer in peers:
            peer.close()
        return {
            "streams": len(ids),
            "ended with their result": good,
            "had heartbeats": beaten,
            "KiB per stream": round((opened - before) / 1024 / len(ids), 1),
        }


def quiet_client_beside_flood(calls: int = 300) -> dict[str, Any]:
    """Echo from one client while another takes all a flooding tool gives; milliseconds, for comparison in one run."""
    with running() as server:
        alone = _echo_p50(server, calls)
        order: dict[str, Any] = {
            "port": server.port,
            "ca": None,
            "path": PATH,
            "headers": [["content-type", "application/json"]],
        }
        order["last"] = '"complete"'
        order["body"] = json.dumps(call("flood", items=10_000_000, size=100))
        drink = [sys.executable, "-m", "bench.drink", json.dumps(order)]
        flood = subprocess.Popen(drink, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            beside = _echo_p50(server, calls)
        finally:
            flood.kill()
            flood.communicate(timeout=WAIT)
        return {"p50 alone, ms": alone, "p50 beside a flood, ms": beside}


# --- what the scenarios are made of ----------------------------------------------------------------------------------


def _stall(server: Server, kind: str) -> Callable[[], None]:
    body = call("flood", **GIGABYTE)
    if kind == "h2":
        peer = H2Peer(server.tls_port, server.ca, reading=False)
        peer.post(body)
        peer.pump(0.5)
        return peer.close
    tls = kind == "http/1.1 over TLS"
    connection = dial(
        server.tls_port if tls else server.port, server.ca if tls else None, "http/1.1", receive_buffer=65_536
    )
    connection.sendall(http1_request(server.port, body))
    connection.recv(1024)
    return connection.close


def _peak(server: Server, seconds: float, until: Callable[[], bool] = lambda: False) -> int:
    deadline = time.monotonic() + seconds
    peak = server.rss()
    while time.monotonic() < deadline and not until():
        time.sleep(0.02)
        peak = max(peak, server.rss())
    return peak


def _wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _resets(server: Server, count: int) -> None:
    done = 0
    while done < count:
        peer = H2Peer(server.tls_port, server.ca)
        try:
            while done < count and not peer.closed:
                peer.reset(peer.post(call("idle", seconds=60)))
                done += 1
                if peer.window < 1000:
                    assert peer.pump(WAIT, lambda peer=peer: peer.window >= 1000), "the window stays shut"
        except OSError:
            pass  # the server may close a connection that only resets: that is an answer, too
        peer.close()


def _alive(peer: H2Peer, stream: int) -> bool:
    beats = peer.streams[stream].data.count(b"\n:")
    return peer.pump(WAIT, lambda: peer.streams[stream].data.count(b"\n:") > beats + 1)


def _readable(connection: socket.socket) -> bool:
    return bool(select.select([connection], [], [], 0)[0])


def _http1_body(connection: socket.socket) -> Any:
    response = http.client.HTTPResponse(connection, method="POST")
    response.begin()
    return json.load(response)


def _echo_p50(server: Server, calls: int) -> float:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=WAIT)
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    body = json.dumps(call("echo", text="x"))
    took = []
    for _ in range(calls):
        start = time.perf_counter()
        connection.request("POST", PATH, body, headers)
        connection.getresponse().read()
        took.append(time.perf_counter() - start)
    connection.close()
    return round(statistics.median(took) * 1000, 2)


def main() -> None:
    """Run everything at full size and print Markdown."""
    print(f"Python {platform.python_version()}, {platform.system()}, loopback; the server on one core of two.\n")
    table: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        *((f"1 GiB offered, reader stopped, {kind}", lambda kind=kind: stalled_reader(kind)) for kind in KINDS),
        ("1 GiB asked for as one JSON object", flood_as_json),
        ("3,000 rapid resets over h2", rapid_resets),
        ("an open h2 stream beside trouble on its connection", neighbours),
        ("2,000 idle streams, 60 s, 20 connections over h2 and TLS", lambda: idle_streams(2000, 60.0)),
        ("the same with uvloop", lambda: idle_streams(2000, 60.0, WORKER_CLASS="uvloop")),
        ("a quiet client beside a flood, http/1.1", quiet_client_beside_flood),
    ]
    print("| scenario | seen |\n|---|---|")
    for name, scenario in table:
        seen = "; ".join(f"{what}: {value}" for what, value in scenario().items())
        print(f"| {name} | {seen} |", flush=True)


KINDS = ("h2", "http/1.1", "http/1.1 over TLS")

if __name__ == "__main__":
    main()
