"""The policy rows against the table of the design."""

from __future__ import annotations

import pytest

from mcp_app.protocol.event import MAX_EVENT_BYTES
from mcp_app.protocol.policy import (
    PLAIN_DETACHED,
    PLAIN_EVENTSOURCE,
    PLAIN_POST,
    ROWS,
    WINDOW_BYTES,
    WINDOW_ENTRIES,
    OnCap,
    OnLeave,
    Policy,
)


@pytest.mark.parametrize(
    ("row", "on_leave", "on_cap", "resumable", "waits"),
    [
        (PLAIN_POST, OnLeave.CANCEL, OnCap.END_RUN, False, True),
        (PLAIN_EVENTSOURCE, OnLeave.LINGER, OnCap.END_RUN, True, True),
        (PLAIN_DETACHED, OnLeave.GO_ON, OnCap.END_STREAM, True, False),
    ],
    ids=lambda value: value.name if isinstance(value, Policy) else "",
)
def test_the_rows(row: Policy, on_leave: OnLeave, on_cap: OnCap, resumable: bool, waits: bool) -> None:
    assert (row.on_leave, row.on_cap, row.resumable, row.waits) == (on_leave, on_cap, resumable, waits)
    # A reader that is to come back is told when, and one that cannot is not.
    assert (row.retry_ms is not None) == resumable


def test_the_window_of_the_design() -> None:
    assert (WINDOW_ENTRIES, WINDOW_BYTES) == (256, 1024 * 1024)


@pytest.mark.parametrize("row", [row for row in ROWS if row.keep.entries], ids=lambda row: row.name)
def test_no_row_keeps_less_than_a_reader_that_is_waited_for_can_be_behind(row: Policy) -> None:
    """But for a subscription, whose changes are no run's and stand in no log."""
    assert row.keep.entries > WINDOW_ENTRIES
    assert row.keep.bytes >= WINDOW_BYTES + 2 * MAX_EVENT_BYTES


def test_names_are_unique() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
