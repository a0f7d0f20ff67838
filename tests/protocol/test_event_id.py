"""The ids of a run's events: what is written is parsed, what is not ours is refused, and an end is known as one."""

from __future__ import annotations

import pytest

from mcp_app.protocol import plain_events
from mcp_app.protocol.errors import InvalidRequest
from mcp_app.protocol.event import Entry, Event, EventType
from mcp_app.protocol.event_id import NOWHERE, EventId, parse_event_id

RUN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("event", "written", "id_"),
    [
        (Event(EventType.PROGRESS, b"1"), f"{RUN}/7", EventId(RUN, 7)),
        (Event(EventType.COMPLETE, b"1"), f"{RUN}/07", EventId(RUN, 7, last=True)),
        (Event(EventType.ERROR, b"{}"), f"{RUN}/07", EventId(RUN, 7, last=True)),
    ],
)
def test_event_ids_come_back(event: Event, written: str, id_: EventId) -> None:
    given_out = plain_events.frame(RUN.encode(), Entry(7, event, 1)).split(b"\n")[0].removeprefix(b"id: ").decode()
    assert given_out == written == str(id_)
    assert parse_event_id(given_out) == id_


@pytest.mark.parametrize(
    "id_", [EventId(RUN, 10**15 - 1), EventId(RUN, 10, last=True), EventId(RUN, 0, last=True), NOWHERE]
)
def test_what_is_written_is_parsed(id_: EventId) -> None:
    assert parse_event_id(str(id_)) == id_
    assert int(str(id_).rpartition("/")[2]) == id_.number, "for clients that count"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "7",
        f"{RUN}",
        f"{RUN}/",
        f"{RUN}/7\n",
        f"\n{RUN}/7",
        f" {RUN}/7",
        f"{RUN}/-1",
        f"{RUN}/+1",
        f"{RUN}/0",
        f"{RUN}/007",
        f"{RUN}/000",
        f"{RUN}/0{10**15}",
        f"{RUN}/7/8",
        f"{RUN}/1e3",
        f"{RUN}/٣",
        f"{RUN.upper()}/7",
        f"{RUN[:-1]}/7",
        f"{RUN}0/7",
        f"{RUN}/{10**15}",
        f"{RUN}/7\0",
        "k" * 16,
    ],
)
def test_what_is_no_event_id_of_ours(value: str) -> None:
    with pytest.raises(InvalidRequest, match="Last-Event-ID"):
        parse_event_id(value)
