"""Events as lines, and what a peer sends made harmless."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.client.lines import Lines, line_of
from mcp_app.client.message import ServerMessage, error_of, input_schema, max_stream_seconds, parse_message
from mcp_app.client.outcome import Status, status_of_answer, status_of_last_event
from mcp_app.client.printable import harmless, many_lines, one_line
from mcp_app.client.saving import Saved

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            '{"type":"started","tool":"scan","metadata":{"run":"7f","heartbeat_seconds":15,"cap_seconds":120}}',
            'started scan {"run":"7f","heartbeat_seconds":15,"cap_seconds":120}',
        ),
        ('{"type":"started","tool":"scan"}', "started scan {}"),
        (
            '{"type":"progress","data":{"message":"dns"},"metadata":{"progress":3,"total":6}}',
            'progress 3/6 {"message":"dns"}',
        ),
        ('{"type":"progress","data":[1],"metadata":{"progress":0.5}}', "progress 0.5 [1]"),
        ('{"type":"progress","data":"ü"}', 'progress - "ü"'),
        ('{"type":"log","data":{"level":"warning","message":"slow"}}', 'log warning "slow"'),
        ('{"type":"complete","data":{"a":1},"metadata":{"duration_ms":1834,"events":9}}', 'complete 1.834s {"a":1}'),
        (
            '{"type":"progress","data":{"message":"m"},"metadata":{"progress":25,"total":100,"path":["fetch","parse"]}}',
            'progress 25/100@fetch/parse {"message":"m"}',
        ),
        ('{"type":"progress","data":1,"metadata":{"path":["fetch"]}}', "progress -@fetch 1"),
        (
            '{"type":"log","data":{"level":"info","message":"m"},"metadata":{"path":["a b\\u001b"]}}',
            r'log info@a_b\x1b "m"',
        ),
        ('{"type":"progress","data":1,"metadata":{"path":"fetch"}}', "progress - 1"),
        ('{"type":"complete"}', "complete - null"),
        (
            '{"type":"error","error":{"code":"time_cap","message":"Too long.","hint":"h"}}',
            'error time_cap {"code":"time_cap","message":"Too long.","hint":"h"}',
        ),
        ('{"type":"error"}', "error unknown null"),
        ('{"type":"new kind","data":1}', "new_kind - 1"),
        ('{"type":"started","tool":"a\\nb\\u001b c"}', r"started a\x0ab\x1b_c {}"),
        ('{"type":"progress","data":{},"metadata":{"progress":true,"total":"6"}}', "progress - {}"),
    ],
)
def test_one_event_one_line_three_fields(event: str, line: str) -> None:
    message = parse_message(event)

    assert message is not None
    assert line_of(message) == line
    output = io.StringIO()
    Lines(output, Saved(None, "t")).show(message)
    assert output.getvalue() == line + "\n"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON, st.text(), st.text())
def test_whatever_is_sent_stays_one_line_that_can_be_taken_apart(data: object, kind: str, level: str) -> None:
    line = line_of(ServerMessage(kind or "x", {"type": kind or "x", "data": data}))
    log = line_of(ServerMessage("log", {"type": "log", "data": {"level": level, "message": data}}))

    assert not CONTROL.search(line + log)
    assert json.loads(log.split(" ", 2)[2]) == data
    if kind not in ("started", "error", "log"):
        assert json.loads(line.split(" ", 2)[2]) == data


@given(JSON)
def test_many_lines_is_the_same_json_without_controls(data: object) -> None:
    text = many_lines(data)

    assert not CONTROL.search(text.replace("\n", ""))
    assert json.loads(text) == data


def test_harmless_shows_what_a_terminal_would_obey() -> None:
    attack = "\x1b]0;title\x07\x9b31m\u202egpj\r\n\x7f"

    assert harmless(attack) == r"\x1b]0;title\x07\x9b31m\u202egpj\x0d\x0a\x7f"
    assert harmless("ü 日本 👩‍💻") == "ü 日本 👩‍💻"
    assert json.loads(one_line({"a": attack})) == {"a": attack}


@pytest.mark.parametrize("text", ["", "[]", "null", '{"type":1}', '{"data":1}', "{", "[" * 100_000, '{"type":""}'])
def test_what_is_not_this_dialect_is_no_message(text: str) -> None:
    assert parse_message(text) is None


@pytest.mark.parametrize(("text", "shown"), [("NaN", '"NaN"'), ("-Infinity", '"-Infinity"'), ("1e999", '"1e999"')])
def test_numbers_that_are_not_json_are_shown_as_text(text: str, shown: str) -> None:
    message = parse_message('{"type":"progress","data":' + text + "}")

    assert message is not None
    assert line_of(message) == f"progress - {shown}"


@pytest.mark.parametrize("run", ["../../x", "a/b", "", 7, None, "x" * 129, "a\n"])
def test_a_run_id_that_is_no_id_is_none(run: object) -> None:
    assert ServerMessage("started", {"metadata": {"run": run}}).run_id is None


def test_error_object_with_details() -> None:
    error = error_of({"error": {"code": "c", "message": "m", "details": [{"field": "f", "problem": "p"}, 3]}})

    assert error is not None
    assert (error.code, error.message, error.hint, error.details) == ("c", "m", "", ("f: p",))
    assert error_of({"error": {"code": 3, "message": "m"}}) is None
    assert error_of({"error": "no"}) is None
    assert error_of(None) is None


def test_input_schema_of_the_tools_route() -> None:
    tools = {"tools": [3, {"name": "a"}, {"name": "b", "inputSchema": {"type": "object"}}]}

    assert input_schema(tools, "b") == {"type": "object"}
    assert input_schema(tools, "a") is None
    assert input_schema({"tools": 3}, "a") is None


def test_cap_of_the_manifest() -> None:
    assert max_stream_seconds({"_meta": {"x/streaming": {"maxStreamSeconds": 90}}}) == 90
    assert max_stream_seconds({"_meta": {"x/streaming": {"maxStreamSeconds": -1}}}) is None
    assert max_stream_seconds({"_meta": 3}) is None


@pytest.mark.parametrize(
    ("http", "code", "status"),
    [
        (404, "unknown_tool", Status.REFUSED),
        (422, "invalid_params", Status.REFUSED),
        (500, "tool_failed", Status.FAILED),
        (504, "time_cap", Status.CAP),
        (503, "draining", Status.UNREACHABLE),
        (503, "overloaded", Status.UNREACHABLE),
        (503, "shutdown", Status.LOST),
        (409, "cancelled", Status.LOST),
        (429, "too_many", Status.UNREACHABLE),
        (401, "unauthorized", Status.REFUSED),
        (401, None, Status.REFUSED),
        (404, None, Status.UNREACHABLE),
        (405, None, Status.UNREACHABLE),
        (502, None, Status.UNREACHABLE),
        (504, None, Status.UNREACHABLE),
        (500, None, Status.UNREACHABLE),
        (301, None, Status.UNREACHABLE),
    ],
)
def test_exit_status_of_an_answer(http: int, code: str | None, status: Status) -> None:
    assert status_of_answer(http, code) == status


def test_exit_status_of_a_last_event() -> None:
    assert status_of_last_event("tool_failed") == 1
    assert status_of_last_event("time_cap") == 4
    assert status_of_last_event("shutdown") == 5
    assert status_of_last_event("unknown_run") == 5, "come back to after a restart"
    assert status_of_last_event("never heard of") == 1
