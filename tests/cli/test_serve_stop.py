"""SIGTERM and the threads and processes of tools: cleanup within the bound, and a name in the log for what goes on."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest
from live_server import START_SECONDS, certificates, eventually, process

TOOLS = """
import pathlib, threading, time
from mcp_app import tool, Context

def leave(name):
    time.sleep(0.3)
    pathlib.Path(name + ".cleaned").touch()

@tool
def generator():
    try:
        while True:
            pathlib.Path("generator.begun").touch()
            yield 1
            time.sleep(0.5)
    finally:
        leave("generator")

@tool
def words(ctx: Context) -> None:
    try:
        while True:
            ctx.progress(1)
            pathlib.Path("words.begun").touch()
            time.sleep(0.5)
    finally:
        leave("words")

@tool
def looks(ctx: Context) -> None:
    pathlib.Path("looks.begun").touch()
    while not ctx.cancelled:
        time.sleep(0.5)
    leave("looks")

@tool
def stuck() -> None:
    pathlib.Path("stuck.begun").touch()
    time.sleep(300)

@tool
def leaves_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(300,), name="left-behind", daemon=False).start()
    pathlib.Path("leaves_a_thread.begun").touch()
"""


def begin(folder: Path, url: str, *tools: str) -> None:
    for tool in tools:
        httpx.post(f"{url}/api/v1/mcp/runs", json={"tool": tool}, timeout=START_SECONDS).raise_for_status()
    for tool in tools:
        for _ in range(1000):
            if (folder / f"{tool}.begun").exists():
                break
            httpx.get(f"{url}/healthz", timeout=START_SECONDS)
        else:
            raise AssertionError(f"{tool} did not begin")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_functions_and_generators_clean_up_before_the_process_ends(loop: str, tmp_path: Path) -> None:
    (tmp_path / "my_tools.py").write_text(TOOLS)
    (tmp_path / "hypercorn.toml").write_text(f'worker_class = "{loop}"\n')
    kinds = ("generator", "words", "looks")
    with process("my_tools.py", cwd=tmp_path) as server:
        begin(tmp_path, server.url, *kinds)
    assert [kind for kind in kinds if (tmp_path / f"{kind}.cleaned").exists()] == list(kinds)
    assert "end with the process" not in "\n".join(server.output)


def test_a_function_that_never_looks_is_named_and_does_not_keep_the_process(tmp_path: Path) -> None:
    (tmp_path / "my_tools.py").write_text(TOOLS)
    with process("my_tools.py", cwd=tmp_path) as server:
        begin(tmp_path, server.url, "stuck", "words")
    assert (tmp_path / "words.cleaned").exists()
    [line] = [line for line in server.output if "end with the process" in line]
    assert ": stuck" in line
    assert ": words" not in line


def test_a_thread_that_keeps_the_process_is_named(tmp_path: Path) -> None:
    (tmp_path / "my_tools.py").write_text(TOOLS)
    with pytest.raises(AssertionError, match="exit status 1:"), process("my_tools.py", cwd=tmp_path) as server:
        begin(tmp_path, server.url, "leaves_a_thread")
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(START_SECONDS)
    assert any("left-behind" in line for line in server.output)


PROCESSES = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from mcp_app import tool

def started(way, **options):
    child = multiprocessing.get_context(way).Process(target=time.sleep, args=(300,), **options)
    child.start()
    return child

@tool
def fork() -> int:
    return started("fork").pid

@tool
async def fork_on_the_loop() -> int:
    return started("fork").pid

@tool
def forkserver() -> int:
    return started("forkserver").pid

@tool
def pool() -> int:
    ProcessPoolExecutor(1).submit(time.sleep, 300)
    return multiprocessing.active_children()[0].pid

@tool
def daemon() -> int:
    return started("fork", daemon=True).pid

@tool
def terminated() -> int:
    child = started("fork")
    child.terminate()
    child.join(20)
    return child.exitcode
"""


def answer(url: str, tool: str) -> int:
    body = {"tool": tool, "stream": False}
    answered = httpx.post(f"{url}/api/v1/mcp/sse", json=body, timeout=START_SECONDS).json()
    return int(answered["data"])


def is_gone(pid: int) -> bool:
    """Ended, be it that its new parent has not yet asked for its status."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


@pytest.mark.parametrize("tool", ["fork", "fork_on_the_loop", "forkserver", "pool"])
def test_a_process_that_keeps_the_process_is_named_and_ended(tool: str, tmp_path: Path) -> None:
    (tmp_path / "my_tools.py").write_text(PROCESSES)
    with pytest.raises(AssertionError, match="exit status 1:"), process("my_tools.py", cwd=tmp_path) as server:
        pid = answer(server.url, tool)
        assert not is_gone(pid)
    [line] = [line for line in server.output if "ended by force" in line]
    assert f"(pid {pid})" in line
    assert "cannot be cancelled" not in line
    eventually(lambda: is_gone(pid))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_forked_process_ends_by_sigterm_and_the_server_does_not(loop: str, tmp_path: Path) -> None:
    """The loop's handlers, which it inherits, ignored the signal, and told the server's loop of it."""
    (tmp_path / "my_tools.py").write_text(PROCESSES)
    (tmp_path / "hypercorn.toml").write_text(f'worker_class = "{loop}"\n')
    with process("my_tools.py", cwd=tmp_path) as server:
        assert answer(server.url, "terminated") == -signal.SIGTERM
        pid = answer(server.url, "daemon")
        assert not is_gone(pid)
    assert is_gone(pid)


LEFT = """
import atexit, gc, pathlib
from mcp_app import tool

KEPT = []

@tool
def keep() -> None:
    KEPT.append([KEPT])

@atexit.register
def look() -> None:
    last = "traversed" if any(each is KEPT[0] for each in gc.get_objects()) else "left alone"
    pathlib.Path("last").write_text(last)
"""


@pytest.mark.parametrize("words", [None, ("-m", "hypercorn", "-c", "hypercorn.toml", "my_app:app")])
def test_what_is_kept_at_the_end_is_not_collected_once_more(words: tuple[str, ...] | None, tmp_path: Path) -> None:
    """60,000 kept runs took 2.3 s in the interpreter's last collection."""
    (tmp_path / "my_tools.py").write_text(LEFT)
    made = certificates()
    (tmp_path / "hypercorn.toml").write_text(
        f'bind = "127.0.0.1:0"\ninsecure_bind = "127.0.0.1:0"\n'
        f'certfile = "{made.certificate}"\nkeyfile = "{made.key}"\n'
    )
    (tmp_path / "my_app.py").write_text(
        "from mcp_app import create_app\nfrom mcp_app.server import engine\nimport my_tools\n"
        "engine.install()\napp = create_app(tools=[my_tools.keep])\n"
    )
    command = None if words is None else [sys.executable, *words]
    with process(*(() if words else ("my_tools.py",)), command=command, cwd=tmp_path) as server:
        body = {"tool": "keep"}
        httpx.post(f"{server.url}/api/v1/mcp/sse", json=body, timeout=START_SECONDS).raise_for_status()
    assert (tmp_path / "last").read_text() == "left alone"


DESCRIPTORS = 128
"""That the server may have: fewer than it is asked for connections."""

LINES = 5
"""About the lack of them. One comes each 10 s at most, so that a slow machine has a minute for the test; by asyncio
alone there would be thousands."""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_with_few_file_descriptors_it_goes_on_and_says_so_in_few_lines(loop: str, tmp_path: Path) -> None:
    """asyncio tried as often as the backlog is long, each second, with a traceback for each."""
    (tmp_path / "my_tools.py").write_text(TOOLS)
    (tmp_path / "hypercorn.toml").write_text(f'worker_class = "{loop}"\n')
    with process("my_tools.py", cwd=tmp_path, descriptors=DESCRIPTORS) as server, contextlib.ExitStack() as stack:
        for _ in range(3 * DESCRIPTORS):
            stack.enter_context(socket.create_connection((server.host, server.port), START_SECONDS))
        for _ in range(3):
            assert httpx.get(f"{server.url}/healthz", timeout=START_SECONDS).status_code == 200
    lines = [line for line in server.output if "access: " not in line]
    assert sum("Too many open files" in line for line in lines) <= LINES, lines
    assert not any("Traceback" in line or "could not be formatted" in line for line in lines), lines
