"""`mcp-app serve` without a certificate, a home or a reader; of several files, of an application of one's own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import pytest

ROOT = Path(__file__).parent.parent.parent
SECONDS = 30.0
"""For a start, an answer, an end: generous, on two cores with other tests."""

NO_CRYPTOGRAPHY = "import sys; sys.modules['cryptography'] = None"
NO_HOME = """
import pathlib
def home(cls):
    raise RuntimeError("Could not determine home directory.")
pathlib.Path.home = classmethod(home)
"""
"""What sitecustomize.py does to the process: as on a machine without the package, and as a user without an account."""

DEPLOYED = 'bind = ["127.0.0.1:0"]\n'
"""The addresses of docs/how-to-deploy.md's hypercorn.toml: one, and no certificate."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tools.py").write_text("from mcp_app import tool\n\n@tool\ndef one() -> int:\n    return 1\n")
    return tmp_path


def start(
    folder: Path,
    *words: str,
    tools: Sequence[str] = ("tools.py",),
    site: str = "",
    out: int | IO[str] = subprocess.PIPE,
    **env: str,
) -> subprocess.Popen[str]:
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(site)
    kept = {key: value for key, value in os.environ.items() if not re.match("MCP_APP_|XDG_", key)}
    kept |= {"PYTHONPATH": f"{ROOT}:{folder / 'site'}", "HOME": str(folder / "home"), **env}
    command = [sys.executable, "-m", "mcp_app", "serve", *tools, *words]
    return subprocess.Popen(command, cwd=folder, env=kept, text=True, stdout=out, stderr=subprocess.PIPE)


@contextmanager
def started(
    folder: Path, *words: str, tools: Sequence[str] = ("tools.py",), site: str = "", **env: str
) -> Iterator[list[str]]:
    """The lines of its start, while it serves; then SIGTERM, and status 0."""
    child = start(folder, *words, tools=tools, site=site, **env)
    try:
        assert child.stdout is not None
        lines: list[str] = []
        while lines[-1:] != ["Stop with Ctrl-C."]:
            line = child.stdout.readline()
            if not line:
                raise AssertionError(f"it did not start: {child.communicate(timeout=SECONDS)[1]}")
            lines.append(line.rstrip("\n"))
        yield lines
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=SECONDS)
        assert child.returncode == 0
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()


def urls(lines: list[str]) -> list[str]:
    return [line.strip() for line in lines if re.fullmatch(r"  https?://\S+", line)]


def serves_http_only(lines: list[str], host: str = "127.0.0.1") -> None:
    [url] = urls(lines)
    assert url.startswith(f"http://{host}:")
    assert httpx.get(f"{url}healthz", timeout=SECONDS).status_code == 200
    assert not any("https:" in line for line in lines)


ANY = ("--insecure-bind", "127.0.0.1:0")


def test_without_cryptography_it_serves_http_and_says_why_there_is_no_https(folder: Path) -> None:
    with started(folder, *ANY, site=NO_CRYPTOGRAPHY) as lines:
        serves_http_only(lines)
        [said] = [line for line in lines if "https is off" in line]
        assert said.startswith("  https is off: development certificates need the 'cryptography' package: pip install ")


def test_a_bind_that_asked_for_tls_stays_shut_then(folder: Path) -> None:
    with started(folder, *ANY, "--bind", "127.0.0.1:0", site=NO_CRYPTOGRAPHY) as lines:
        serves_http_only(lines)


def test_certificates_that_are_there_need_no_cryptography(folder: Path) -> None:
    (folder / "mcp.json").write_text((ROOT / "mcp.json").read_text())
    both = (*ANY, "--bind", "127.0.0.1:0")
    with started(folder, *both) as lines:
        assert len(urls(lines)) == 2
    with started(folder, *both, site=NO_CRYPTOGRAPHY) as lines:
        assert [url.partition(":")[0] for url in urls(lines)] == ["https", "http"]


@pytest.mark.parametrize("words", [ANY, ("--bind", "127.0.0.1:0")], ids=["insecure-bind", "bind"])
def test_no_tls_is_http_only_and_makes_no_certificate(folder: Path, words: tuple[str, ...]) -> None:
    with started(folder, "--no-tls", *words, XDG_STATE_HOME=str(folder / "state")) as lines:
        serves_http_only(lines)
        assert not any("https is off" in line for line in lines), "it was asked for"
    assert not (folder / "state").exists()


def test_a_port_alone_is_http_there_and_nothing_else(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = start(folder, "--port", str(port))
        assert f"cannot listen on 127.0.0.1:{port}: " in child.communicate(timeout=SECONDS)[1]
        assert child.returncode == 1
    with started(folder, "--port", str(port), XDG_STATE_HOME=str(folder / "state")) as lines:
        serves_http_only(lines, "localhost")
        assert urls(lines) == [f"http://localhost:{port}/"]
    assert not (folder / "state").exists()


@pytest.mark.parametrize("port", ["x", "-1", "65536", "127.0.0.1:80"])
def test_what_is_no_port_is_a_wrong_command_line(folder: Path, port: str) -> None:
    child = start(folder, f"--port={port}")
    assert f"argument --port: {port} is no port: 0 to 65535\n" in child.communicate(timeout=SECONDS)[1]
    assert child.returncode == 2


def test_a_user_without_a_home_is_served_http(folder: Path) -> None:
    with started(folder, *ANY, site=NO_HOME) as lines:
        serves_http_only(lines)
        [said] = [line for line in lines if "https is off" in line]
        assert "no home directory to keep certificates in: set XDG_STATE_HOME" in said


def test_a_directory_that_cannot_be_written_is_named_with_the_remedy(folder: Path) -> None:
    with started(folder, *ANY, XDG_STATE_HOME="/dev/null") as lines:
        serves_http_only(lines)
        [said] = [line for line in lines if "https is off" in line]
        assert "cannot keep certificates in /dev/null/mcp-app/certs: Not a directory: set XDG_STATE_HOME" in said


def test_beyond_loopback_it_is_one_line_with_the_remedy(folder: Path) -> None:
    child = start(folder, "--allow-anonymous", "--insecure-bind", "0.0.0.0:0", "--bind", "127.0.0.1:0", site=NO_HOME)
    out, err = child.communicate(timeout=SECONDS)
    assert (child.returncode, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("mcp-app: no home directory to keep certificates in: set XDG_STATE_HOME ")
    assert "--no-tls" in err


def test_an_address_that_others_reach_is_named(folder: Path) -> None:
    with started(folder, "--allow-anonymous", "--no-tls", "--insecure-bind", "0.0.0.0:0", site=NO_HOME) as lines:
        assert "  other machines can reach 0.0.0.0:0, and nobody is asked who they are" in lines


def test_below_a_root_path_what_is_printed_can_be_called(folder: Path) -> None:
    (folder / "hypercorn.toml").write_text(f'{DEPLOYED}root_path = "/tools/"\n')
    with started(folder) as lines:
        [url] = urls(lines)
        assert url.endswith("/tools/")
        assert httpx.get(f"{url}healthz", timeout=SECONDS).status_code == 200
        assert any(line.startswith("  curl -N -X POST ") and f"{url}api/v1/mcp/sse" in line for line in lines)
        assert any(line.endswith(f" {url}mcp") for line in lines)


def test_a_file_without_a_certificate_takes_its_address_from_either_option(folder: Path) -> None:
    (folder / "hypercorn.toml").write_text(DEPLOYED)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with started(folder, "--insecure-bind", f"127.0.0.1:{port}") as lines:
        assert urls(lines) == [f"http://127.0.0.1:{port}/"]


# --- what is served -------------------------------------------------------------------------------------------------

OWN_APP = """
from mcp_app import create_app, tool

@tool(read_only=True)
def two() -> int:
    return 2

app = create_app(tools=[two])

@app.route("/mine")
async def mine():
    return "mine"
"""


def test_an_application_of_create_app_is_served_with_its_routes_when_it_is_named(folder: Path) -> None:
    (folder / "shop.py").write_text(OWN_APP)
    with started(folder, "--no-tls", *ANY, tools=["shop.py:app"]) as lines:
        assert lines[0] == "Serving 1 tool: two"
        [url] = urls(lines)
        assert httpx.get(f"{url}mine", timeout=SECONDS).text == "mine"
        assert '"data":2' in httpx.get(f"{url}api/v1/mcp/sse?tool=two", timeout=SECONDS).text


def test_an_application_that_is_not_served_is_named(folder: Path) -> None:
    (folder / "shop.py").write_text(OWN_APP)
    child = start(folder, "--no-tls", *ANY, tools=["tools.py", "shop.py"])
    try:
        assert child.stderr is not None
        assert "mcp-app serve shop.py:app serves it" in child.stderr.readline()
        assert child.stdout is not None
        assert child.stdout.readline() == "Serving 2 tools: one, two\n"
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("log", ["accesslog", "errorlog"])
def test_a_log_that_is_a_pipe_without_a_reader_is_refused_in_one_line(folder: Path, log: str) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "hypercorn.toml").write_text(f'{DEPLOYED}{log} = "pipe"\n')
    child = start(folder, "--no-tls")
    out, err = child.communicate(timeout=SECONDS)
    assert (child.returncode, out, err.count("\n")) == (1, "", 1)
    assert "the log cannot be written as configured" in err
    assert "nobody reads this named pipe" in err


def test_the_traceback_is_shown_when_it_is_asked_for(folder: Path) -> None:
    (folder / "deep.py").write_text("def connect():\n    raise ConnectionError('refused')\n")
    (folder / "tools.py").write_text("import deep\n\ndeep.connect()\n")
    assert start(folder).communicate(timeout=SECONDS)[1].count("\n") == 1
    said = start(folder, "--traceback").communicate(timeout=SECONDS)[1]
    assert 'deep.py", line 2, in connect' in said
    assert said.splitlines()[-1].startswith("mcp-app: tools.py:3: ConnectionError: refused (raised at ")


# --- nobody reads ----------------------------------------------------------------------------------------------------


def closed_pipe() -> IO[str]:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


def full_disk() -> IO[str]:
    return open("/dev/full", "w")


@pytest.mark.parametrize("unbuffered", ["1", ""])
@pytest.mark.parametrize("output", [closed_pipe, full_disk])
def test_it_serves_on_when_its_start_cannot_be_printed(folder: Path, output: object, unbuffered: str) -> None:
    assert callable(output)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    out = output()
    child = start(folder, "--no-tls", "--insecure-bind", address, out=out, PYTHONUNBUFFERED=unbuffered)
    out.close()
    try:
        assert child.stderr is not None
        assert "standard output cannot be written" in child.stderr.readline()
        until = time.monotonic() + SECONDS
        while True:
            try:
                assert httpx.get(f"http://{address}/healthz", timeout=SECONDS).status_code == 200
                break
            except httpx.ConnectError:
                assert time.monotonic() < until
        child.send_signal(signal.SIGTERM)
        _, rest = child.communicate(timeout=SECONDS)
        assert (child.returncode, "Traceback" in rest, "Exception ignored" in rest) == (0, False, False)
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()


PRINTS = """
@tool(read_only=True)
def prints() -> int:
    print("a line", flush=True)
    return 3
"""


@pytest.mark.parametrize("streams", ["pipe", "full", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_it_serves_without_its_standard_streams(folder: Path, streams: str, loop: str) -> None:
    (folder / "hypercorn.toml").write_text(f'worker_class = "{loop}"\n')
    with (folder / "tools.py").open("a") as tools:
        tools.write(PRINTS)
    (folder / "shop.py").write_text(OWN_APP)  # of which there is a line
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    command = [sys.executable, "-m", "mcp_app", "serve", "tools.py", "shop.py", "--no-tls", "--insecure-bind", address]
    broken = {"pipe": closed_pipe, "full": full_disk}.get(streams)
    out = broken() if broken else None
    shell = ["sh", "-c", f'exec "$@" {"" if broken else streams}', "sh"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([*shell, *command], cwd=folder, env=env, stdout=out, stderr=out)
    try:
        with httpx.Client(timeout=SECONDS) as client:
            until = time.monotonic() + SECONDS
            while True:
                try:
                    assert client.get(f"http://{address}/healthz").status_code == 200
                    break
                except httpx.ConnectError:
                    assert time.monotonic() < until
                    assert child.poll() is None
            assert '"data":3' in client.get(f"http://{address}/api/v1/mcp/sse?tool=prints").text
        child.send_signal(signal.SIGTERM)
        assert child.wait(SECONDS) == 0
    finally:
        child.kill()
        child.wait()
        if out is not None:
            out.close()


TOLD = '"""Ask before you count."""\nfrom mcp_app import tool\n@tool\ndef one() -> int:\n    """%s"""\n    return 1\n'


def told(lines: list[str]) -> dict[str, object]:
    """What the server says of itself when it is asked."""
    url = next(line.strip() for line in lines if line.startswith("  http://"))
    return dict(httpx.get(f"{url}mcp.json", timeout=SECONDS).json())


def test_the_instructions_are_those_of_the_file_or_of_mcp_json(folder: Path) -> None:
    (folder / "tools.py").write_text(TOLD % "One.")
    with started(folder, "--no-tls", "--insecure-bind", "127.0.0.1:0") as lines:
        assert told(lines)["instructions"] == "Ask before you count."
    card = {"name": "com.example/tools", "version": "1", "description": "Tools.", "instructions": "Count at once."}
    (folder / "mcp.json").write_text(json.dumps(card))
    with started(folder, "--no-tls", "--insecure-bind", "127.0.0.1:0") as lines:
        assert told(lines)["instructions"] == "Count at once."


def test_what_clients_cut_is_one_line_in_the_log(folder: Path) -> None:
    (folder / "tools.py").write_text(TOLD % ("x" * 3000))
    child = start(folder, "--no-tls", "--insecure-bind", "127.0.0.1:0")
    try:
        assert child.stdout is not None
        while child.stdout.readline() not in ("Stop with Ctrl-C.\n", ""):
            pass
        child.send_signal(signal.SIGTERM)
        _, log = child.communicate(timeout=SECONDS)
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    [line] = [line for line in log.splitlines() if "2,048" in line]
    assert line.endswith(": tool one (3,000 characters)")
