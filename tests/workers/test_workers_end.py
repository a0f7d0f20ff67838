"""How a call in a process ends before its function is done: cancelled, killed, cut off. No other call is concerned."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
import worker_tools
from worker_stage import SECONDS, Call, Stage, in_group, lives, until

from mcp_app.authoring.caller import Caller
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import EventTooLarge, ToolFailed
from mcp_app.protocol.event import Event, EventType
from mcp_app.protocol.packets import Packet, packed
from mcp_app.protocol.relay import PacketKind, event_packet
from mcp_app.runs import processes
from mcp_app.runs.channel import CHANNEL_BYTES, CHANNEL_ITEMS
from mcp_app.runs.dependencies import Dependencies
from mcp_app.runs.process_call import call_packet
from mcp_app.runs.threads import Threads
from mcp_app.workers.working import Working


async def pid_of(call: Call) -> int:
    """Of the process that works on it."""
    return int(json.loads((await call.first()).data)["message"])


# --- the process dies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("_exit", "ended by itself, with exit status 3"),
        ("exit_thread", "ended by itself, with exit status 4"),
        ("kill", "was killed by SIGKILL (out of memory?)"),
        ("term", "was killed by SIGTERM"),
        ("segfault", "was killed by SIGSEGV"),
        ("closes", "was ended: its tool closed file descriptors that are not its own"),
    ],
)
async def test_a_process_that_ends_is_an_error_of_its_call(
    stage: Stage, how: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    error = await stage.call("ends", how=how).error()
    assert isinstance(error, ToolFailed)
    assert error.message == f"The process of the tool ends {told}."
    if how == "segfault":
        assert "worker_tools.py" in capfd.readouterr().err, "where it was"


async def test_a_process_that_ends_concerns_no_other_call(stage: Stage, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    other = stage.call("waits", mark=str(mark), how="looks")
    await other.first()
    assert isinstance(await stage.call("ends", how="_exit").error(), ToolFailed)
    assert not other.task.done()
    assert (await stage.call("look", pid=os.getpid()).value())["calls"] == 1, "in a new process"
    other.cancel("left")
    await until(mark.exists, "it is told")


async def test_a_task_that_exits_ends_the_process(stage: Stage) -> None:
    error = await stage.call("ends_in_a_task").error()
    assert isinstance(error, ToolFailed)
    assert error.message == "The process of the tool ends_in_a_task ended by itself, with exit status 5."


async def test_a_fork_that_holds_what_it_inherited_keeps_nobody(stage: Stage) -> None:
    call = stage.call("forks")
    copy = int(await call.value())
    assert lives(copy)
    [process] = stage.pool._all
    os.kill(process.pid, signal.SIGKILL)
    await until(lambda: stage.pool.idle == 0, "its end is seen")
    await until(lambda: not lives(copy), "what it started ends with it")


async def test_an_idle_process_that_ends_is_replaced(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    pid = await stage.pid()
    os.kill(pid, signal.SIGTERM)
    await until(lambda: stage.pool.idle == 0, "its end is seen")
    assert f"process {pid}, which waited for a call, was killed by SIGTERM" in caplog.text
    assert await stage.pid() != pid


async def test_an_idle_process_whose_end_is_half_seen_is_given_no_call(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has left its group may hold the stream of one that has ended."""
    pid = await stage.pid()
    [process] = stage.pool._all
    with monkeypatch.context() as held:
        held.setattr(process, "connection_lost", lambda _: None)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not process.works, "one of its ends is seen")
        assert stage.pool.idle == 1
        assert await stage.pid() != pid
    process.connection_lost(None)
    assert (stage.pool.idle, stage.pool.started) == (1, 1)


# --- the run is ended ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "how"), [("waits", "looks"), ("waits", "says"), ("awaits", "cleans up"), ("awaits", "holds the loop")]
)
async def test_a_function_is_told_why_its_run_was_ended_and_its_process_stays(
    stage: Stage, tool: str, how: str, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    call = stage.call(tool, mark=str(mark), how=how)
    pid = await pid_of(call)
    said = len(call.events)
    call.cancel("time_cap")
    with pytest.raises(asyncio.CancelledError):
        await call.outcome()
    await until(mark.exists, "it is told")
    await until(lambda: stage.pool.working == 0, "it ends")
    assert mark.read_text() == "time_cap"
    assert [each.done() for each in call.freed] == [True]
    assert len(call.events) - said <= CHANNEL_ITEMS
    assert await stage.pid() == pid


@pytest.mark.parametrize(
    ("tool", "how"),
    [
        ("waits", "never"),
        ("waits", "in C"),
        ("waits", "starts a program"),
        ("awaits", "swallows"),
        ("awaits", "goes into C"),
    ],
)
async def test_a_function_that_does_not_end_is_killed_with_all_that_it_started(
    stage: Stage, tool: str, how: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    mark = "777" if how == "starts a program" else str(tmp_path / "mark")
    call = stage.call(tool, mark=mark, how=how)
    pid = await pid_of(call)
    call.cancel("left")
    with pytest.raises(asyncio.CancelledError):
        await call.outcome()
    assert [each.done() for each in call.freed] == [False], "it keeps its place in a queue while it works"
    await until(lambda: stage.pool.working == 0, "its process is killed")
    assert [each.done() for each in call.freed] == [True]
    assert not lives(pid)
    await until(lambda: in_group(pid) == [], "what it started is gone")
    assert f"run 0123: {tool} did not end in {processes.CLEANUP_SECONDS:g} s: its process is killed" in caplog.text
    assert await stage.pid() != pid


async def test_what_a_cleanup_raises_is_in_the_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    call = stage.call("awaits", mark="", how="fails")
    await call.first()
    call.cancel("left")
    await until(lambda: stage.pool.working == 0, "it ends")
    [record] = [each for each in caplog.records if "being stopped" in each.getMessage()]
    assert record.getMessage() == "run 0123: awaits raised while being stopped"
    assert "KeyError: 'in the cleanup'" in str(record.stack_info)


async def test_a_run_that_ends_before_its_process_has_started(stage: Stage) -> None:
    call = stage.call("look", pid=os.getpid())
    await until(lambda: stage.pool.working == 1, "it is given a process")
    call.cancel("left")
    with pytest.raises(asyncio.CancelledError):
        await call.outcome()
    await until(lambda: stage.pool.working == 0, "it is free, or gone")
    assert call.events == []
    assert (await stage.call("look", pid=os.getpid()).value())["cancelled"] is False


async def test_a_function_does_not_begin_if_its_end_is_heard_of_before(tmp_path: Path) -> None:
    """As where both packets come in one read: nothing of it works, and the process stays."""
    mark, sent = tmp_path / "mark", list[Packet]()
    tool, caller = worker_tools.waits, Caller(access=Access("ann"), headers={}, deadline=60, clock=lambda: 0.0)
    packet = call_packet(tool, tool.arguments({"mark": str(mark), "how": "looks"}), caller, "0123", 1000)
    working = Working(packet.value(), lambda *packets: sent.extend(packets), Threads(1), Dependencies(1))
    working.cancel("left")
    await asyncio.wait_for(working.run(), SECONDS)
    assert [each.kind for each in sent] == [PacketKind.ERROR, PacketKind.FREE]
    assert not mark.exists()


async def test_an_event_that_the_server_refuses_ends_the_function(stage: Stage, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    call = stage.call("waits", mark=str(mark), how="says")
    call.refuses = EventTooLarge("too large")
    assert await call.error() is call.refuses
    await until(mark.exists, "it is told")
    assert mark.read_text() == "event_too_large"


# --- a reader that is slow -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["floods", "floods_in_a_thread"])
@pytest.mark.parametrize(("size", "ahead"), [(1, CHANNEL_ITEMS), (CHANNEL_BYTES // 4, 4)])
async def test_a_process_that_is_ahead_of_its_reader_waits(
    stage: Stage, tool: str, size: int, ahead: int, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    call = stage.call(tool, {"headers": {"x-mark": str(mark)}}, n=300, size=size)
    call.gate.clear()
    # A thread is a channel ahead of what the loop of its process has taken, which was in one, and is one ahead of us.
    most = 3 * ahead if tool == "floods_in_a_thread" else ahead
    await until(lambda: _number(mark) >= ahead, "it works")
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert _number(mark) <= most
    call.gate.set()
    assert await call.value() == 300
    assert len(call.events) == 300


async def test_a_process_has_room_again_for_what_was_taken_whatever_the_server_made_of_it(stage: Stage) -> None:
    """The server finishes numbers, and so changes an event's size: what it took is what was sent."""
    call = stage.call("floods_by_a_part", n=CHANNEL_BYTES // 8)
    assert await call.value() == CHANNEL_BYTES // 8
    assert len(call.events) == CHANNEL_BYTES // 8


def _number(mark: Path) -> int:
    return int(mark.read_text() or 0) if mark.exists() else 0


# --- a process that says what it may not -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff" * 100,
        packed(Packet("nonsense")),
        packed(Packet(PacketKind.RESULT, {}, b"")),
        packed(Packet(PacketKind.ERROR, {}, b"{")),
        packed(Packet(PacketKind.REQUESTS, {}, b"[[1,2]]")),
        packed(Packet(PacketKind.REQUESTS, {}, b'[[1,"ask",{}]]')),
        packed(Packet(PacketKind.LINE, {}, b"5")),
        packed(event_packet(Event(EventType.COMPLETE, b"1"))),
        packed(Packet(PacketKind.EVENT, {"type": "log", "shape": "VALUE", "data": 1}, b"1")) * (CHANNEL_ITEMS + 100),
    ],
    ids=["bytes", "kind", "result", "error", "request", "question", "line", "event", "too many"],
)
async def test_it_is_killed(stage: Stage, sent: bytes) -> None:
    call = stage.call("says_to_the_server", data=list(sent))
    error = await call.error()
    assert isinstance(error, ToolFailed), error
    assert "cannot be read" in error.message
    await until(lambda: stage.pool.working == 0, "it is gone")
    assert stage.pool.started == 0
    assert await stage.pid() > 0
