"""The plain dialect: bodies, queries and event ids as they come; frames and JSON answers as design and tutorial say."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol import plain, plain_events
from mcp_app.protocol.errors import InvalidRequest
from mcp_app.protocol.event import Entry, Event, EventType

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))  # what UTF-8 can carry
RUN = "0123456789abcdef" * 2
KEY = "k" * 16


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def refused_call(raw: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        plain.parse_call(raw)
    return raised.value


def refused_query(query: bytes) -> str:
    with pytest.raises(InvalidRequest) as raised:
        plain.parse_query(query)
    assert "body" not in raised.value.message
    return raised.value.message


# --- the body of a POST ----------------------------------------------------------------------------------------------


def test_the_tutorials_call() -> None:
    call = plain.parse_call(b'{"tool": "scan_domain", "params": {"domain": "example.com"}}')
    assert call == plain.CallBody(tool="scan_domain", params={"domain": "example.com"})
    assert (call.stream, call.heartbeat, call.heartbeat_seconds, call.cap_seconds) == (True, "comment", None, None)


def test_a_call_with_everything() -> None:
    raw = body(tool="t", params={"a": [1.5]}, stream=False, heartbeat="event", heartbeat_seconds=1, cap_seconds=2.5)
    call = plain.parse_call(raw)
    assert call.model_dump() == json.loads(raw)
    assert plain.parse_call(b'{"tool": "t"}').params == {}
    assert plain.parse_call(body(tool="t", cap_seconds=None)).cap_seconds is None


@pytest.mark.parametrize(
    ("fields", "field", "problem"),
    [
        ({}, "tool", "Field required"),
        ({"tool": 5}, "tool", "Input should be a valid string"),
        ({"tool": None}, "tool", "Input should be a valid string"),
        ({"tool": "t", "params": []}, "params", "Input should be a valid dictionary"),
        ({"tool": "t", "params": None}, "params", "Input should be a valid dictionary"),
        ({"tool": "t", "stream": "false"}, "stream", "Input should be a valid boolean"),
        ({"tool": "t", "stream": 0}, "stream", "Input should be a valid boolean"),
        ({"tool": "t", "heartbeat": "loud"}, "heartbeat", "Input should be 'comment' or 'event'"),
        ({"tool": "t", "heartbeat": True}, "heartbeat", "Input should be 'comment' or 'event'"),
        ({"tool": "t", "heartbeat_seconds": "1"}, "heartbeat_seconds", "Input should be a valid number"),
        ({"tool": "t", "heartbeat_seconds": 0}, "heartbeat_seconds", "Input should be greater than 0"),
        ({"tool": "t", "cap_seconds": -1}, "cap_seconds", "Input should be greater than 0"),
        ({"tool": "t", "cap_seconds": True}, "cap_seconds", "Input should be a valid number"),
        ({"tool": "t", "param": {}}, "param", "There is no field of this name"),
        ({"tool": "t", "Tool": "t"}, "Tool", "There is no field of this name"),
    ],
)
def test_a_call_that_is_none_names_the_field(fields: dict[str, Any], field: str, problem: str) -> None:
    error = refused_call(body(**fields))
    assert error.message == f"{field}: {problem}."
    assert list(error.details) == [{"field": field, "problem": problem}]


@pytest.mark.parametrize("raw", [b"[]", b'"tool"', b"5", b"null", b"true"])
def test_a_body_that_is_no_object(raw: bytes) -> None:
    assert refused_call(raw).message == "The body is not a JSON object."


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"tool":"a","tool":"b"}', b'{"tool":"\\ud800"}', b'{"tool":"t","cap_seconds":1e999}']
)
def test_a_body_is_strict_json(raw: bytes) -> None:
    assert refused_call(raw).status == 400


def test_a_huge_number_of_seconds_is_no_crash() -> None:
    assert plain.parse_call(b'{"tool":"t","cap_seconds":1' + b"0" * 300 + b"}").cap_seconds == 1e300


# --- the query of a GET ----------------------------------------------------------------------------------------------


def test_the_query_of_the_design() -> None:
    query = plain.parse_query(f"tool=scan_domain&run={KEY}&domain=example.com&tag=a&tag=b".encode())
    assert query == plain.Query(tool="scan_domain", key=KEY, texts={"domain": ["example.com"], "tag": ["a", "b"]})


def test_a_query_with_everything() -> None:
    query = plain.parse_query(
        b"tool=t&heartbeat=event&heartbeat_seconds=0.5&cap_seconds=20&params=%7B%22a%22%3A%7B%22b%22%3A1%7D%7D&c="
    )
    assert (query.heartbeat, query.heartbeat_seconds, query.cap_seconds) == ("event", 0.5, 20.0)
    assert (query.params, query.texts) == ({"a": {"b": 1}}, {"c": [""]})
    assert plain.parse_query(b"") == plain.Query()


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (b"a=%C3%A4+b%20c%2B", "ä b c+"),
        (b"a=x%00%0D%0Ay", "x\0\r\ny"),
        (b"a=%F0%9F%98%80", "😀"),
        (b"a=b%3Dc%26d=e", "b=c&d=e"),
        (b"a=;b", ";b"),
        (b"a=%zz", "%zz"),
        (b"%61=b", "b"),
    ],
)
def test_percent_encoding(query: bytes, text: str) -> None:
    assert plain.parse_query(query).texts == {"a": [text]}


@given(st.dictionaries(TEXTS.filter(bool), TEXTS))
def test_any_form_comes_through(form: dict[str, str]) -> None:
    form = {name: value for name, value in form.items() if name not in plain.RESERVED}
    for quoting in (quote, quote_plus):
        query = plain.parse_query(urlencode(form, quote_via=quoting).encode())
        assert query.texts == {name: [value] for name, value in form.items()}


@given(st.binary())
def test_any_bytes_are_a_query_or_refused(raw: bytes) -> None:
    try:
        plain.parse_query(raw)
    except InvalidRequest:
        pass


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (b"a=\xc3\xa4", "not percent-encoded UTF-8"),
        (b"a=%ff", "not percent-encoded UTF-8"),
        (b"%ed%a0%80=1", "not percent-encoded UTF-8"),
        (b"&".join([b"a=1"] * 1001), "at most 1000 fields"),
        (b"tool=a&tool=b", "tool stands 2 times"),
        (b"tool=a&to%6fl=b", "tool stands 2 times"),
        (b"heartbeat=event&heartbeat=event", "heartbeat stands 2 times"),
        (b"heartbeat=", 'heartbeat is neither "comment" nor "event"'),
        (b"heartbeat=Event", "heartbeat is neither"),
        (b"params=", "params is empty"),
        (b"params=%7B", "params is not JSON"),
        (b"params=[]", "params is not a JSON object"),
        (b"params={%22a%22:1,%22a%22:2}", "twice"),
        (b"params={%22a%22:1}&a=2", 'The parameter "a" stands in params and in the query'),
    ],
)
def test_a_query_that_is_none(query: bytes, says: str) -> None:
    assert says in refused_query(query)


@pytest.mark.parametrize("name", ["heartbeat_seconds", "cap_seconds"])
@pytest.mark.parametrize(
    "text", ["", "0", "0.0", "-1", "nan", "inf", "Infinity", "1e999", "1_0", " 1", "1 ", "1,5", "x", "٣", "9" * 40]
)
def test_seconds_that_are_none(name: str, text: str) -> None:
    assert refused_query(urlencode({name: text}).encode()) == f"{name} is not a positive number of seconds."


# --- keys and ids ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["k" * 16, "A-z_0123456789ab", "k" * 128])
def test_run_keys(key: str) -> None:
    assert plain.parse_query(f"run={key}".encode()).key == key


@pytest.mark.parametrize(
    "key", ["", "k" * 15, "k" * 129, KEY + "\n", "\n" + KEY, KEY[:-1] + "ä", "k" * 15 + " ", "k" * 15 + ".", "٣" * 16]
)
def test_what_is_no_run_key(key: str) -> None:
    assert "run is not a key" in refused_query(urlencode({"run": key}).encode())


# --- the wire --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "frame"),
    [
        (
            Event(
                EventType.STARTED,
                b'"scan_domain"',
                b'{"run":"%s","heartbeat_seconds":15,"cap_seconds":120}' % RUN.encode(),
            ),
            '{"type":"started","tool":"scan_domain","metadata":{"run":"RUN","heartbeat_seconds":15,"cap_seconds":120}}',
        ),
        (
            Event(EventType.PROGRESS, b'{"step":"dns","records":[]}', b'{"progress":1,"total":6}'),
            '{"type":"progress","data":{"step":"dns","records":[]},"metadata":{"progress":1,"total":6}}',
        ),
        (Event(EventType.PROGRESS, b"5"), '{"type":"progress","data":5}'),
        (
            Event(EventType.LOG, b'{"level":"info","message":"x"}'),
            '{"type":"log","data":{"level":"info","message":"x"}}',
        ),
        (
            Event(EventType.COMPLETE, b"null", b'{"duration_ms":1834,"events":9}'),
            '{"type":"complete","data":null,"metadata":{"duration_ms":1834,"events":9}}',
        ),
        (
            Event(EventType.ERROR, b'{"code":"time_cap","message":"m","hint":"h"}'),
            '{"type":"error","error":{"code":"time_cap","message":"m","hint":"h"}}',
        ),
    ],
    ids=lambda value: value.type.value if isinstance(value, Event) else "",
)
def test_frames_are_as_the_design_says(event: Event, frame: str) -> None:
    written = plain_events.frame(RUN.encode(), Entry(9, event, event.size)).decode()
    number = "09" if event.last else "9"
    assert written == f"id: {RUN}/{number}\ndata: {frame}\n\n".replace("RUN", RUN)
    assert plain_events.frame(RUN.encode(), Entry(9, event, 1), 5).decode() == written.replace(
        "data:", "retry: 5\ndata:"
    )


def test_the_reconnection_time_stands_in_an_event_that_has_data() -> None:
    written = plain_events.frame(RUN.encode(), Entry(1, Event(EventType.PROGRESS, b"5"), 1), 1000).decode()
    assert written.count("\n\n") == 1
    assert {line.split(":")[0] for line in written.strip().split("\n")} == {"id", "retry", "data"}
    assert "retry: 1000\n" in written


def test_a_visible_heartbeat() -> None:
    assert plain_events.HEARTBEAT_EVENT == b'data: {"type":"heartbeat"}\n\n'


def test_a_json_answer_of_the_design() -> None:
    answer = plain_events.json_answer(
        "scan_domain",
        Event(EventType.COMPLETE, b'{"grade":"A"}', b'{"duration_ms":5,"events":3,"items":2}'),
        [Event(EventType.PROGRESS, b"1", b'{"progress":1}'), Event(EventType.LOG, b'{"level":"info","message":"x"}')],
        {"run": RUN, "truncated": True, "items": 9},
    )
    assert list(json.loads(answer)) == ["type", "tool", "data", "progress", "metadata"]
    assert json.loads(answer) == {
        "type": "complete",
        "tool": "scan_domain",
        "data": {"grade": "A"},
        "progress": [
            {"type": "progress", "data": 1, "metadata": {"progress": 1}},
            {"type": "log", "data": {"level": "info", "message": "x"}},
        ],
        "metadata": {"run": RUN, "truncated": True, "items": 2, "duration_ms": 5, "events": 3},
    }


def test_a_json_answer_of_a_failure() -> None:
    error = b'{"code":"time_cap","message":"m","hint":"h"}'
    answer = json.loads(plain_events.json_answer('a"b', Event(EventType.ERROR, error), [], {"run": RUN}))
    assert answer == {
        "type": "error",
        "tool": 'a"b',
        "error": json.loads(error),
        "progress": [],
        "metadata": {"run": RUN},
    }


def test_what_two_queries_say_is_compared_as_text_in_the_order_of_names() -> None:
    one = plain.parse_query(b"tool=t&b=2&a=1&c=x&c=y")
    other = plain.parse_query(b"tool=t&a=1&params=%7B%22c%22%3A%5B%22x%22%2C%22y%22%5D%2C%22b%22%3A2%7D")
    assert one.identity == other.identity == {"a": "1", "b": "2", "c": '["x","y"]'}
    assert list(one.identity) == ["a", "b", "c"]
