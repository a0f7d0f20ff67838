"""WHATWG HTML 9.2: frames and their decoder. The standard's examples first, then its rules, then what never happens."""

import re
from itertools import pairwise

import httpx
import httpx_sse
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcp_app.protocol.http.sse import (
    HEARTBEAT,
    MAX_EVENT_BYTES,
    MAX_RETRY,
    OPEN,
    OPEN_AGAIN,
    Decoder,
    OversizedEventError,
    comment,
    frame,
)
from mcp_app.protocol.http.sse import ServerSentEvent as Event


def decode(*chunks: bytes) -> list[Event]:
    decoder = Decoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def one_byte_at_a_time(stream: bytes) -> list[Event]:
    return decode(*(stream[i : i + 1] for i in range(len(stream))))


def cut(stream: bytes, positions: list[int]) -> list[bytes]:
    ends = sorted({position % (len(stream) + 1) for position in positions} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(ends)]


# --- 9.2.6: "the following event stream, once followed by a blank line" ... ------------------------------------------

WHATWG_EXAMPLES = {
    "1, a block of three data lines": (
        b"data: YHOO\ndata: +2\ndata: 10\n\n",
        [Event("YHOO\n+2\n10")],
    ),
    "2, four blocks: a comment, an id, an id reset, an unfinished one": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
        [Event("first event", id="1"), Event("second event", id="")],
    ),
    "3, empty data, then two lines of it, then an unfinished one": (
        b"data\n\ndata\ndata\n\ndata:",
        [Event(""), Event("\n")],
    ),
    "4, one space after the colon is ignored": (
        b"data:test\n\ndata: test\n\n",
        [Event("test"), Event("test")],
    ),
    "9.2.1, introduction: types": (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        [Event("73857293", "add"), Event("2153", "remove"), Event("113411", "add")],
    ),
}


@pytest.mark.parametrize(("stream", "events"), WHATWG_EXAMPLES.values(), ids=WHATWG_EXAMPLES)
@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_whatwg_example(stream: bytes, events: list[Event], end: bytes) -> None:
    stream = stream.replace(b"\n", end)
    assert decode(stream) == events
    assert one_byte_at_a_time(stream) == events


def test_third_block_of_example_2_keeps_its_second_space() -> None:
    assert decode(b"data:  third event\n\n") == [Event(" third event")]


# --- 9.2.5 and 9.2.6, one rule each ----------------------------------------------------------------------------------

NO_LINE_ENDS = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg"  # str.splitlines would take each of them for one


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [Event("a")], id="a byte order mark at the start is dropped"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", [], id="a second one is part of the field's name"),
        pytest.param(b"data: \xef\xbb\xbfa\n\n", [Event("\ufeffa")], id="one inside a value is kept"),
        pytest.param(b"\n\n\ndata: a\n\n\n\n", [Event("a")], id="blank lines alone are no events"),
        pytest.param(b"event: x\n\ndata: a\n\n", [Event("a")], id="a type without data is forgotten"),
        pytest.param(b"event: x\nevent:\ndata: a\n\n", [Event("a")], id="an empty type is message"),
        pytest.param(b"data:a\ndata:\n\n", [Event("a\n")], id="only the last line end is removed"),
        pytest.param(b"Data: a\nDATA: a\ndata : a\n data: a\n\n", [], id="field names are compared exactly"),
        pytest.param(b"foo: bar\ndata: a\n\n", [Event("a")], id="unknown fields are ignored"),
        pytest.param(b"data:\ta\n\n", [Event("\ta")], id="a tab is not the space that is removed"),
        pytest.param(b"data: a:b: c\n\n", [Event("a:b: c")], id="the first colon ends the name"),
        pytest.param(f"data: {NO_LINE_ENDS}\n\n".encode(), [Event(NO_LINE_ENDS)], id="only CR and LF end lines"),
        pytest.param(b"data: \xff\n\n", [Event("\ufffd")], id="an invalid byte becomes U+FFFD"),
        pytest.param(b"data: \xe2\x82\ndata: \xac\n\n", [Event("\ufffd\n\ufffd")], id="no character spans lines"),
        pytest.param(b"data: \xf0\x9f\xa6\n\n", [Event("\ufffd")], id="a sequence cut short is one U+FFFD"),
        pytest.param(b"data: a\0b\n\n", [Event("a\0b")], id="NUL in data is kept"),
        pytest.param(b"id: a\0b\ndata: x\n\n", [Event("x")], id="an id with NUL is ignored"),
        pytest.param(b"id: 1\ndata: x\n\ndata: y\n\n", [Event("x", id="1"), Event("y", id="1")], id="ids last"),
        pytest.param(b"id: 1\n\ndata: y\n\n", [Event("y", id="1")], id="an id counts without data"),
        pytest.param(b"id: 1\nid: 2\ndata: y\n\n", [Event("y", id="2")], id="the last id counts"),
        pytest.param(b"data: y\n:\n: x\ndata: z\n\n", [Event("y\nz")], id="comments do not end an event"),
        pytest.param(b"data: a\n", [], id="an event without its blank line is dropped"),
        pytest.param(b"data: a\n\r\r\n\n", [Event("a")], id="LF CR is two line ends"),
    ],
)  # fmt: skip
def test_rule(stream: bytes, events: list[Event]) -> None:
    assert decode(stream) == events
    assert one_byte_at_a_time(stream) == events


def test_an_event_ended_by_cr_does_not_wait_for_the_lf_that_may_follow() -> None:
    decoder = Decoder()
    assert decoder.feed(b"data: a\r\n\r") == [Event("a")]
    assert decoder.feed(b"\ndata: b\r\n\r\n") == [Event("b")]


@pytest.mark.parametrize(
    ("value", "milliseconds"),
    [
        (b"3000", 3000),
        (b"0", 0),
        (b"007", 7),
        (b"", None),
        (b"1_000", None),  # int() would take it
        (b"+1", None),
        (b"-1", None),
        (b"1.5", None),
        (b"1 ", None),
        ("\u0661".encode(), None),  # a digit, but not an ASCII one
        (b"9" * 10, MAX_RETRY),
        (b"9" * 10_000, MAX_RETRY),  # int() refuses to convert so many
        (b"0" * 10_000 + b"5", 5),
    ],
)
def test_retry_is_ascii_digits_only(value: bytes, milliseconds: int | None) -> None:
    decoder = Decoder()
    assert decoder.feed(b"retry: %b\ndata: x\n\n" % value) == [Event("x", retry=milliseconds)]
    assert decoder.reconnection_time == milliseconds


def test_retry_belongs_to_its_block_and_the_reconnection_time_stays() -> None:
    decoder = Decoder()
    assert decoder.feed(b"retry: 10\n\ndata: x\n\n") == [Event("x")]
    assert decoder.reconnection_time == 10


def test_last_event_id_is_set_when_the_event_is_dispatched_not_before() -> None:
    decoder = Decoder()
    decoder.feed(b"id: 1\ndata: x\n\nid: 2\ndata: y\n")
    assert decoder.last_event_id == "1"
    decoder.feed(b"\n")
    assert decoder.last_event_id == "2"


def test_comments_are_counted() -> None:
    decoder = Decoder()
    decoder.feed(OPEN + HEARTBEAT + frame(b"1") + HEARTBEAT + comment("two\nlines"))
    assert decoder.comments == 5


# --- the decoder's bound ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"data: " + b"x" * 200, id="a line without an end"),
        pytest.param(b"data: xxxxxxxxx\n" * 20, id="many lines"),
        pytest.param(b"data\n" * 200, id="many empty lines"),
        pytest.param(b":" + b"x" * 200 + b"\n", id="a comment"),
        pytest.param(b"id: " + b"x" * 200 + b"\n", id="an id"),
    ],
)
@pytest.mark.parametrize("feed", [lambda d, s: d.feed(s), lambda d, s: [d.feed(s[i : i + 1]) for i in range(len(s))]])
def test_an_event_beyond_the_bound_is_an_error_that_says_so(stream: bytes, feed: object) -> None:
    decoder = Decoder(max_event_bytes=100)
    with pytest.raises(OversizedEventError, match="larger than the bound of 100 bytes"):
        feed(decoder, stream)  # type: ignore[operator]
    with pytest.raises(OversizedEventError):
        decoder.feed(b"\n\ndata: the rest of it is not an event\n\n")


def test_events_before_the_oversized_one_are_not_lost() -> None:
    with pytest.raises(OversizedEventError) as caught:
        Decoder(max_event_bytes=100).feed(b"data: a\n\ndata: " + b"x" * 200)
    assert caught.value.events == [Event("a")]
    assert caught.value.limit == 100


def test_the_bound_is_of_one_event_not_of_the_stream() -> None:
    event = frame(b"x" * 80)
    assert len(decode(*[event] * 100)) == 100
    assert len(Decoder(max_event_bytes=100).feed(event * 100)) == 100


def test_a_long_line_in_small_chunks_takes_linear_time() -> None:
    # A decoder that searched its whole buffer again for each chunk would look at 2**33 bytes here.
    chunk = b"x" * 128
    decoder = Decoder()
    decoder.feed(b"data: ")
    for _ in range(MAX_EVENT_BYTES // 128 // 8):
        assert decoder.feed(chunk) == []
    [event] = decoder.feed(b"\n\n")
    assert len(event.data) == MAX_EVENT_BYTES // 8


# --- frames ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"data": b"{}"}, b"data: {}\n\n"),
        ({"data": b""}, b"data: \n\n"),
        ({"data": b"{}", "id": "7f3c/1"}, b"id: 7f3c/1\ndata: {}\n\n"),
        ({"data": b"{}", "id": "1", "event": "e", "retry": 0}, b"id: 1\nevent: e\nretry: 0\ndata: {}\n\n"),
        ({"data": b"a\r\nb\rc\nd\n"}, b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        ({"data": "ü\u2028".encode(), "id": "é"}, "id: é\ndata: ü\u2028\n\n".encode()),
    ],
)
def test_frame_bytes(arguments: dict[str, object], expected: bytes) -> None:
    assert frame(**arguments) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["id", "event"])
@pytest.mark.parametrize("bad", ["a\ndata: evil", "a\rdata: evil", "a\r\n", "\n", "a\0"])
def test_no_field_can_be_injected(field: str, bad: str) -> None:
    with pytest.raises(ValueError, match=rf"^{field} may not contain CR, LF or NUL; got {re.escape(repr(bad))}$"):
        frame(b"{}", **{field: bad})  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["id", "event"])
def test_a_lone_surrogate_is_a_value_error(field: str) -> None:
    with pytest.raises(ValueError, match="surrogates not allowed"):
        frame(b"{}", **{field: "\ud800"})  # type: ignore[arg-type]


@pytest.mark.parametrize("retry", [-1, MAX_RETRY + 1])
def test_retry_out_of_range(retry: int) -> None:
    with pytest.raises(ValueError, match="milliseconds"):
        frame(b"{}", retry=retry)


def test_heartbeat_open_and_comment_are_nothing_to_a_client() -> None:
    assert comment("") == HEARTBEAT == b":\n"
    assert comment("open") == OPEN == b": open\n"
    assert OPEN_AGAIN == OPEN + b"\n"
    assert comment("cap") == b": cap\n"
    assert comment("a\r\ndata: evil\rid: 9\n\nx") == b": a\n: data: evil\n: id: 9\n:\n: x\n"
    events = decode(OPEN, frame(b"1", id="a"), HEARTBEAT, comment("cap"), frame(b"2"), HEARTBEAT, HEARTBEAT)
    assert events == [Event("1", id="a"), Event("2", id="a")]


def test_a_heartbeat_after_an_event_is_no_event_for_a_lenient_client_either() -> None:
    # httpx-sse dispatches at every blank line once an id was seen; that is why HEARTBEAT has none.
    stream = OPEN + frame(b"1", id="a") + HEARTBEAT + comment("cap") + frame(b"2") + HEARTBEAT
    response = httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=stream)
    assert [event.data for event in httpx_sse.EventSource(response).iter_sse()] == ["1", "2"]


def test_a_client_that_comes_back_finds_the_event_ended_that_the_cut_left() -> None:
    # A client that wrongly keeps the unfinished event of the connection before still gets the first one of this whole.
    assert decode(b"data: never finished", OPEN_AGAIN + frame(b"1"))[-1] == Event("1")


def test_whoever_dispatches_at_each_blank_line_is_given_no_empty_event() -> None:
    # As @microsoft/fetch-event-source does, whatever stands before the line.
    stream = OPEN + HEARTBEAT + frame(b"1", id="a") + HEARTBEAT + comment("cap") + frame(b"2", id="b") + HEARTBEAT
    assert [b"data: " in block for block in stream.split(b"\n\n")] == [True, True, False]
    assert stream.endswith(b"\n\n" + HEARTBEAT), "behind the last blank line is no event"


# --- properties ------------------------------------------------------------------------------------------------------

FIELD = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=("Cs",)), max_size=20)
FRAMES = st.tuples(
    st.text(st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from("\r\n: ")), max_size=40),
    st.none() | FIELD,
    st.none() | FIELD,
    st.none() | st.integers(0, MAX_RETRY),
)


@given(frames=st.lists(FRAMES, max_size=6), positions=st.lists(st.integers(0, 2000), max_size=12), quiet=st.booleans())
def test_what_is_framed_is_decoded_however_it_is_cut(
    frames: list[tuple[str, str | None, str | None, int | None]], positions: list[int], quiet: bool
) -> None:
    stream = OPEN
    expected: list[Event] = []
    last = ""
    for data, id_, event, retry in frames:
        stream += frame(data.encode(), id=id_, event=event, retry=retry) + (HEARTBEAT if quiet else b"")
        last = last if id_ is None else id_
        expected.append(Event(re.sub("\r\n?", "\n", data), event or "message", last, retry))
    assert decode(*cut(stream, positions)) == expected


@given(stream=st.binary(max_size=300), positions=st.lists(st.integers(0, 300), max_size=12))
@example(stream=b"\xef\xbb\xbf\r\n\rdata:\xe2\x82", positions=[1, 2, 3, 4, 5])
def test_any_bytes_decode_and_cuts_change_nothing(stream: bytes, positions: list[int]) -> None:
    assert decode(*cut(stream, positions)) == decode(stream)


FIELD_LIKE = st.lists(
    st.sampled_from([b"data", b"id", b"event", b"retry", b":", b" ", b"\n", b"\r", b"\r\n", b"\0", b"7", b"\xc3\xa9"]),
    max_size=60,
).map(b"".join)


@given(stream=FIELD_LIKE, positions=st.lists(st.integers(0, 300), max_size=12))
def test_almost_fields_decode_and_cuts_change_nothing(stream: bytes, positions: list[int]) -> None:
    assert decode(*cut(stream, positions)) == decode(stream)


@given(data=st.binary(max_size=100), id_=FIELD)
def test_no_data_makes_a_second_event_or_another_id(data: bytes, id_: str) -> None:
    [event] = decode(OPEN + frame(data, id=id_) + HEARTBEAT)
    assert (event.id, event.event, event.retry) == (id_, "message", None)


@given(text=st.text(st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from("\r\n:")), max_size=60))
def test_no_comment_makes_an_event_or_a_field(text: str) -> None:
    assert decode(comment(text), frame(b"1")) == [Event("1")]


@given(stream=st.binary(max_size=400), limit=st.integers(1, 50))
def test_nothing_but_the_bound_is_ever_raised_and_it_holds(stream: bytes, limit: int) -> None:
    decoder = Decoder(max_event_bytes=limit)
    try:
        events = decoder.feed(stream)
    except OversizedEventError as error:
        events = error.events
    assert all(len(event.data) <= limit for event in events)
