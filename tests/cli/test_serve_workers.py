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
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from live_server import START_SECONDS, LiveServer, eventually, process
from pydantic import SecretStr

from mcp_app import Settings
from mcp_app.cli.serve_workers import refuse_unshared
from mcp_app.config.event_log import LogAddress
from mcp_app.server.errors import StartError

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

RESTART_SECONDS = 2 * START_SECONDS
"""Two interpreters that import everything, one after the other, on a busy machine."""

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
        eventually(lambda: len(lines(server, "is ready")) >= count, server.output, RESTART_SECONDS)
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


def streams_open(server: LiveServer) -> dict[str, str]:
    """How many each worker has, as whichever of them is asked says it."""
    page = httpx.get(f"{server.url}/metrics", timeout=START_SECONDS).text
    return dict(re.findall(r'^mcp_app_streams_open\{worker="(\d)"\} (\d+)$', page, re.MULTILINE))


@pytest.mark.time_bound(180)
def test_one_that_is_killed_is_replaced_and_the_others_streams_go_on_until_they_are_told(folder: Path) -> None:
    with workers(folder, 2) as server, contextlib.ExitStack() as calls:
        assert server.process is not None
        before = pids(server)
        assert len(before) == 2
        streams = streams_on_both(server, calls)
        assert streams.keys() == before
        eventually(lambda: len(streams_open(server)) == 2 and "0" not in streams_open(server).values(), server.output)
        run = httpx.post(f"{server.url}/api/v1/mcp/runs", json={"tool": "who"}, timeout=START_SECONDS).json()["url"]
        for _ in range(6):
            assert httpx.get(f"{server.url}{urlsplit(run).path}", timeout=START_SECONDS).status_code == 200
        victim, other = streams
        os.kill(victim, signal.SIGKILL)
        streams[other].goes_on()
        eventually(lambda: len(lines(server, "is ready")) == 3, server.output, RESTART_SECONDS)
        after = pids(server)
        assert len(after) == 2
        assert other in after
        assert victim not in after
        assert lines(server, f"(pid {victim}) was ended by SIGKILL after")
        assert {who(server)[0] for _ in range(10)} <= after
        assert httpx.get(f"{server.url}{urlsplit(run).path}", timeout=START_SECONDS).status_code == 200
        eventually(lambda: "0" in streams_open(server).values(), server.output)
        for number in ("1", "2"):
            assert lines(server, f" w{number}] INFO access:"), "each line says which worker"
        server.process.send_signal(signal.SIGTERM)
        assert streams[other].last() == "shutdown"
        assert server.process.wait(START_SECONDS) == 0
    assert not lines(server, "Traceback")
    assert not any(psutil.pid_exists(pid) for pid in after)


def test_a_signal_to_every_process_is_one_order(folder: Path) -> None:
    """systemd's KillMode=control-group, and a supervisor that passes the same on: two signals would end a worker at
    once. The service manager hears of it from the supervisor alone. And all serve a Unix socket."""
    path = folder / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.setblocking(False)
        words = ["--insecure-bind", f"unix:{path}"]
        with (
            workers(folder, 2, *words, NOTIFY_SOCKET=manager.getsockname()) as server,
            contextlib.ExitStack() as calls,
        ):
            assert server.process is not None
            streams = streams_on_both(server, calls)
            for _ in range(5):
                with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=START_SECONDS) as client:
                    answer = client.post("http://localhost/api/v1/mcp/tools/who", json={}, headers=JSON)
                assert answer.raise_for_status().json()["data"][0] in streams
            for pid in (server.process.pid, *pids(server)):
                os.kill(pid, signal.SIGTERM)
            assert [each.last() for each in streams.values()] == ["shutdown"] * 2
            assert server.process.wait(START_SECONDS) == 0
        assert [manager.recv(100) for _ in range(2)] == [b"READY=1", b"STOPPING=1"]
        with pytest.raises(BlockingIOError):
            manager.recv(100)


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


STUBBORN = """
@tool
async def stay() -> None:
    "Swallow every cancellation."
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            print("still here", flush=True)
"""


def test_a_hangup_is_passed_on_and_a_second_signal_ends_everything_at_once(folder: Path) -> None:
    (folder / "my_tools.py").write_text(TOOLS + STUBBORN)
    (folder / "hypercorn.toml").write_text("errorlog = 'error.log'\n")
    log = folder / "error.log"
    with process("my_tools.py", "--workers", "1", cwd=folder, session=True, status=130) as server:
        assert server.process is not None
        [worker] = pids(server)
        eventually(lambda: "is ready" in log.read_text())
        log.rename(folder / "error.log.1")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: log.exists() and " w1] INFO mcp_app.server: SIGHUP" in log.read_text())
        httpx.post(f"{server.url}/api/v1/mcp/runs", json={"tool": "stay"}, timeout=START_SECONDS).raise_for_status()
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: lines(server, "still here"), server.output)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(START_SECONDS) == 130
    eventually(lambda: not psutil.pid_exists(worker))


@pytest.mark.time_bound(180)
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
                while not over.wait(0.05):
                    try:
                        answer = client.post(f"{address}/api/v1/mcp/tools/who", json={}, headers=headers)
                        seen.append(answer.raise_for_status().json()["data"][1])
                    except Exception as error:
                        failed.append(repr(error))

        loads = [threading.Thread(target=load, args=each) for each in ((True, False), (False, False), (True, True))]
        for each in loads:
            each.start()
        try:
            long = threading.Thread(target=lambda: seen.append(ask(server, "slow", seconds=6).json()["data"]))
            long.start()
            (folder / "my_tools.py").write_text(TOOLS.replace("RELEASE = 1", "RELEASE = 2"))
            server.process.send_signal(signal.SIGUSR2)
            eventually(lambda: lines(server, "every worker is replaced"), server.output, 2 * RESTART_SECONDS)
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


@pytest.mark.time_bound(180)
def test_a_release_that_does_not_start_replaces_nothing(folder: Path) -> None:
    with workers(folder, 2) as server:
        assert server.process is not None
        before = pids(server)
        (folder / "my_tools.py").write_text("1 / 0\n")
        server.process.send_signal(signal.SIGUSR2)
        eventually(
            lambda: lines(server, "nothing is replaced, and those from before go on"), server.output, RESTART_SECONDS
        )
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


def test_a_secret_of_each_is_refused_for_several() -> None:
    shared = LogAddress("sqlite", "sqlite:///runs.db", "runs.db")
    refuse_unshared(1, Settings())
    refuse_unshared(2, Settings(event_log=shared, secret=SecretStr("x" * 16)))
    with pytest.raises(StartError, match=r"--workers 2 needs a secret that the processes share: .* Set MCP_APP_SECRET"):
        refuse_unshared(2, Settings(event_log=shared))


def test_a_memory_log_is_refused_for_several(folder: Path) -> None:
    done = run(folder, "my_tools.py", "--workers", "2", "--bind", "127.0.0.1:0", "--no-tls")
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(
        r"mcp-app: --workers 2 needs a log that the processes share: .* MCP_APP_EVENT_LOG=sqlite:///runs.db, .*\n",
        done.stderr,
    )


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
    (folder / "sitecustomize.py").write_text("import os\nif os.path.exists('broken'):\n    os._exit(7)\n")
    path = {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    with process("my_tools.py", "--workers", "1", cwd=folder, env=path, status=1) as server:
        assert server.process is not None
        (folder / "broken").touch()
        [worker] = pids(server)
        os.kill(worker, signal.SIGKILL)
        assert server.process.wait(START_SECONDS) == 1
    assert 4 <= len(lines(server, "ended with exit status 7 before it was ready")) <= 5
    [line] = lines(server, "giving up")
    assert "CRITICAL" in line
    assert "no worker stays" in line


def test_a_socket_of_the_service_manager_is_passed_on(folder: Path) -> None:
    """As systemd's .socket unit does: descriptor 3, before any process has been started. One worker may have a memory
    log."""
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
