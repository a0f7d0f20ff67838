"""`mcp-app` as a process: what it prints, how it starts, what it says when it cannot, and how it stops."""

from __future__ import annotations

import compileall
import contextlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from live_server import START_SECONDS, LiveServer, process

ROOT = Path(__file__).parent.parent.parent

TOOLS = '''
import asyncio
from mcp_app import Context, tool

@tool(read_only=True)
async def count(to: int, ctx: Context) -> int:
    """Count, with a step every 50 ms."""
    for number in range(to):
        await ctx.progress(number, to, "counting")
        await asyncio.sleep(0.05)
    return to
'''

STUBBORN = '''
import asyncio
from mcp_app import tool

@tool
async def stay() -> None:
    """Swallow every cancellation."""
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            print("still here", flush=True)
'''

WITHIN_SECONDS = 15.0
"""What "within seconds" may mean at most on a busy machine; a graceful time that was not applied takes far longer."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with a file of tools, and nothing else."""
    (tmp_path / "my_tools.py").write_text(TOOLS)
    return tmp_path


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MCP_APP_")}
    return kept | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder / "state")} | more


def run(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command that is expected to end by itself."""
    command = [sys.executable, "-m", "mcp_app", *words]
    return subprocess.run(
        command, cwd=folder, env=surroundings(folder, **env), capture_output=True, text=True, timeout=START_SECONDS
    )


def refused(folder: Path, *words: str, **env: str) -> str:
    """The one line with which `serve` refuses; no traceback, and a status that says so."""
    done = run(folder, "serve", *words, **env)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("mcp-app: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == ""
    return done.stderr.strip()


@contextlib.contextmanager
def call(server: LiveServer, to: int) -> Iterator[httpx.Response]:
    body = {"tool": "count", "params": {"to": to}}
    with (
        httpx.Client(timeout=START_SECONDS) as client,
        client.stream("POST", f"{server.url}/api/v1/mcp/sse", json=body) as answer,
    ):
        yield answer


def test_the_printed_curl_line_works(folder: Path) -> None:
    with process("my_tools.py", cwd=folder) as server:
        started = time.monotonic()
        while not any("curl -N" in line for line in server.output):
            assert time.monotonic() - started < START_SECONDS
            time.sleep(0.01)
        words = shlex.split(next(line for line in server.output if "curl -N" in line))
        assert str(server.port) in words[4]
        answer = httpx.post(words[4], content=words[-1], headers={"Content-Type": "application/json"}, timeout=30)
        assert '"type":"complete"' in answer.text
        ca = folder / "mcp-app" / "certs" / "ca.pem"
        assert any(str(ca.parent / "cert.pem") in line for line in server.output)
        with httpx.Client(verify=_trusting(ca), http2=True) as client:
            page = client.get(f"https://localhost:{server.tls_port}/healthz")
            assert (page.status_code, page.http_version) == (200, "HTTP/2")
    assert any('"POST /api/v1/mcp/sse HTTP/1.1" 200' in line for line in server.output), "the access log"


def _trusting(ca: Path) -> object:
    import ssl

    return ssl.create_default_context(cafile=str(ca))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_gives_streams_their_last_event_and_exits_with_0(folder: Path, number: int) -> None:
    with process("my_tools.py", cwd=folder) as server, call(server, 10_000) as answer:
        assert server.process is not None
        lines = answer.iter_lines()
        assert any("progress" in line for line in lines)
        started = time.monotonic()
        server.process.send_signal(number)
        rest = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        assert rest[-1]["error"]["code"] == "shutdown"
        assert server.process.wait(WITHIN_SECONDS) == 0
        assert time.monotonic() - started < WITHIN_SECONDS
    assert not any("Traceback" in line for line in server.output)


def test_the_exit_does_not_wait_for_a_client_that_does_not_read(folder: Path) -> None:
    with process("my_tools.py", cwd=folder) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        assert server.process is not None
        body = b'{"tool": "count", "params": {"to": 10000}}'
        client.sendall(
            b"POST /api/v1/mcp/sse HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        assert client.recv(1)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(WITHIN_SECONDS) == 0


def test_a_second_signal_ends_it_at_once(folder: Path) -> None:
    (folder / "stubborn.py").write_text(STUBBORN)
    with pytest.raises(AssertionError, match="exit status 130"), process("stubborn.py", cwd=folder) as server:
        assert server.process is not None
        httpx.post(f"{server.url}/api/v1/mcp/runs", json={"tool": "stay"}, timeout=START_SECONDS)
        server.process.send_signal(signal.SIGTERM)
        until_output(server, "still here")
        server.process.send_signal(signal.SIGINT)
        server.process.wait(WITHIN_SECONDS)


def test_builtin_tools_stand_behind_ones_own_when_asked_for(folder: Path) -> None:
    with process("my_tools.py", "--with-builtin", cwd=folder) as server:
        tools = httpx.get(f"{server.url}/api/v1/mcp/tools", timeout=30).json()["tools"]
        names = [tool["name"] for tool in tools]
        assert names[0] == "count"
        assert "scan_domain" in names
    with process("my_tools.py", cwd=folder) as server:
        tools = httpx.get(f"{server.url}/api/v1/mcp/tools", timeout=30).json()["tools"]
        assert [tool["name"] for tool in tools] == ["count"]


def test_a_module_is_served_as_well(folder: Path) -> None:
    with process("my_tools", cwd=folder) as server, call(server, 1) as answer:
        assert '"type":"complete"' in answer.read().decode()


def test_hypercorn_itself_serves_the_same_with_the_same_safety(tmp_path: Path) -> None:
    """After `mcp-app certs`, in a project directory; also SIGTERM and its last events."""
    text = (
        (ROOT / "hypercorn.toml")
        .read_text()
        .replace("localhost:8443", "localhost:0")
        .replace("localhost:8000", "localhost:0")
    )
    (tmp_path / "hypercorn.toml").write_text(text)
    made = run(tmp_path, "certs")
    assert made.returncode == 0
    assert "Made " in made.stdout
    assert "NODE_EXTRA_CA_CERTS" in made.stdout
    assert run(tmp_path, "certs").stdout.startswith("Still good: ")
    command = [sys.executable, "-m", "hypercorn", "-c", "hypercorn.toml", "mcp_app.asgi:app"]
    with process(command=command, cwd=tmp_path) as server:
        with httpx.Client(verify=_trusting(tmp_path / "certs" / "ca.pem"), http2=True) as client:  # type: ignore[arg-type]
            tools = client.get(f"https://localhost:{server.tls_port}/api/v1/mcp/tools")
            assert (tools.status_code, tools.http_version) == (200, "HTTP/2")
        # A fix of ours at work: without it the connection would be closed without an answer.
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            plain.sendall(b"POST /api/v1/mcp/sse HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n")
            plain.settimeout(START_SECONDS)
            answer = b""
            while chunk := plain.recv(65536):
                answer += chunk
            assert b"connection: close" in answer.lower()


OWN_APP = next(
    block
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "how-to-deploy.md").read_text(), re.DOTALL)
    if "engine.install()" in block
)


@contextlib.contextmanager
def by_hypercorn(folder: Path, *words: str, text: str = OWN_APP) -> Iterator[LiveServer]:
    """An application of one's own, served by Hypercorn's command as docs/how-to-deploy.md says."""
    settings = (ROOT / "hypercorn.toml").read_text().replace("localhost:8443", "localhost:0")
    (folder / "hypercorn.toml").write_text(settings.replace("localhost:8000", "localhost:0"))
    (folder / "my_app.py").write_text(text)
    assert run(folder, "certs").returncode == 0
    command = [sys.executable, "-m", "hypercorn", "-c", "hypercorn.toml", *words, "my_app:app"]
    with process(command=command, cwd=folder) as server:
        yield server


@pytest.mark.parametrize("workers", ["0", "1", "2"])
@pytest.mark.parametrize("whom", ["the process", "its group"])
def test_hypercorn_serves_an_application_of_ones_own_with_the_same_safety(
    folder: Path, workers: str, whom: str
) -> None:
    """Its open streams get their last event, also from a worker that is signalled by its parent or by a manager."""
    with by_hypercorn(folder, "-w", workers) as server, contextlib.ExitStack() as calls:
        assert server.process is not None
        answers = [calls.enter_context(call(server, 10_000)) for _ in range(4)]
        streams = [answer.iter_lines() for answer in answers]
        for lines in streams:
            assert any("progress" in line for line in lines)
        asked = psutil.Process(server.process.pid)
        for each in [asked, *(asked.children() if whom == "its group" else ())]:
            each.send_signal(signal.SIGTERM)
        for lines in streams:
            rest = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
            assert rest[-1]["error"]["code"] == "shutdown"
        assert server.process.wait(WITHIN_SECONDS) == 0
    assert "Traceback" not in "\n".join(server.output)
    said = sum("2 processes serve, each with a log in its own memory" in line for line in server.output)
    assert said == (workers == "2")


def test_hypercorns_sources_are_not_needed(folder: Path) -> None:
    import hypercorn

    bare = folder / "site" / "hypercorn"
    shutil.copytree(Path(hypercorn.__file__).parent, bare, ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(bare, legacy=True, quiet=2)
    for source in bare.rglob("*.py"):
        source.unlink()
    path = {"PYTHONPATH": f"{bare.parent}{os.pathsep}{ROOT}"}
    with process("my_tools.py", cwd=folder, env=path) as server, call(server, 1) as answer:
        assert '"type":"complete"' in answer.read().decode()
    shown = [sys.executable, "-c", "import hypercorn; print(hypercorn.__file__)"]
    done = subprocess.run(
        shown, env=surroundings(folder, **path), capture_output=True, text=True, timeout=START_SECONDS
    )
    assert done.stdout.strip() == str(bare / "__init__.pyc")


def test_an_application_that_hypercorn_serves_without_our_engine_says_so(folder: Path) -> None:
    with by_hypercorn(folder, text=OWN_APP.replace("engine.install()\n", "")) as server:
        pass
    assert sum("mcp_app.server.engine.install()" in line for line in server.output) == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["gone.py"], "gone.py: no such file"),
        (["gone"], "gone: no such file or module"),
        (["broken.py"], "broken.py:3: ZeroDivisionError: division by zero"),
        (["twice.py"], "twice"),
        (["empty.py"], "empty.py: no tools"),
        (["--config", "gone.toml"], "gone.toml: cannot be read: No such file or directory"),
        (["--config", "bad.toml"], "bad.toml:2: worker-class: Hypercorn has no such key; did you mean worker_class?"),
        (["--bind", "0.0.0.0:0"], "0.0.0.0:0 can be reached by other machines"),
        (["--insecure-bind", "[::]:0"], "[::]:0 can be reached by other machines"),
        (["--bind", "0.0.0.0:0", "--allow-anonymous"], "No such file or directory: put your certificate there"),
        (["--bind", "127.0.0.1:99999"], "cannot listen on 127.0.0.1:99999: "),
        (["--config", "log.toml"], "the log cannot be written as configured"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_prevents_the_start_is_one_line(folder: Path, words: list[str], expected: str) -> None:
    (folder / "broken.py").write_text("\n\n1 / 0\n")
    (folder / "empty.py").write_text("x = 1\n")
    twice = "from mcp_app import tool\n\ndef make():\n    @tool\n    def twice() -> int: ...\n    return twice\n"
    (folder / "twice.py").write_text(f"{twice}\na, b = make(), make()\n")
    (folder / "bad.toml").write_text("# a comment\nworker-class = 'uvloop'\n")
    (folder / "log.toml").write_text(
        "accesslog = '/no/such/folder/access.log'\nloglevel = 'INFO'\nbind = '127.0.0.1:0'\n"
    )
    assert expected in refused(folder, *words)


@pytest.mark.parametrize(
    ("name", "value"), [("MCP_APP_PUBLIC_URL", "https://x/?a"), ("MCP_APP_SCAN_HTTP_PORT", "http")]
)
def test_a_wrong_setting_is_one_line_by_hypercorns_command_too(folder: Path, name: str, value: str) -> None:
    (folder / "hypercorn.toml").write_text('bind = "127.0.0.1:0"\nworkers = 0\n')
    command = [sys.executable, "-m", "hypercorn", "-c", "hypercorn.toml", "mcp_app.asgi:app"]
    env = os.environ | {"PYTHONPATH": str(ROOT), name: value}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"mcp-app: {name}='{value}': ")
    assert done.stderr.count("\n") == 1, done.stderr


def test_wrong_settings_and_a_wrong_manifest_are_one_line(folder: Path) -> None:
    assert "MCP_APP_CAP_SECONDS='-1'" in refused(folder, MCP_APP_CAP_SECONDS="-1")
    assert "MCP_APP_HEARTBEAT_SECONDS='often'" in refused(folder, MCP_APP_HEARTBEAT_SECONDS="often")
    said = refused(folder, MCP_APP_PUBLIC_URL="https://me:password@tools.example.com")
    assert said.startswith("mcp-app: MCP_APP_PUBLIC_URL='https://…@tools.example.com': it has a user or a password")
    said = run(folder, "serve", MCP_APP_SCAN_HTTP_PORT="99999").stderr
    assert said.startswith("mcp-app: MCP_APP_SCAN_HTTP_PORT='99999': Input should be less")
    (folder / "mcp.json").write_text("{")
    assert "mcp.json" in refused(folder)


def test_a_port_in_use_is_named_with_its_remedy(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert refused(folder, "my_tools.py", "--bind", address) == (
            f"mcp-app: cannot listen on {address}: Address already in use; another process listens there: stop it, or "
            "choose another port with --bind"
        )
        message = refused(folder, "my_tools.py", "--bind", "127.0.0.1:0", "--insecure-bind", address)
        assert message.endswith("choose another port with --insecure-bind")


def test_a_certificate_that_is_none_is_named(folder: Path) -> None:
    (folder / "a.pem").write_text("nonsense")
    (folder / "hypercorn.toml").write_text('bind = "127.0.0.1:0"\ncertfile = "a.pem"\nkeyfile = "a.pem"\n')
    assert "certfile a.pem and keyfile a.pem cannot be used" in refused(folder, "my_tools.py")


def test_beyond_loopback_with_a_certificate_when_told_so(folder: Path) -> None:
    (folder / "mcp.json").write_text((ROOT / "mcp.json").read_text())
    assert run(folder, "certs").returncode == 0
    command = [sys.executable, "-m", "mcp_app", "serve", "my_tools.py", "--allow-anonymous"]
    binds = ["--bind", "0.0.0.0:0", "--insecure-bind", "127.0.0.1:0"]
    with process(command=[*command, *binds], cwd=folder) as server:
        assert httpx.get(f"{server.url}/healthz", timeout=30).status_code == 200


@pytest.mark.needs("ipv6")
def test_localhost_is_served_at_both_of_its_addresses(folder: Path) -> None:
    """Node 17 to 19 and Java try only the first that the system names."""
    command = [sys.executable, "-m", "mcp_app", "serve", "my_tools.py"]
    binds = ["--bind", "localhost:0", "--insecure-bind", "localhost:0"]
    with process(command=[*command, *binds], cwd=folder) as server:
        assert f"  http://localhost:{server.port}/" in server.output
        for host in ("127.0.0.1", "[::1]"):
            for url in (f"http://{host}:{server.port}", f"https://{host}:{server.tls_port}"):
                with httpx.Client(verify=_trusting(folder / "mcp-app" / "certs" / "ca.pem")) as client:  # type: ignore[arg-type]
                    assert client.get(f"{url}/metrics", timeout=30).status_code == 200


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["serve", "--nonsense"], ["serve", "a", "--config"], ["serve", "--rel"]]
)
def test_a_wrong_command_line_exits_with_2(folder: Path, words: list[str]) -> None:
    done = run(folder, *words)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: mcp-app")
    assert "Traceback" not in done.stderr


def test_the_version_is_told(folder: Path) -> None:
    done = run(folder, "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("mcp-app ")


@contextlib.contextmanager
def reloading(folder: Path) -> Iterator[LiveServer]:
    ports = ["--bind", "127.0.0.1:0", "--insecure-bind", f"127.0.0.1:{free_port()}"]
    command = [sys.executable, "-m", "mcp_app", "serve", "my_tools.py", "--reload", *ports]
    with process(command=command, cwd=folder) as server:
        yield server


def free_port() -> int:
    """A port that was free a moment ago: the address must be the same after a restart."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def until_output(server: LiveServer, text: str, count: int = 1) -> None:
    deadline = time.monotonic() + START_SECONDS
    while sum(text in line for line in server.output) < count:
        assert time.monotonic() < deadline, f"{text!r} is not in:\n" + "\n".join(server.output)
        time.sleep(0.05)


def test_reload_starts_again_and_streams_get_their_last_event(folder: Path) -> None:
    with reloading(folder) as server:
        until_output(server, "Stop with Ctrl-C.")
        with call(server, 10_000) as answer:
            lines = answer.iter_lines()
            assert any("progress" in line for line in lines)
            (folder / "my_tools.py").write_text(TOOLS.replace("def count", "def recount"))
            assert any('"code":"shutdown"' in line for line in lines)
        until_output(server, "my_tools.py has changed: starting again")
        until_output(server, "Stop with Ctrl-C.", 2)
        tools = httpx.get(f"{server.url}/api/v1/mcp/tools", timeout=30).json()["tools"]
        assert [tool["name"] for tool in tools] == ["recount"]


def test_reload_survives_a_file_that_does_not_import(folder: Path) -> None:
    with reloading(folder) as server:
        until_output(server, "Stop with Ctrl-C.")
        (folder / "my_tools.py").write_text("def (:\n")
        until_output(server, "my_tools.py:1: invalid syntax")
        until_output(server, "waiting for a change")
        (folder / "my_tools.py").write_text(TOOLS)
        until_output(server, "Stop with Ctrl-C.", 2)
        assert httpx.get(f"{server.url}/healthz", timeout=30).status_code == 200


def test_reload_watches_the_neighbours_of_the_file(folder: Path) -> None:
    with reloading(folder) as server:
        until_output(server, "Stop with Ctrl-C.")
        (folder / "new_neighbour.py").write_text("x = 1\n")
        until_output(server, "new_neighbour.py has changed: starting again")
        until_output(server, "Stop with Ctrl-C.", 2)


def test_a_tool_that_cannot_be_stopped_does_not_keep_the_process(folder: Path) -> None:
    """It is the last resort, and its exit status tells that something did not stop."""
    (folder / "stubborn.py").write_text(STUBBORN)
    (folder / "quick.toml").write_text("graceful_timeout = 0.2\nshutdown_timeout = 0.5\n")
    words = ["stubborn.py", "--config", "quick.toml"]
    with pytest.raises(AssertionError, match="exit status 1:"), process(*words, cwd=folder) as server:
        assert server.process is not None
        httpx.post(f"{server.url}/api/v1/mcp/runs", json={"tool": "stay"}, timeout=START_SECONDS)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(START_SECONDS)
        until_output(server, "ended by force")


def test_uvloop_serves_the_same_or_says_what_is_missing(folder: Path) -> None:
    (folder / "uvloop.toml").write_text('worker_class = "uvloop"\n')
    if importlib.util.find_spec("uvloop") is None:
        message = refused(folder, "my_tools.py", "--config", "uvloop.toml", "--bind", "127.0.0.1:0")
        assert message.endswith("pip install uvloop")
        return
    with process("my_tools.py", "--config", "uvloop.toml", cwd=folder) as server, call(server, 10_000) as answer:
        assert server.process is not None
        lines = answer.iter_lines()
        assert any("progress" in line for line in lines)
        server.process.send_signal(signal.SIGTERM)
        assert any('"code":"shutdown"' in line for line in lines)
        assert server.process.wait(WITHIN_SECONDS) == 0
