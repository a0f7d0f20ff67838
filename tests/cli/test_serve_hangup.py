"""SIGHUP: the end of a terminal is a stop with last events; without a terminal files are read again."""

from __future__ import annotations

import signal
import ssl
import sys
from pathlib import Path

import httpx
import pytest
from live_server import START_SECONDS, LiveServer, certificates, eventually, process
from serve_terminal import in_terminal

from mcp_app.server.certificates import ensure

TOOLS = """
import asyncio, pathlib
from mcp_app import tool

@tool
async def waits() -> None:
    try:
        await asyncio.sleep(300)
    finally:
        pathlib.Path("cleaned").touch()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_tools.py").write_text(TOOLS)
    return tmp_path


# --- with a terminal -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--reload",)], ids=["alone", "reload"])
def test_a_terminal_that_is_closed_stops_with_last_events(folder: Path, words: tuple[str, ...]) -> None:
    with in_terminal(folder, *words) as (terminal, url):
        lines: list[str] = []
        body = {"tool": "waits"}
        with httpx.stream("POST", f"{url}api/v1/mcp/sse", json=body, timeout=START_SECONDS) as answer:
            for line in answer.iter_lines():
                lines.append(line)
                if '"started"' in line:
                    terminal.close()
        assert '"shutdown"' in "\n".join(lines)
        assert (folder / "cleaned").exists()
        assert terminal.process.wait(START_SECONDS) == 0


def test_the_end_of_a_terminal_may_be_told_twice(folder: Path) -> None:
    """By the kernel and by the shell; a second SIGTERM ends the process at once, with status 130."""
    with in_terminal(folder) as (terminal, _):
        for _ in range(5):
            terminal.process.send_signal(signal.SIGHUP)
        assert terminal.process.wait(START_SECONDS) == 0


# --- without one -----------------------------------------------------------------------------------------------------


def hang_up(server: LiveServer) -> None:
    assert server.process is not None
    server.process.send_signal(signal.SIGHUP)


def is_up(server: LiveServer) -> bool:
    return httpx.get(f"{server.url}/healthz", timeout=START_SECONDS).status_code == 200


def test_log_files_that_were_moved_are_opened_again(folder: Path) -> None:
    (folder / "hypercorn.toml").write_text(
        'bind = "127.0.0.1:0"\ncertfile = "certs/cert.pem"\nkeyfile = "certs/key.pem"\n'
        'accesslog = "access.log"\nerrorlog = "error.log"\n'
    )
    access, error = folder / "access.log", folder / "error.log"
    with process("my_tools.py", cwd=folder, session=True) as server:
        assert is_up(server)
        eventually(lambda: "/healthz" in access.read_text())
        access.rename(folder / "access.log.1")  # as logrotate does
        error.rename(folder / "error.log.1")
        hang_up(server)
        eventually(lambda: access.exists() and error.exists())
        before = (folder / "access.log.1").read_text()
        assert httpx.get(f"{server.url}/readyz", timeout=START_SECONDS).status_code == 200
        eventually(lambda: "/readyz" in access.read_text())
        assert (folder / "access.log.1").read_text() == before
        access.rename(folder / "access.log.2")
        access.mkdir()
        hang_up(server)
        eventually(lambda: "cannot be opened again" in error.read_text())
        assert is_up(server)
        eventually(lambda: "/healthz" in (folder / "access.log.2").read_text())


def test_a_renewed_certificate_is_used_for_new_connections(folder: Path) -> None:
    pairs = [certificates(), ensure(folder / "renewed")[0]]
    use(folder, pairs[0].certificate, pairs[0].key)
    (folder / "hypercorn.toml").write_text('bind = "127.0.0.1:0"\ncertfile = "own.pem"\nkeyfile = "own-key.pem"\n')
    old, new = (httpx.Client(verify=trusting(pair.authority)) for pair in pairs)
    with old, new, process("my_tools.py", cwd=folder, session=True) as server:
        assert old.get(f"{server.tls_url}/healthz").status_code == 200
        with pytest.raises(httpx.ConnectError):
            new.get(f"{server.tls_url}/healthz")
        use(folder, pairs[1].certificate, pairs[0].key)  # of which the key is not yet there
        hang_up(server)
        eventually(lambda: any("cannot be used, and those from before are" in line for line in server.output))
        with httpx.Client(verify=trusting(pairs[0].authority)) as another:
            assert another.get(f"{server.tls_url}/healthz").status_code == 200
        use(folder, pairs[1].certificate, pairs[1].key)
        hang_up(server)
        eventually(lambda: sum("SIGHUP: " in line for line in server.output) == 2)
        eventually(lambda: answers(new, server))
        assert old.get(f"{server.tls_url}/healthz").status_code == 200  # on its connection from before


def use(folder: Path, certificate: Path, key: Path) -> None:
    (folder / "own.pem").write_bytes(certificate.read_bytes())
    (folder / "own-key.pem").write_bytes(key.read_bytes())


def trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority))


def answers(client: httpx.Client, server: LiveServer) -> bool:
    try:
        return client.get(f"{server.tls_url}/healthz").status_code == 200
    except httpx.ConnectError:
        return False


def test_by_hypercorns_command_too(folder: Path) -> None:
    (folder / "certs").mkdir()
    use(folder, certificates().certificate, certificates().key)
    (folder / "hypercorn.toml").write_text(
        'bind = "127.0.0.1:0"\ninsecure_bind = "127.0.0.1:0"\ncertfile = "own.pem"\nkeyfile = "own-key.pem"\n'
        'accesslog = "access.log"\n'
    )
    command = [sys.executable, "-m", "hypercorn", "-c", "hypercorn.toml", "mcp_app.asgi:app"]
    with process(command=command, cwd=folder, session=True) as server:
        (folder / "access.log").rename(folder / "access.log.1")
        hang_up(server)
        eventually((folder / "access.log").exists)
        assert is_up(server)


def test_what_was_started_by_nohup_ignores_it(folder: Path) -> None:
    binds = ["--bind", "127.0.0.1:0", "--insecure-bind", "127.0.0.1:0"]
    command = ["nohup", sys.executable, "-m", "mcp_app", "serve", "my_tools.py", *binds]
    with process(command=command, cwd=folder, session=True) as server:
        hang_up(server)
        assert is_up(server)
    assert not any("SIGHUP" in line for line in server.output)
