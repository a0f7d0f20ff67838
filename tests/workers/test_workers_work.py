"""Tools in a process: all four kinds say and return what they do in the server, and their Context is whole."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import worker_tools
from worker_stage import Call, Stage

from mcp_app.asking import NullAsker
from mcp_app.protocol.access import Access
from mcp_app.protocol.error_root import McpAppError
from mcp_app.protocol.errors import EventTooLarge
from mcp_app.protocol.event import encode
from mcp_app.protocol.http.trace import Trace
from mcp_app.protocol.packets import MAX_BODY_BYTES
from mcp_app.runs.failure import public_error


async def ended(call: Call, name: str) -> Any:
    """(What it said, its outcome or what its caller is told, but for the id of the error.)"""
    error = await call.error()
    if error is None:
        return call.said, await call.outcome()
    public = public_error(error, f"The tool {name}", "a run", 500_000)
    assert isinstance(public, McpAppError)
    return call.said, public.code, {**public.object(), "error_id": "…"}, public.error_kind


@pytest.mark.parametrize("name", list(worker_tools.PLACED))
@pytest.mark.parametrize("n", [0, 3])
async def test_what_is_seen_of_a_tool_is_the_same_in_a_process(stage: Stage, name: str, n: int) -> None:
    plain = await ended(stage.call(worker_tools.PLAIN[name], n=n), name)
    placed = await ended(stage.call(worker_tools.PLACED[name], n=n), name)
    assert encode(str(placed)).replace(b"placed_", b"") == encode(str(plain))


async def test_a_process_is_somewhere_else_and_stays(stage: Stage) -> None:
    first = await stage.call("look", pid=os.getpid()).value()
    second = await stage.call("look", pid=os.getpid()).value()
    assert first["elsewhere"]
    assert (first["pid"], first["calls"], second["pid"], second["calls"]) == (first["pid"], 1, first["pid"], 2)
    assert (stage.pool.working, stage.pool.idle) == (0, 1)


async def test_the_caller_is_known_there(stage: Stage) -> None:
    of = {
        "access": Access("béa", frozenset({"b", "a"}), claims={"org": ["é"]}),
        "headers": {"x-test": "é\N{SNOWMAN}"},
        "trace": Trace("00-" + "a" * 32 + "-" + "b" * 16 + "-01", None, "key=value"),
        "seconds": 30.0,
    }
    seen = await stage.call("look", of, pid=os.getpid()).value()
    assert (seen["principal"], seen["headers"]) == ("béa", of["headers"])
    assert (seen["scopes"], seen["claims"]) == (["a", "b"], {"org": ["é"]})
    assert (seen["trace"], seen["baggage"]) == ("a" * 32, {"key": "value"})
    assert 0 < seen["seconds_left"] <= 30
    assert seen["deadline_is_monotonic"]
    assert (seen["cancelled"], seen["reason"], seen["can"]) == (False, None, False)


async def test_it_has_nothing_of_the_servers_but_standard_error(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OF_THE_TEST", "inherited")
    file = tmp_path / "inherited"
    inherited = os.open(file, os.O_RDWR | os.O_CREAT)
    try:
        os.set_inheritable(inherited, True)
        seen = await stage.call("look", pid=os.getpid()).value()
    finally:
        os.close(inherited)
    kinds = [each.partition(":")[0] for each in seen["descriptors"]]
    assert kinds.count("socket") == 4, "the wire, the lifeline, and the loop's own pair"
    assert str(file) not in seen["descriptors"]
    assert seen["listening"] == []
    assert seen["inode_of_1"] == seen["inode_of_2"] == os.fstat(2).st_ino
    assert seen["group"] == seen["pid"] != os.getpgrp()
    assert seen["sigint_is_ignored"]
    assert seen["argv"] == sys.argv
    assert seen["environment"] == "inherited"


class Polling(NullAsker):
    polled = True


async def test_let_go_is_said_where_the_caller_polls(stage: Stage) -> None:
    for asker, said in ((None, []), (NullAsker(), []), (Polling(), [("let_go", None, b"", "PRIVATE")])):
        call = stage.call("let_go", {"asker": asker})
        assert (await call.value(), call.said) == ("done", said)


async def test_what_is_printed_is_on_standard_error(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    assert await stage.call("loud").value() == "done"
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "by print\nby number\nby a child\non standard error\n"


@pytest.mark.parametrize("query", [False, True])
async def test_arguments_are_validated_again_there(stage: Stage, query: bool) -> None:
    texts = {"text": ["validated where"], "n": ["1_000"], "words": ["a", "b"]}
    params = {"text": "validated where", "n": "1000", "words": ["a", "b"]}
    call = stage.call("validated", {"query": texts}) if query else stage.call("validated", **params)
    value = await call.value()
    assert value["text"] == f"validated in {value['pid']}"
    assert value["pid"] != os.getpid()
    assert (value["n"], value["words"]) == (1000, ["a", "b"])


async def test_arguments_that_are_too_large_for_the_wire_cost_no_process(stage: Stage) -> None:
    """As a tool of the server may give them, whom no bound of a request holds."""
    pid = await stage.pid()
    error = await stage.call("validated", text="x" * MAX_BODY_BYTES).error()
    assert isinstance(error, EventTooLarge)
    assert error.message.startswith("A call of the tool validated of 33554")
    assert await stage.pid() == pid


async def test_arguments_that_only_the_process_refuses(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_PROCESS", "1")
    await stage.pid()
    monkeypatch.delenv("OF_THE_PROCESS")
    error = await stage.call("validated", text="refused there").error()
    assert isinstance(error, McpAppError)
    assert (error.code, error.message) == ("tool_failed", "The tool validated failed.")
    assert error.error_id


async def test_the_log_of_a_process_is_the_servers(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    error = await stage.call(worker_tools.PLACED["fails"], n=1).error()
    [record] = caplog.records
    assert isinstance(error, McpAppError)
    assert (record.name, record.levelname) == ("mcp_app.runs", "ERROR")
    assert record.getMessage() == f"run 0123: placed_fails failed [error_id {error.error_id}]"
    assert record.stack_info is not None
    assert "KeyError: 'a secret'" in record.stack_info
    assert "worker_tools.py" in record.stack_info
    assert "secret" not in str(error.object())


async def test_what_changes_the_process_changes_no_other_and_not_the_directory_of_the_next(
    stage: Stage, tmp_path: Any
) -> None:
    before = os.getcwd()
    for _ in range(2):
        changed = await stage.call("changes", directory=str(tmp_path)).value()
        assert changed == {"before": before, "after": str(tmp_path.resolve())}
    assert (os.getcwd(), os.environ.get("CHANGED")) == (before, None)


async def test_what_a_call_has_left_behind_asks_nothing_in_the_next(stage: Stage) -> None:
    assert await stage.call("leaves_a_question", {"asker": NullAsker()}).value() == "left"
    told = stage.call("tells_it_to_ask", {"asker": NullAsker()})
    assert await told.value() == {"ended": True, "own": "of the second call"}


async def test_processes_of_a_process(stage: Stage) -> None:
    assert await stage.call("multiprocesses", n=4).value() == [0, 1, 4, 9]


async def test_whoever_ignores_signals_is_ended_all_the_same(stage: Stage) -> None:
    pid = int(await stage.call("sets_a_signal_handler").value())
    os.kill(pid, signal.SIGINT)
    assert await stage.pid() == pid
