"""The checkers of the bench refuse wrong answers: an event lost or twice, another order, an error, bytes too few."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bench import load
from bench.dialects import JSON, MCP, MCP_2025, PLAIN, STREAM, TOKEN, TUTORIAL, Answer, Dialect, WrongAnswer, messages

ECHO = {"text": "hello"}
THREE = {"count": 3}


def stream(values: list[Any]) -> Answer:
    return Answer(200, STREAM, b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in values))


def mcp(values: list[Any]) -> Answer:
    return Answer(200, JSON, json.dumps(values[0]).encode()) if len(values) == 1 else stream(values)


def result(text: str = "done", **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": TOKEN, "result": {"content": [{"type": "text", "text": text}], **more}}


def progress(number: int, total: int = 3, token: int = TOKEN) -> dict[str, Any]:
    params = {"progressToken": token, "progress": number, "total": total, "message": f"step {number}"}
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def plain(number: int) -> dict[str, Any]:
    return {
        "type": "progress",
        "data": {"message": f"step {number}"},
        "metadata": {"progress": number, "total": 3},
    }


def tutorial(number: int) -> dict[str, Any]:
    return {"type": "progress", "data": {"progress": number, "total": 3, "message": f"step {number}"}}


STARTED = {"type": "started", "tool": "events"}
DONE = {"type": "complete", "data": "done", "metadata": {"duration_ms": 12}}

STREAMS: list[tuple[Dialect, list[Any], Callable[[list[Any]], Answer]]] = [
    (MCP, [progress(1), progress(2), progress(3), result()], mcp),
    (MCP_2025, [progress(1), progress(2), progress(3), result()], mcp),
    (PLAIN, [STARTED, plain(1), plain(2), plain(3), DONE], stream),
    (TUTORIAL, [STARTED, tutorial(1), tutorial(2), tutorial(3), {"type": "complete"}], stream),
]


@pytest.mark.parametrize(("dialect", "right", "sent"), STREAMS, ids=lambda each: getattr(each, "name", ""))
def test_a_stream_is_right_only_with_every_event_once_in_its_order(
    dialect: Dialect, right: list[Any], sent: Callable[[list[Any]], Answer]
) -> None:
    dialect.check("events", THREE, sent(right))
    lost = [right[:at] + right[at + 1 :] for at in range(len(right))]
    twice = [right[: at + 1] + right[at:] for at in range(len(right))]
    turned = [[*right[:at], right[at + 1], right[at], *right[at + 2 :]] for at in range(len(right) - 1)]
    for wrong in [*lost, *twice, *turned, []]:
        with pytest.raises(WrongAnswer):
            dialect.check("events", THREE, sent(wrong) if wrong else stream([]))


@pytest.mark.parametrize(("dialect", "right", "sent"), STREAMS, ids=lambda each: getattr(each, "name", ""))
def test_a_status_a_type_and_an_unfinished_event_are_seen(
    dialect: Dialect, right: list[Any], sent: Callable[[list[Any]], Answer]
) -> None:
    body = sent(right).body
    for wrong in (Answer(500, STREAM, body), Answer(200, "text/plain", body), Answer(200, STREAM, body[:-1])):
        with pytest.raises(WrongAnswer):
            dialect.check("events", THREE, wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        result("hullo"),
        result("hello", isError=True),
        {"jsonrpc": "2.0", "id": TOKEN, "error": {"code": -32603, "message": "hello"}},
        {**result("hello"), "id": TOKEN + 1},
    ],
)
def test_an_echo_is_its_text_and_no_error(wrong: dict[str, Any]) -> None:
    MCP.check("echo", ECHO, mcp([result("hello")]))
    with pytest.raises(WrongAnswer):
        MCP.check("echo", ECHO, mcp([wrong]))


def test_another_calls_progress_is_not_ours() -> None:
    with pytest.raises(WrongAnswer):
        MCP.check("events", {"count": 1}, mcp([progress(1, 1, token=TOKEN + 1), result()]))


def test_comments_are_no_events() -> None:
    assert messages(b': open\n\nid: 1\ndata: {"a":1}\n\n:\n') == [{"a": 1}]


def test_the_bytes_of_an_answer_may_differ_only_by_the_digits_of_its_time() -> None:
    assert MCP.sizes(b'data: {"duration_ms":12}') == (24, 24)
    assert MCP.sizes(b'{"duration_ms":12}') == (18, 18 + len(b": open\ndata: \n\n"))
    assert PLAIN.sizes(b'{"duration_ms":12}') == PLAIN.sizes(b'{"duration_ms":1234}') == (17, 20)


# --- what h2load says ------------------------------------------------------------------------------------------------

PRINTED = """finished in 1.00s, 2.00 req/s
requests: {0} total, {0} started, {1} done, 0 succeeded, {0} failed, {2} errored, {3} timeout
traffic: 400B (400) total, 100B (100) headers (space savings 0.00%), {4}B ({4}) data
"""
LOG = ["1000\t200\t2000\t1", "2000\t-1\t4000\t1"]


def test_a_load_is_its_calls_its_bytes_and_its_times() -> None:
    found = load.judged(PRINTED.format(2, 2, 0, 0, 20), LOG, 2, (10, 10))
    assert (found.calls, found.body_bytes, found.milliseconds) == (2, 20, (2.0, 4.0))
    assert found.seconds == pytest.approx(0.005)
    assert (found.percentile(0.5), found.percentile(0.99)) == (4.0, 4.0)


@pytest.mark.parametrize(
    ("numbers", "log"),
    [
        ((2, 1, 0, 0, 20), LOG),
        ((2, 2, 1, 0, 20), LOG),
        ((2, 2, 0, 1, 20), LOG),
        ((2, 2, 0, 0, 19), LOG),
        ((2, 2, 0, 0, 21), LOG),
        ((2, 2, 0, 0, 20), LOG[:1]),
    ],
)
def test_a_load_with_one_wrong_answer_does_not_count(numbers: tuple[int, ...], log: list[str]) -> None:
    with pytest.raises(WrongAnswer):
        load.judged(PRINTED.format(*numbers), log, 2, (10, 10))


def test_what_h2load_does_not_say_is_not_guessed() -> None:
    with pytest.raises(WrongAnswer):
        load.judged("h2load: unknown option", LOG, 2, (10, 10))
