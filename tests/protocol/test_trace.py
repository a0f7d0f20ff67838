"""W3C Trace Context and Baggage: the standards' examples and rules; what is not valid is as if it were not there."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.http.trace import (
    MAX_BAGGAGE_CHARS,
    MAX_BAGGAGE_MEMBERS,
    MAX_TRACEPARENT_CHARS,
    MAX_TRACESTATE_CHARS,
    UNTRACED,
    extract_trace,
)

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENTED = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize(("flags", "sampled"), [("01", True), ("00", False), ("03", True), ("fe", False), ("ff", True)])
def test_a_traceparent_is_read_and_goes_on_as_it_came(flags: str, sampled: bool) -> None:
    text = f"00-{TRACE}-{PARENT}-{flags}"
    trace = extract_trace({"traceparent": text})
    assert (trace.trace_id, trace.parent_id, trace.sampled) == (TRACE, PARENT, sampled)
    assert trace.headers() == {"traceparent": text}


@pytest.mark.parametrize("around", [" {}", "\t{}", "{} ", "{}\t", "\t {} \t"])
def test_whitespace_around_it_means_nothing(around: str) -> None:
    assert extract_trace({"traceparent": around.format(PARENTED)}).traceparent == PARENTED


@pytest.mark.parametrize("text", [f"cc-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like"])
def test_of_a_higher_version_what_is_known_is_read(text: str) -> None:
    trace = extract_trace({"traceparent": text, "tracestate": "foo=1"})
    assert (trace.trace_id, trace.parent_id, trace.sampled) == (TRACE, PARENT, True)
    assert trace.headers() == {"traceparent": text, "tracestate": "foo=1"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{PARENTED}.",
        f"{PARENTED}-what-the-future-will-be-like",
        f"cc-{TRACE}-{PARENT}-01.what-the-future-will-be-like",
        f"cc-{TRACE}-{PARENT}-01-x\ny",
        f"cc-{TRACE}-{PARENT}-01-" + "x" * MAX_TRACEPARENT_CHARS,
        f"ff-{TRACE}-{PARENT}-01",
        f".0-{TRACE}-{PARENT}-01",
        f"0.-{TRACE}-{PARENT}-01",
        f"000-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-.{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}1-{PARENT}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-.{PARENT[1:]}-01",
        f"00-{TRACE}-{PARENT}1-01",
        f"00-{TRACE}-{PARENT[1:]}-01",
        f"00-{TRACE}-{PARENT}-.0",
        f"00-{TRACE}-{PARENT}-001",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-0\u0661",
        f"{PARENTED},{PARENTED}",  # the field twice
        f"{PARENTED}\n",
    ],
)
def test_an_invalid_traceparent_is_ignored_and_its_tracestate_with_it(text: str) -> None:
    assert extract_trace({"traceparent": text, "tracestate": "foo=1"}) is UNTRACED
    assert UNTRACED.headers() == {}


KEY = string.ascii_lowercase + string.digits + "_-*/"
VALUE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in ",=")


@pytest.mark.parametrize(
    "text",
    [
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "foo=1 \t , \t bar=2, \t baz=3",
        "foo=1,",
        ",foo=1,,bar=2",
        "foo= 1",
        f"{KEY}={VALUE}",
        f"{KEY}@a-z0-9_-*/={VALUE}",
        "0" * 256 + "=" + "x" * 256,
        ",".join(f"bar{number}={number}" for number in range(32)),
        ",".join(f"k{number:02}".ljust(256, "x") + "=" + "v" * 256 for number in range(32)),
    ],
)
def test_a_tracestate_goes_on_unchanged(text: str) -> None:
    assert extract_trace({"traceparent": PARENTED, "tracestate": text}).tracestate == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " , ",
        "foo=1,foo=1",
        "foo=1,bar=2,foo=3",
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "@foo=1,bar=2",
        "foo",
        "foo=",
        "=1",
        "foo=1=2",
        "foo=1\x00",
        "foo=\u00e4",
        "a" * 257 + "=1",
        "a=" + "x" * 257,
        ",".join(f"bar{number}={number}" for number in range(33)),
        "foo=1" + "," * MAX_TRACESTATE_CHARS,
    ],
)
def test_an_invalid_tracestate_is_dropped_and_its_traceparent_is_not(text: str) -> None:
    assert extract_trace({"traceparent": PARENTED, "tracestate": text}).headers() == {"traceparent": PARENTED}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue",
         {"key1": "value1", "key2": "value2", "key3": "value3"}),
        ("userId=alice,serverNode=DF%2028,isProduction=false",
         {"userId": "alice", "serverNode": "DF 28", "isProduction": "false"}),
        ("userId =   alice,serverNode = DF%2028, isProduction = false",
         {"userId": "alice", "serverNode": "DF 28", "isProduction": "false"}),
        ("SomeKey \t = \t SomeValue \t ; \t SomeProp \t , \t SomeKey2 \t = \t SomeValue2",
         {"SomeKey": "SomeValue", "SomeKey2": "SomeValue2"}),
        ("SomeKey=SomeValue=equals", {"SomeKey": "SomeValue=equals"}),
        ("SomeKey=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29", {"SomeKey": "\t \"';=asdf!@#$%^&*()"}),
        ("k=", {"k": ""}),
        ("k=%ff", {"k": "\ufffd"}),
        ("k=1,k=2", {"k": "2"}),
    ],
)  # fmt: skip
def test_baggage_is_decoded_and_goes_on_as_it_came(text: str, values: dict[str, str]) -> None:
    trace = extract_trace({"baggage": text})
    assert trace.baggage == values
    assert trace.headers() == {"baggage": text}
    assert trace.trace_id is None
    assert not trace.sampled


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('a=1,b="2",c=3', "a=1,c=3"),
        ("a=1,,c=3", "a=1,c=3"),
        ("a=1,no value,c=\u00e4", "a=1"),
        ("a=1;p=;q", "a=1;p=;q"),
        ("a=1;", None),
        ("a", None),
        ("", None),
        ("a=" + "x" * MAX_BAGGAGE_CHARS + ",b=1", "b=1"),
    ],
)
def test_a_member_of_baggage_that_is_none_is_removed(text: str, left: str | None) -> None:
    assert extract_trace({"baggage": text}).headers().get("baggage") == left


def test_baggage_has_room_for_as_much_as_must_go_on_and_no_more() -> None:
    largest = "a=" + "x" * (MAX_BAGGAGE_CHARS - 2)
    assert extract_trace({"baggage": largest}).baggage_text == largest
    assert extract_trace({"baggage": f"b=1,{largest}"}).baggage_text == "b=1"
    many = [f"k{number}=v" for number in range(MAX_BAGGAGE_MEMBERS + 1)]
    assert extract_trace({"baggage": ",".join(many[:-1])}).baggage_text == ",".join(many[:-1])
    assert extract_trace({"baggage": ",".join(many)}).baggage_text == ",".join(many[:-1])


def test_no_more_members_of_baggage_are_looked_at_than_the_grammar_has() -> None:
    assert extract_trace({"baggage": "wrong," * 179 + "a=1"}).baggage_text == "a=1"
    assert extract_trace({"baggage": "wrong," * 180 + "a=1"}) is UNTRACED


def test_meta_is_asked_before_the_headers_and_a_tracestate_stays_with_its_traceparent() -> None:
    headers = {"traceparent": PARENTED, "tracestate": "foo=1", "baggage": "a=1"}
    other = f"00-{TRACE[::-1]}-{PARENT}-00"
    assert extract_trace(headers, {"traceparent": other}).headers() == {"traceparent": other, "baggage": "a=1"}
    assert extract_trace(headers, {"baggage": "b=2"}).headers() == {**headers, "baggage": "b=2"}
    assert extract_trace(headers, {"tracestate": "bar=2"}).headers() == headers
    assert extract_trace(headers, {"traceparent": "wrong", "tracestate": "bar=2"}).headers() == headers
    assert extract_trace({}, {"traceparent": other, "tracestate": "bar=2"}).tracestate == "bar=2"


@pytest.mark.parametrize("value", [None, 1, True, [PARENTED], {"a": 1}, 1.5])
def test_what_is_no_text_is_ignored(value: object) -> None:
    assert extract_trace({}, {"traceparent": value, "tracestate": value, "baggage": value}) is UNTRACED


NASTY = st.text(alphabet=st.sampled_from('az09-=,;@ \t\n%"\\\u00e4f0')) | st.text()


@given(NASTY | st.just(PARENTED), NASTY, NASTY)
def test_anything_at_all_is_carried_or_ignored_and_can_be_sent_on(parent: str, state: str, baggage: str) -> None:
    trace = extract_trace({"traceparent": parent, "tracestate": state, "baggage": baggage})
    sent = trace.headers()
    assert all(value.isascii() and value.replace("\t", " ").isprintable() and value for value in sent.values())
    assert extract_trace(sent) == trace
    assert extract_trace({}, sent) == trace
    assert len(sent.get("baggage", "")) <= MAX_BAGGAGE_CHARS
    assert (trace.trace_id is None) == ("traceparent" not in sent)
    assert ("baggage" in sent) == bool(trace.baggage)
