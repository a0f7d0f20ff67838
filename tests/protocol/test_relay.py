"""What a process says of a call: events, results and errors arrive as they were, and nothing else can be said."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol import relay
from mcp_app.protocol.asking import Declined, MissingCapability, NoAnswer, UrlRequired
from mcp_app.protocol.errors import EventTooLarge, McpAppError, ToolError, ToolFailed
from mcp_app.protocol.event import Event, EventType, Shape, encode
from mcp_app.protocol.packets import Packet, PacketError, Unpacker, packed
from mcp_app.protocol.relay import (
    KeptThere,
    PacketKind,
    Returned,
    error_of,
    error_packet,
    event_of,
    event_packet,
    failure,
    failure_of,
    result_of,
    result_packet,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])), st.lists
)
SAID = [EventType.PROGRESS, EventType.PARTIAL, EventType.LOG, EventType.LET_GO]


def over_the_wire(packet: Packet) -> Packet:
    [got] = Unpacker().feed(packed(packet))
    return got


@given(st.sampled_from(SAID), JSON, st.none() | JSON, st.sampled_from([Shape.VALUE, Shape.CONTENT, Shape.PRIVATE]))
def test_events_arrive_as_they_were(kind: EventType, data: Any, metadata: Any, shape: Shape) -> None:
    event = Event(kind, encode(data), b"" if metadata is None else encode(metadata), shape)
    assert event_of(over_the_wire(event_packet(event))) == event


@pytest.mark.parametrize("kind", [each for each in EventType if each not in SAID])
def test_what_only_the_run_says_no_tool_can_say(kind: EventType) -> None:
    with pytest.raises(PacketError, match="no tool can send"):
        event_of(event_packet(Event(kind, b"1")))


@pytest.mark.parametrize("shape", [Shape.PARTS, Shape.LINK, Shape.LINKED])
def test_nor_what_is_kept_with_the_run(shape: Shape) -> None:
    with pytest.raises(PacketError, match="no tool can send"):
        event_of(event_packet(Event(EventType.PARTIAL, b"1", b"", shape)))


def test_a_line_end_in_an_event_would_be_another_event() -> None:
    with pytest.raises(PacketError, match="no tool can send"):
        event_of(event_packet(Event(EventType.LOG, b'{"a":\n1}')))
    with pytest.raises(PacketError, match="one line"):
        result_of(Packet(PacketKind.RESULT, {"data": 2}, b"1\n"))
    with pytest.raises(PacketError, match="several lines"):
        error_of(Packet(PacketKind.ERROR, {"kind": "TOOL"}, b'{"code":"x",\n"message":"m"}'))


@given(JSON, st.booleans(), st.none() | JSON, st.none() | st.integers(0, 10**9))
def test_results_arrive_as_they_were(data: Any, content: bool, beside: Any, items: int | None) -> None:
    result = Returned(encode(data), content, b"" if beside is None else encode(beside), items)
    assert result_of(over_the_wire(result_packet(result))) == result


class TeaError(ToolError):
    """An author's own."""

    code = "no_tea"
    status = 418

    def object(self) -> dict[str, Any]:
        return {**super().object(), "pot": "empty"}


@pytest.mark.parametrize(
    "error",
    [
        ToolError("no", hint="yes", details=[{"field": "a", "problem": "b"}], suggestion="Did you mean c?"),
        ToolFailed("The tool x failed.", error_id="0123456789abcdef"),
        EventTooLarge("too large"),
        Declined("cancel", "closed"),
        NoAnswer("none"),
        MissingCapability({"sampling": {}}, "cannot"),
        UrlRequired([{"url": "https://example.com"}]),
        TeaError("none left"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_are_sent_on_as_they_are(error: McpAppError) -> None:
    got = error_of(over_the_wire(error_packet(error)))
    assert isinstance(got, McpAppError)
    assert (got.code, got.message, got.error_kind, got.error_id) == (
        *(error.code, error.message, error.error_kind),
        error.error_id,
    )
    assert got.object() == error.object()
    assert isinstance(got, ToolError) is isinstance(error, ToolError)


@pytest.mark.parametrize("error", [Declined("decline", "no"), NoAnswer("none", hint="ask"), ValueError("a: wrong")])
def test_failures_that_both_sides_know(error: Any) -> None:
    got = failure_of(failure(error))
    assert type(got) is type(error)
    assert str(got) == str(error)
    assert vars(got) == vars(error)


@pytest.mark.parametrize("sent", [failure(KeyError("a secret")), {"failed": "declined"}, {"failed": 1}, None, [], "x"])
def test_failures_that_only_one_side_knows(sent: Any) -> None:
    got = failure_of(sent)
    assert type(got) is KeptThere
    assert "secret" not in str(sent)


@given(st.dictionaries(st.text(max_size=5), JSON), st.binary(max_size=20) | JSON.map(encode))
def test_whatever_comes_is_understood_or_a_packet_error(fields: dict[str, Any], body: bytes) -> None:
    for read in (event_of, result_of, error_of):
        with contextlib.suppress(PacketError):
            assert read(Packet("x", fields, body)) is not None


def test_what_no_packet_can_carry_is_an_error_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MAX_BODY_BYTES", 10)
    event_packet(Event(EventType.PARTIAL, b"123456", b"1234"))
    result_packet(Returned(b"1234567", False, b"890", None))
    with pytest.raises(EventTooLarge, match="An event of 11 bytes"):
        event_packet(Event(EventType.PARTIAL, b"1234567", b"1234"))
    with pytest.raises(EventTooLarge, match="A result of 11 bytes"):
        result_packet(Returned(b"12345678", False, b"901", None))
