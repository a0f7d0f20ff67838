"""Processes of a server that is itself a process: they end with it, however it ends, and have none of its sockets."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import worker_tools
from worker_stage import in_group, lives

from tests.live_server import LiveServer, eventually, is_late, process

SECONDS = 60.0
EVENTS = "/api/v1/mcp/sse"


@contextmanager
def served(cwd: Path, *words: str, **more: Any) -> Iterator[LiveServer]:
    shutil.copy(worker_tools.__file__, cwd / "tools.py")
    with process("tools.py", *words, cwd=cwd, **more) as server:
        yield server


def call(server: LiveServer, tool: str, **params: Any) -> Any:
    """The answer in JSON."""
    headers = {"Accept": "application/json"}
    body = {"tool": tool, "params": params}
    return httpx.post(f"{server.url}{EVENTS}", json=body, headers=headers, timeout=SECONDS).json()


@contextmanager
def stream(server: LiveServer, tool: str, **params: Any) -> Iterator[Iterator[dict[str, Any]]]:
    """The events, as they come."""
    headers, body = {"Accept": "text/event-stream"}, {"tool": tool, "params": params}
    with httpx.stream("POST", f"{server.url}{EVENTS}", json=body, headers=headers, timeout=SECONDS) as answer:
        yield (json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: "))


def pid_of(events: Iterator[dict[str, Any]]) -> int:
    return next(int(each["data"]["message"]) for each in events if each["type"] == "log")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_it_has_none_of_the_servers_sockets_and_leaves_nothing_behind(tmp_path: Path, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    (tmp_path / "loop.toml").write_text(f'worker_class = "{loop}"\naccesslog = ""\n')
    with served(tmp_path, "--config", "loop.toml") as server:
        seen = call(server, "look", pid=1)["data"]
        assert call(server, "loud")["data"] == "done"
    assert seen["listening"] == []
    assert len([each for each in seen["descriptors"] if each.startswith("socket")]) == 4
    assert seen["argv"][1:3] == ["serve", "--bind"]
    assert not lives(seen["pid"])
    said = "\n".join(server.output)
    assert "by a child\n" in said
    assert "not stopped" not in said


@pytest.mark.parametrize("how", ["in C", "never", "starts a program"])
def test_it_ends_with_a_server_that_is_killed(tmp_path: Path, how: str) -> None:
    with pytest.raises(AssertionError, match="exit status -9"), served(tmp_path) as server:
        assert server.process is not None
        with stream(server, "waits", mark="777.7", how=how) as events:
            pid = pid_of(events)
            assert lives(pid)
            server.process.kill()
            server.process.wait(SECONDS)
    eventually(lambda: not lives(pid))
    eventually(lambda: not in_group(pid))


@pytest.mark.parametrize("how", ["looks", "never"])
def test_a_stop_waits_for_its_cleanup_and_no_longer(tmp_path: Path, how: str) -> None:
    mark = tmp_path / "mark"
    last: list[dict[str, Any]] = []
    with served(tmp_path) as server:
        assert server.process is not None
        with stream(server, "waits", mark=str(mark), how=how) as events:
            pid = pid_of(events)
            server.process.send_signal(signal.SIGTERM)
            last += events
            assert not is_late(server.process)
    assert last[-1]["error"]["code"] == "shutdown"
    assert not lives(pid)
    assert mark.exists() is (how == "looks")


def test_ctrl_c_reaches_the_server_alone(tmp_path: Path) -> None:
    """As a terminal sends it: to the process group of its foreground."""
    mark = tmp_path / "mark"
    with served(tmp_path, session=True) as server:
        assert server.process is not None
        with stream(server, "waits", mark=str(mark), how="looks") as events:
            pid_of(events)
            os.killpg(server.process.pid, signal.SIGINT)
            *_, last = events
            assert not is_late(server.process)
    assert last["error"]["code"] == "shutdown"
    assert mark.read_text() == "shutdown"


def test_other_callers_do_not_wait_for_what_computes(tmp_path: Path) -> None:
    with served(tmp_path, env={"MCP_APP_PROCESSES": "1"}) as server:
        with stream(server, "waits", mark=str(tmp_path / "mark"), how="in C") as events:
            pid = pid_of(events)
            answer = call(server, "coroutine", n=1)
            assert answer.get("data") == 1, answer
            metrics = httpx.get(f"{server.url}/metrics", timeout=SECONDS).text
        assert 'mcp_app_processes{state="working"} 1' in metrics
        eventually(lambda: not lives(pid))  # its caller has left: it had a second


def test_a_file_that_changes_is_an_error_that_says_so(tmp_path: Path) -> None:
    with served(tmp_path, env={"MCP_APP_PROCESSES": "1"}) as server:
        file = tmp_path / "tools.py"
        file.write_text(file.read_text() + "\n# changed\n")
        error = call(server, "look", pid=1)["error"]
        assert (error["code"], error["message"]) == (
            "tool_failed",
            "The file of the tool look has changed since the server was started: start the server again.",
        )
        shutil.copy(worker_tools.__file__, file)
        assert call(server, "look", pid=1)["data"]["elsewhere"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("raise KeyError('a secret')", "The module of the tool crunch could not be imported in its process."),
        ("raise SystemExit(3)", "The module of the tool crunch could not be imported in its process."),
        ("del crunch", "The file of the tool crunch has changed"),
        (
            "crunch = tool(placement='process')(lambda_)",
            "The tool crunch takes or returns something else in its process than in the server",
        ),
    ],
)
def test_a_module_that_is_another_one_in_its_process(tmp_path: Path, line: str, told: str) -> None:
    (tmp_path / "own.py").write_text(
        "import os\n"
        "from mcp_app import tool\n"
        "def lambda_(text: str) -> str: return text\n"
        "lambda_.__name__ = 'crunch'\n"
        "@tool(placement='process')\n"
        "def crunch(n: int) -> int: return n\n"
        "if 'SERVER' not in os.environ:\n"
        f"    {line}\n"
        "else:\n"
        "    del os.environ['SERVER']\n"
    )
    with process("own.py", cwd=tmp_path, env={"SERVER": "1"}) as server:
        error = call(server, "crunch", n=1)["error"]
        assert error["code"] == "tool_failed"
        assert error["message"].startswith(told)
        eventually(lambda: error["error_id"] in "\n".join(server.output))
        said = "\n".join(server.output)
    assert "own.py" in said or "del" in line or "lambda" in line
    assert "secret" not in json.dumps(error)


def test_a_large_result_is_linked_as_any(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        answer = call(server, "placed_large", n=3)
    assert answer["metadata"]["linked"] is True
    assert answer["data"][0]["size"] == 3_000_000
