"""`mcp-app serve --workers N`: real processes that are killed, replaced, stopped, and that do not start."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from live_server import START_SECONDS, LiveServer, eventually, process

ROOT = Path(__file__).parent.parent.parent

TOOLS = '''
import asyncio, os
from mcp_app import Context, tool

RELEASE = 1

@tool(read_only=True)
async def count(to: int, ctx: Context) -> int:
    """Count, with a step every 50 ms."""
    for number in range(to):
        await ctx.progress(number, to, "counting")
        await asyncio.sleep(0.05)
    return to

@tool(read_only=True)
async def who() -> list[int]:
    """Which process answers, of which release."""
    return [os.getpid(), RELEASE]

@tool(read_only=True)
async def slow(seconds: float) -> int:
    """Take a while."""
    await asyncio.sleep(seconds)
    return RELEASE
'''

JSON = {"Accept": "application/json"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_tools.py").write_text(TOOLS)
    return tmp_path


@contextlib.contextmanager
def workers(folder: Path, count: int, *words: str, status: int = 0, **env: str) -> Iterator[LiveServer]:
    """A server of so many workers, all of which are ready."""
    log = {"MCP_APP_EVENT_LOG": f"sqlite:///{folder}/runs.db", "MCP_APP_SECRET": "sixteen-characters"}
    with process("my_tools.py", "--workers", str(count), *words, cwd=folder, env=log | env, status=status) as server:
        eventually(lambda: len(lines(server, "is ready")) >= count, server.output)
        yield server


def lines(server: LiveServer, part: str) -> list[str]:
    return [line for line in server.output if part in line]


def pids(server: LiveServer) -> set[int]:
    """The workers that there are."""
    assert server.process is not None
    return {each.pid for each in psutil.Process(server.process.pid).children()}


def ask(server: LiveServer, tool: str, **arguments: object) -> httpx.Response:
    return httpx.post(
        f"{server.url}/api/v1/mcp/tools/{tool}",
        json=arguments,
        headers=JSON,
        timeout=START_SECONDS,
    )


def who(server: LiveServer) -> tuple[int, int]:
    """Process and release that answer a new connection."""
    pid, release = ask(server, "who").raise_for_status().json()["data"]
    return pid, release


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "mcp-app" / "certs" / "ca.pem"))


class Streaming:
    """A call that counts for long, by the worker that took its connection."""

    def __init__(self, server: LiveServer, calls: contextlib.ExitStack) -> None:
        client = calls.enter_context(httpx.Client(timeout=START_SECONDS))
        self.pid = client.post(f"{server.url}/api/v1/mcp/tools/who", json={}, headers=JSON).json()["data"][0]
        body = {"tool": "count", "params": {"to": 10_000}}
        answer = calls.enter_context(client.stream("POST", f"{server.url}/api/v1/mcp/sse", json=body))
        self._lines = answer.iter_lines()
        self.goes_on()

    def goes_on(self) -> None:
        for _ in range(3):
            assert any("progress" in line for line in self._lines)

    def last(self) -> str:
        """The code with which it ends."""
        events = [json.loads(line[6:]) for line in self._lines if line.startswith("data: ")]
        return str(events[-1]["error"]["code"])


def streams_on_both(server: LiveServer, calls: contextlib.ExitStack) -> dict[int, Streaming]:
    """One on each worker: whoever has fewer connections accepts the next."""
    found: dict[int, Streaming] = {}
    for _ in range(20):
        if len(found) == 2:
            break
        stream = Streaming(server, calls)
        found.setdefault(stream.pid, stream)
    assert len(found) == 2
    return found


def test_one_that_is_killed_is_replaced_and_the_others_streams_go_on_until_they_are_told(folder: Path) -> None:
    with workers(folder, 2) as server, contextlib.ExitStack() as calls:
        assert server.process is not None
        before = pids(server)
        assert len(before) == 2
        streams = streams_on_both(server, calls)
        assert streams.keys() == before
        victim, other = streams
        os.kill(victim, signal.SIGKILL)
        streams[other].goes_on()
        eventually(lambda: len(lines(server, "is ready")) == 3, server.output)
        after = pids(server)
        assert len(after) == 2
        assert other in after
        assert victim not in after
        assert lines(server, f"(pid {victim}) was ended by SIGKILL after")
        assert {who(server)[0] for _ in range(10)} <= after
        for number in ("1", "2"):
            assert lines(server, f" w{number}] INFO access:"), "each line says which worker"
        server.process.send_signal(signal.SIGTERM)
        assert streams[other].last() == "shutdown"
        assert server.process.wait(START_SECONDS) == 0
    assert not lines(server, "Traceback")
    assert not any(psutil.pid_exists(pid) for pid in after)


def test_the_metrics_are_those_of_all_whoever_is_asked(folder: Path) -> None:
    with workers(folder, 2) as server, contextlib.ExitStack() as calls:
        streams = streams_on_both(server, calls)

        def started() -> dict[str, str]:
            page = httpx.get(f"{server.url}/metrics", timeout=START_SECONDS).text
            assert "\nmcp_app_workers 2\n" in page
            return dict(re.findall(r'mcp_app_streams_open\{worker="(\d)"\} ([\d.]+)', page))

        eventually(lambda: sorted(started()) == ["1", "2"] and "0" not in started().values(), server.output)
        os.kill(next(iter(streams)), signal.SIGKILL)
        eventually(lambda: len(lines(server, "is ready")) == 3, server.output)
        eventually(lambda: "0" in started().values(), server.output)


def test_the_supervisor_speaks_with_the_service_manager(folder: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(START_SECONDS)
        with workers(folder, 2, NOTIFY_SOCKET=manager.getsockname()):
            pass
        manager.settimeout(0)
        assert [manager.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]
        with pytest.raises(BlockingIOError):
            manager.recv(100)


def test_a_signal_to_every_process_is_one_order(folder: Path) -> None:
    """systemd's KillMode=control-group, and a supervisor that passes the same on: two signals would end a worker at
    once."""
    with workers(folder, 2) as server, contextlib.ExitStack() as calls:
        assert server.process is not None
        streams = streams_on_both(server, calls)
        for pid in (server.process.pid, *pids(server)):
            os.kill(pid, signal.SIGTERM)
        assert [each.last() for each in streams.values()] == ["shutdown"] * 2
        assert server.process.wait(START_SECONDS) == 0


def test_a_worker_whose_supervisor_has_died_ends_its_streams_and_itself(folder: Path) -> None:
    with workers(folder, 2, status=-signal.SIGKILL) as server, contextlib.ExitStack() as calls:
        assert server.process is not None
        streams = streams_on_both(server, calls)
        alive = pids(server)
        os.kill(server.process.pid, signal.SIGKILL)
        assert [each.last() for each in streams.values()] == ["shutdown"] * 2
        eventually(lambda: not any(map(psutil.pid_exists, alive)), server.output)
        with pytest.raises(httpx.ConnectError):
            who(server)


def test_all_are_replaced_under_load_and_no_request_fails(folder: Path) -> None:
    with workers(folder, 2) as server:
        assert server.process is not None
        before = pids(server)
        over = threading.Event()
        seen: list[int] = []
        failed: list[str] = []

        def load(kept: bool, http2: bool) -> None:
            address = server.tls_url.replace("127.0.0.1", "localhost") if http2 else server.url
            headers = JSON | ({} if kept else {"Connection": "close"})
            with httpx.Client(timeout=START_SECONDS, http2=http2, verify=trusting(folder)) as client:
                while not over.wait(0.02):
                    try:
                        answer = client.post(f"{address}/api/v1/mcp/tools/who", json={}, headers=headers)
                        seen.append(answer.raise_for_status().json()["data"][1])
                    except Exception as error:
                        failed.append(repr(error))

        loads = [threading.Thread(target=load, args=each) for each in ((True, False), (False, False), (True, True))]
        for each in loads:
            each.start()
        try:
            long = threading.Thread(target=lambda: seen.append(ask(server, "slow", seconds=8).json()["data"]))
            long.start()
            (folder / "my_tools.py").write_text(TOOLS.replace("RELEASE = 1", "RELEASE = 2"))
            server.process.send_signal(signal.SIGUSR2)
            eventually(lambda: lines(server, "every worker is replaced"), server.output)
            assert {who(server)[1] for _ in range(10)} == {2}
            long.join(START_SECONDS)
        finally:
            over.set()
            for each in loads:
                each.join(START_SECONDS)
        assert failed == []
        assert set(seen) == {1, 2}
        assert len(pids(server)) == 2
        assert not pids(server) & before
    assert not lines(server, "Traceback")


def test_a_release_that_does_not_start_replaces_nothing(folder: Path) -> None:
    with workers(folder, 2) as server:
        assert server.process is not None
        before = pids(server)
        (folder / "my_tools.py").write_text("1 / 0\n")
        server.process.send_signal(signal.SIGUSR2)
        eventually(lambda: lines(server, "nothing is replaced, and those from before go on"), server.output)
        assert lines(server, "my_tools.py:1: ZeroDivisionError")
        assert {who(server) for _ in range(5)} <= {(pid, 1) for pid in before}
        assert pids(server) == before


def run(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A server that ends by itself."""
    surroundings = {key: value for key, value in os.environ.items() if not key.startswith("MCP_APP_")}
    surroundings |= {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder)} | env
    command = [sys.executable, "-m", "mcp_app", "serve", *words]
    return subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=2 * START_SECONDS
    )


def test_a_memory_log_is_refused_for_several(folder: Path) -> None:
    done = run(folder, "my_tools.py", "--workers", "2", "--bind", "127.0.0.1:0", "--no-tls")
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(
        r"mcp-app: --workers 2 needs a log that the processes share: .* MCP_APP_EVENT_LOG=sqlite:///runs.db, .*\n",
        done.stderr,
    )


def test_one_worker_may_have_a_memory_log(folder: Path) -> None:
    with process("my_tools.py", "--workers", "1", cwd=folder) as server:
        assert {who(server)[0]} == pids(server)


def test_tools_that_cannot_be_imported_are_one_line(folder: Path) -> None:
    (folder / "broken.py").write_text("\n1 / 0\n")
    done = run(folder, "broken.py", "--workers", "2", "--bind", "127.0.0.1:0", "--no-tls")
    assert done.returncode == 1
    assert done.stderr.startswith("mcp-app: broken.py:2: ZeroDivisionError")
    assert done.stderr.count("\n") == 1


def test_a_port_in_use_is_one_line_and_starts_nothing(folder: Path) -> None:
    (folder / "trace.py").write_text("import pathlib; pathlib.Path('imported').touch()\n" + TOOLS)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(folder, "trace.py", "--workers", "2", "--bind", address, "--no-tls")
    assert done.returncode == 1
    assert done.stderr.startswith(f"mcp-app: cannot listen on {address}: Address already in use; another process")
    assert done.stderr.count("\n") == 1
    assert not (folder / "imported").exists()


def test_one_that_never_stays_is_given_up_with_a_line(folder: Path) -> None:
    (folder / "dying.py").write_text(
        f"import os, pathlib\n{TOOLS}\nif pathlib.Path('begun').exists():\n    os._exit(7)\n"
        "pathlib.Path('begun').touch()\n"
        "@tool\nasync def die() -> None:\n    os._exit(7)\n"
    )
    with process("dying.py", "--workers", "1", cwd=folder, status=1) as server:
        assert server.process is not None
        with pytest.raises(httpx.HTTPError):
            ask(server, "die")
        assert server.process.wait(2 * START_SECONDS) == 1
    assert len(lines(server, "ended with exit status 7")) >= 5
    [line] = lines(server, "giving up")
    assert "CRITICAL" in line
    assert "no worker stays" in line


def test_a_socket_of_the_service_manager_is_passed_on(folder: Path) -> None:
    """As systemd's .socket unit does: descriptor 3, before any process has been started."""
    with socket.create_server(("127.0.0.1", 0)) as given:
        port = given.getsockname()[1]
        script = (
            f"import os, sys; os.dup2({given.fileno()}, 3); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
        )
        words = ["-m", "mcp_app", "serve", "my_tools.py", "--workers", "1", "--no-tls", "--bind", "fd://3"]
        given.set_inheritable(True)
        surroundings = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder)}
        child = subprocess.Popen(
            [sys.executable, "-c", script, *words], cwd=folder, env=surroundings, pass_fds=[given.fileno()]
        )
        server = LiveServer(port=port, tls_port=0, process=child)
        try:
            pid, _ = who(server)  # it waits in the queue until the worker is there
            assert pid in pids(server)
        finally:
            child.send_signal(signal.SIGTERM)
            assert child.wait(START_SECONDS) == 0


def test_a_unix_socket_is_served_by_all(folder: Path) -> None:
    path = folder / "s"
    with workers(folder, 2, "--insecure-bind", f"unix:{path}") as server:
        seen = set()
        for _ in range(20):
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=START_SECONDS) as client:
                answer = client.post("http://localhost/api/v1/mcp/tools/who", json={}, headers=JSON)
                seen.add(answer.raise_for_status().json()["data"][0])
        assert seen <= pids(server)
