"""The process: what belongs to the client alone, and how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stdio_process import BOUND, StdioProcess, command, environment, stdio_process
from stdio_stage import call, initialize, modern, request

SERVED = Path(__file__).with_name("served_stdio.py")


def until(holds: Callable[[], Any]) -> Any:
    """The first true value, within BOUND."""
    end = time.monotonic() + BOUND
    while not (value := holds()):
        assert time.monotonic() < end, "that never came to hold"
        time.sleep(0.05)
    return value


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def text(said: Any) -> str:
    found: str = said["result"]["content"][0]["text"]
    return found


def waiting(here: StdioProcess, path: Path, id: int = 1) -> None:  # noqa: A002 - the wire's name
    """A call that waits, and has begun."""
    here.session()
    here.say(call("wait", {"path": str(path)}, id=id, token="t"))
    assert here.next()["method"] == "notifications/progress"


# --- the streams -----------------------------------------------------------------------------------------------------


def test_nothing_but_messages_is_written_whatever_tools_print(tmp_path: Path) -> None:
    """The reader takes nothing but JSON, so that a line of anything else ends this test."""
    with stdio_process(tmp_path, SERVED) as here:
        here.session()
        assert text(here.ask(call("noisy"))) == "''"  # and nothing of the client's is read
        assert here.ask(call("add", {"a": 1, "b": 2}, id=2))["result"]["structuredContent"] == {"result": 3}
        here.close()
        assert here.ended() == 0
    log = here.log.read_text()
    for line in (
        *("printed at import", "written at import", "printed", "half a line", "by the stream from before"),
        *("by the descriptor", "by the library of C", "by a program"),
    ):
        assert line in log, log


def test_a_tool_that_prints_is_heard_at_once(tmp_path: Path) -> None:
    with stdio_process(tmp_path, SERVED) as here:
        here.session()
        assert "printed at import\n" in here.log.read_text()


@pytest.mark.parametrize("name", ["forks", "starts"])
def test_what_a_tool_leaves_behind_holds_no_pipe_of_the_client(name: str, tmp_path: Path) -> None:
    with stdio_process(tmp_path, SERVED) as here:
        here.session()
        child = int(text(here.ask(call(name))))
        try:
            here.child.kill()
            assert here.next() is None  # the end of output, while that process still lives
            assert alive(child)
        finally:
            os.kill(child, signal.SIGKILL)


def test_input_and_output_may_be_files(tmp_path: Path) -> None:
    lines = tmp_path / "in"
    lines.write_text(
        '{"jsonrpc":"2.0","id":1,"method":"ping"}\n'
        '{"jsonrpc":"2.0","id":2,"method":"server/discover"}\n'
        '{"jsonrpc":"2.0","id":3,"method":"ping"}'  # and no line feed
    )
    with lines.open("rb") as incoming, (tmp_path / "out").open("wb") as outgoing:
        ended = subprocess.run(
            command(SERVED), stdin=incoming, stdout=outgoing, stderr=subprocess.PIPE, env=environment(), timeout=BOUND
        )
    assert ended.returncode == 0, ended.stderr
    assert len((tmp_path / "out").read_text().splitlines()) == 3


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_a_stream_that_is_closed_at_the_start_is_named(closed: str, tmp_path: Path) -> None:
    line = " ".join(command(SERVED))
    ended = subprocess.run(
        ["sh", "-c", f"exec {line} {closed}"], capture_output=True, text=True, env=environment(), timeout=BOUND
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("mcp-app: standard ")
    assert "is closed" in ended.stderr


# --- how it ends -----------------------------------------------------------------------------------------------------


def test_what_was_asked_before_the_end_of_input_is_answered(tmp_path: Path) -> None:
    with stdio_process(tmp_path, SERVED) as here:
        params = {"name": "add", "arguments": {"a": 1, "b": 2}}
        here.say(modern("tools/call", params, id=1))
        here.raw(b'{"jsonrpc":"2.0","id":2,"method":"ping"}')
        here.close()
        found = [here.next(), here.next()]
        assert here.next() is None
        assert here.ended() == 0
    assert {each["id"]: each["result"].get("structuredContent") for each in found} == {1: 3, 2: None}


def test_half_a_line_at_the_end_of_input_is_an_error(tmp_path: Path) -> None:
    with stdio_process(tmp_path, SERVED) as here:
        here.raw(b'{"jsonrpc":"2.0","id":1,"met')
        here.close()
        assert here.next()["error"]["code"] == -32700
        assert here.next() is None
        assert here.ended() == 0


def end_of_input(here: StdioProcess) -> None:
    here.close()


def sigterm(here: StdioProcess) -> None:
    here.signal(signal.SIGTERM)


def sigint(here: StdioProcess) -> None:
    here.signal(signal.SIGINT)


def both(here: StdioProcess) -> None:
    """As official clients do where a server takes its time."""
    here.close()
    here.signal(signal.SIGTERM)


@pytest.mark.parametrize("end", [end_of_input, sigterm, sigint, both])
def test_an_end_cancels_calls_and_exits_with_0(end: Callable[[StdioProcess], None], tmp_path: Path) -> None:
    path = tmp_path / "stopped"
    with stdio_process(tmp_path, SERVED) as here:
        waiting(here, path)
        end(here)
        said = here.next()
        assert said["error"]["data"]["code"] == "shutdown"
        assert here.next() is None
        assert here.ended() == 0
    assert path.read_text() == "shutdown"


def test_subscriptions_end_in_order(tmp_path: Path) -> None:
    with stdio_process(tmp_path, SERVED) as here:
        here.say(modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}}, id="s"))
        assert here.next()["method"] == "notifications/subscriptions/acknowledged"
        here.close()
        assert here.next()["id"] == "s"
        assert here.next()["method"] == "notifications/cancelled"
        assert here.next() is None
        assert here.ended() == 0


@pytest.mark.time_bound(120)
def test_a_tool_that_does_not_stop_does_not_keep_the_process(tmp_path: Path) -> None:
    with stdio_process(tmp_path, SERVED) as here:
        here.session()
        here.say(call("stubborn", id=1))
        assert here.ask(request("ping", id=2))["result"] == {}
        here.close()
        assert here.ended() == 1
    assert "ended by force" in here.log.read_text()


@pytest.mark.time_bound(120)
def test_a_tool_that_holds_the_loop_does_not_keep_the_process_of_a_client_that_has_left(tmp_path: Path) -> None:
    """Nobody sends a signal to it then."""
    (tmp_path / "hypercorn.toml").write_text("shutdown_timeout = 1\n")
    with stdio_process(tmp_path, SERVED) as here:
        here.session()
        here.say(call("holds", id=1))
        here.close()
        assert here.ended() == 1
    assert "ended by force" in here.log.read_text()


def test_a_client_that_was_killed_is_noticed(tmp_path: Path) -> None:
    """Its pipes are closed with it."""
    path = tmp_path / "stopped"
    with stdio_process(tmp_path, SERVED, read=False) as here:
        here.say(initialize(), call("wait", {"path": str(path)}, id=1, token="t"))
        assert here.child.stdout is not None
        for _ in range(2):
            here.child.stdout.readline()
        here.child.stdout.close()
        here.close()
        assert here.ended() == 0
    assert path.read_text() == "shutdown"


def test_a_client_that_closes_only_its_reading_end_is_noticed(tmp_path: Path) -> None:
    with stdio_process(tmp_path, SERVED, read=False) as here:
        here.say(initialize())
        assert here.child.stdout is not None
        assert here.child.stdout.readline()
        here.child.stdout.close()
        here.say(request("ping", id=2))
        assert here.ended() == 0
    assert "the client does not read any more" in here.log.read_text()


LAUNCHER = """\
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdin=0, stdout=1)
print(child.pid, file=sys.stderr, flush=True)
time.sleep(100)
"""


def test_a_parent_that_was_killed_is_noticed_though_others_hold_the_pipe(tmp_path: Path) -> None:
    """Another program, here this one, has inherited the client's end of standard input, so that it does not end."""
    reading, writing = os.pipe()
    with open(tmp_path / "log", "w+b") as log:
        parent = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, *command(SERVED)],
            stdin=reading,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(),
        )
        os.close(reading)
        try:
            os.write(writing, b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
            assert parent.stdout is not None
            assert b'"id":1' in parent.stdout.readline()
            pid = int((tmp_path / "log").read_text().split()[0])
            parent.kill()
            parent.wait(BOUND)
            assert parent.stdout.read() == b""  # to its end: the process is gone, or about to be
            until(lambda: "the process that started this one has ended" in (tmp_path / "log").read_text())
            until(lambda: not alive(pid) or _is_zombie(pid))
        finally:
            parent.kill()
            parent.wait(BOUND)
            os.close(writing)
            parent.stdout.close()  # type: ignore[union-attr]


def _is_zombie(pid: int) -> bool:
    """Ended, and not yet waited for by whoever adopted it."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


# --- a client that does not read, or does not end --------------------------------------------------------------------


def flood(here: StdioProcess, directory: Path) -> int:
    """Call a tool that sends without end, of a client that does not read: how much it has sent when it waits."""
    path = directory / "sent"
    here.say(initialize(), call("floods", {"path": str(path)}, id=1, token="t"))
    until(path.exists)
    before, ends = "", time.monotonic() + BOUND
    while before != (before := path.read_text()):
        assert time.monotonic() < ends, f"it has sent {before} and goes on"
        time.sleep(0.5)
    return int(before)


def test_a_client_that_does_not_read_costs_a_bounded_memory(tmp_path: Path) -> None:
    with stdio_process(tmp_path, SERVED, read=False) as here:
        sent = flood(here, tmp_path)
        assert 0 < sent < 2000  # a window, the thread's queue and the pipe
        here.read()
        assert here.ask(request("ping", id=2))["result"] == {}
        here.signal()
        assert here.ended() == 0


@pytest.mark.parametrize("unread", [1, 50_000], ids=["a message", "more than is read ahead"])
def test_a_client_that_does_not_read_and_ends_its_input_is_noticed(unread: int, tmp_path: Path) -> None:
    """Though what it wrote last is not read, as nothing is of a client that has too much to read."""
    with stdio_process(tmp_path, SERVED, read=False) as here:
        flood(here, tmp_path)
        here.say(*[request("ping", id=2)] * (unread // 50 + 1))
        here.close()
        assert here.ended() == 0
    assert "floods shutdown" in here.log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hundred_megabytes_without_a_line_break_cost_none(tmp_path: Path) -> None:
    def peak() -> int:
        lines = Path(f"/proc/{here.child.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

    with stdio_process(tmp_path, SERVED) as here:
        here.session()
        here.ask(request("ping", id=1))
        before = peak()
        for _ in range(100):
            here.raw(b"x" * 1024 * 1024)
        here.raw(b"\n")
        assert here.next()["error"]["code"] == -32600
        assert here.ask(request("ping", id=2))["result"] == {}
        assert peak() - before < 16 * 1024  # KiB


def test_a_client_that_neither_reads_nor_ends_its_input_can_be_stopped(tmp_path: Path) -> None:
    with stdio_process(tmp_path, SERVED, read=False) as here:
        path = tmp_path / "sent"
        here.say(initialize(), call("floods", {"path": str(path)}, id=1, token="t"))
        until(path.exists)
        here.signal()
        assert here.ended() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            command(SERVED),
            input=b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n',
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=BOUND,
        )
    assert ended.returncode == 1
    assert b"mcp-app: standard output cannot be written: No space left on device" in ended.stderr
