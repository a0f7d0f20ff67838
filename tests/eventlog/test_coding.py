"""Entries and records as bytes: what comes back, what is refused, and what a byte means for ever."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.eventlog.coding import (
    EVENT_FORMAT,
    decode_event,
    decode_record,
    encode_event,
    encode_record,
)
from mcp_app.eventlog.records import RECORD_FORMAT, RunRecord
from mcp_app.protocol.error_kind import ErrorKind
from mcp_app.protocol.errors import LogUnavailable
from mcp_app.protocol.event import Event, EventType, Shape

EVENTS = st.builds(
    Event,
    st.sampled_from(EventType),
    st.binary(max_size=50),
    st.binary(max_size=50),
    st.sampled_from(Shape),
    st.none() | st.sampled_from(ErrorKind),
    st.booleans(),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TIMES = st.floats(0, 2**40)
RECORDS = st.builds(
    RunRecord,
    id=TEXTS,
    owner=TEXTS,
    callee=TEXTS,
    principal=TEXTS,
    policy=TEXTS,
    created=TIMES,
    deadline=TIMES,
    cap=TIMES,
    key=st.none() | TEXTS,
    digest=st.binary(max_size=20),
    arguments=st.none() | st.binary(max_size=20),
    attempt=st.integers(1, 2**40),
    extra=st.binary(max_size=20),
    code=st.none() | TEXTS,
    until=st.none() | TIMES,
    last=st.integers(0, 2**40),
    end=st.integers(0, 2**40),
)
RECORD = RunRecord("id", "owner", "echo", "somebody", "plain, POST", 1.5, 61.5, 60.0, extra=b"{}")


@given(EVENTS)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert decode_event(encode_event(event)) == event


@given(RECORDS)
def test_a_record_comes_back_as_it_was(record: RunRecord) -> None:
    assert decode_record(encode_record(record)) == record


@pytest.mark.parametrize("kind", EventType)
@pytest.mark.parametrize("shape", Shape)
def test_every_kind_of_event_has_its_byte(kind: EventType, shape: Shape) -> None:
    for error_kind in (None, *ErrorKind):
        event = Event(kind, b"1", b"", shape, error_kind)
        assert decode_event(encode_event(event)) == event


def test_the_first_format_stays_as_it_is() -> None:
    """What other processes have written. A new format gets a test beside this one."""
    event = Event(EventType.ERROR, b'{"code":"x"}', b"{}", Shape.VALUE, ErrorKind.TOOL, beside=True)
    data = bytes.fromhex("01 0a 01 02 01 00000002") + b'{}{"code":"x"}'
    assert encode_event(event) == data
    assert decode_event(data) == event
    written = (
        b'{"id":"id","owner":"owner","callee":"echo","principal":"somebody","policy":"plain, POST","created":1.5,'
        b'"deadline":61.5,"cap":60.0,"key":null,"digest":"","arguments":null,"attempt":1,"extra":"e30=","code":null,'
        b'"until":null,"last":0,"end":0,"format":1}'
    )
    assert encode_record(RECORD) == written
    assert decode_record(written) == RECORD


def test_what_a_newer_release_wrote_is_for_another_process() -> None:
    newer = json.dumps({"format": RECORD_FORMAT + 1, "new": True}).encode()
    for decoded in (
        lambda: decode_event(bytes([EVENT_FORMAT + 1]) + b"anything"),
        lambda: decode_record(newer),
    ):
        with pytest.raises(LogUnavailable, match="newer release") as caught:
            decoded()
        assert caught.value.headers["Retry-After"] == "1"


@given(st.binary(max_size=40).filter(lambda data: data[:1] <= bytes([EVENT_FORMAT])))
def test_other_bytes_are_no_event_or_one(data: bytes) -> None:
    try:
        event = decode_event(data)
    except ValueError:
        return
    assert encode_event(event) == data[:4] + bytes([event.beside]) + data[5:]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\x00",
        b"[]",
        b"{}",
        b'{"format":0}',
        b'{"format":"1"}',
        b'{"format":true}',
        b'{"format":1}',
        encode_record(RECORD).replace(b'"extra":"e30="', b'"extra":"*"'),
        encode_record(RECORD).replace(b'"extra":"e30="', b'"extra":7'),
        encode_record(RECORD).replace(b'"cap":60.0,', b'"cap":60.0,"unknown":1,'),
    ],
)
def test_other_bytes_are_no_record(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_record(data)
