"""Where the modules and signals of POSIX are missing, as on Windows: clients work, the server says why it does not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from live_server import serving

from mcp_app import create_app, tool
from mcp_app.cli import main

ROOT = Path(__file__).parent.parent.parent
SECONDS = 30.0

AS_ON_WINDOWS = """
import enum, signal, sys, time
for name in ("fcntl", "termios", "pwd", "grp", "resource", "uvloop"):
    sys.modules[name] = None
del time.pthread_getcpuclockid, time.clock_gettime
del signal.SIGHUP, signal.pthread_sigmask
signal.Signals = enum.IntEnum("Signals", {each.name: each.value for each in signal.Signals if each.name != "SIGHUP"})
"""
"""What is not there. (Names, and not sys.platform, which asyncio reads.)"""


@pytest.mark.parametrize("command", ["serve", "certs"])
def test_the_server_says_why_in_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert main([command]) == 1
    said = capsys.readouterr().err
    assert said.startswith("mcp-app: Windows has no fcntl")
    assert "WSL" in said
    assert said.count("\n") == 1


@tool(read_only=True)
async def echo(text: str) -> str:
    """Echo."""
    return text


@pytest.mark.parametrize("words", [["call", "{url}", "echo", "text=x"], ["list", "{url}"]], ids=["call", "list"])
async def test_clients_work(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(AS_ON_WINDOWS)
    (tmp_path / "mcp.json").write_text("{}")
    async with serving(create_app(tools=[echo])) as server:
        (tmp_path / "certs").mkdir()
        (tmp_path / "certs" / "ca.pem").write_bytes(server.ca.read_bytes())
        status, out, err = await _run([each.format(url=server.tls_url) for each in words], tmp_path)
    assert (status, err) == (0, "")
    assert "echo" in out


async def _run(words: list[str], folder: Path) -> tuple[int | None, str, str]:
    """(Its exit status, standard output, standard error)."""
    pipe = asyncio.subprocess.PIPE
    env = {"PYTHONPATH": f"{ROOT}:{folder}", "PATH": ""}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mcp_app", *words, cwd=folder, env=env, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(SECONDS):
        out, err = await child.communicate()
    return child.returncode, out.decode(), err.decode()


def test_the_application_can_be_made_and_its_loop_watched(tmp_path: Path) -> None:
    """For another server than ours."""
    (tmp_path / "sitecustomize.py").write_text(AS_ON_WINDOWS)
    program = (
        "import asyncio\n"
        "from mcp_app import create_app, tool\n"
        "@tool\n"
        "async def f() -> int:\n"
        "    return 1\n"
        "async def main():\n"
        "    app = create_app(tools=[f])\n"
        "    await app.startup()\n"
        "    client = app.test_client()\n"
        "    answer = await client.get('/api/v1/mcp/tools', headers={'host': 'localhost'})\n"
        "    await app.shutdown()\n"
        "    print(answer.status_code)\n"
        "asyncio.run(main())\n"
    )
    env = {"PYTHONPATH": f"{ROOT}:{tmp_path}", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.stderr, done.stdout) == ("", "200\n")
