"""The revisions with sessions, and which of them is agreed on (2025-11-25, Lifecycle, Version Negotiation)."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_app.protocol.mcp.revisions import SESSION_REVISIONS, negotiated
from mcp_app.protocol.policy import MCP_2024_11_05, MCP_2025_06_18, MCP_2025_11_25, OnCap, OnLeave, Policy


@pytest.mark.parametrize("version", SESSION_REVISIONS)
def test_a_revision_that_is_spoken_is_agreed_on(version: str) -> None:
    assert negotiated(version).version == version


@pytest.mark.parametrize("asked", ["2026-07-28", "2025-11-26", "", None, 1, ["2025-06-18"], {}])
def test_for_all_others_the_newest_is_offered(asked: object) -> None:
    assert negotiated(asked).version == max(SESSION_REVISIONS) == "2025-11-25"


def test_they_are_listed_newest_first() -> None:
    assert list(SESSION_REVISIONS) == sorted(SESSION_REVISIONS, reverse=True)


def test_what_differs_between_them() -> None:
    rows = SESSION_REVISIONS.values()
    assert [row.version for row in rows if row.batches] == ["2025-03-26"]
    assert [row.version for row in rows if row.polled] == ["2025-11-25"]
    assert [row.version for row in rows if row.version_header] == ["2025-11-25", "2025-06-18"]
    assert [row.version for row in rows if row.wire.structured] == ["2025-11-25", "2025-06-18"]
    # Only a stream that may be polled ends early, and only then is a client told when to come back.
    assert all(
        (row.policy.retry_ms is not None) == row.polled == (row.policy.on_cap is OnCap.END_STREAM) for row in rows
    )


@pytest.mark.parametrize(
    ("row", "on_leave", "on_cap", "resumable", "waits"),
    [
        (MCP_2025_11_25, OnLeave.GO_ON, OnCap.END_STREAM, True, False),
        (MCP_2025_06_18, OnLeave.GO_ON, OnCap.END_RUN, True, False),
        (MCP_2024_11_05, OnLeave.CANCEL, OnCap.END_RUN, False, True),
    ],
    ids=lambda value: value.name if isinstance(value, Policy) else "",
)
def test_the_rows(row: Policy, on_leave: OnLeave, on_cap: OnCap, resumable: bool, waits: bool) -> None:
    assert (row.on_leave, row.on_cap, row.resumable, row.waits) == (on_leave, on_cap, resumable, waits)


ALL = {"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}, "other": {}}, "roots": {"listChanged": True}}


@pytest.mark.parametrize(
    ("version", "capabilities"),
    [
        ("2025-11-25", {"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}}),
        ("2025-06-18", {"elicitation": {}, "sampling": {}, "roots": {}}),
        ("2025-03-26", {"sampling": {}, "roots": {}}),
        ("2024-11-05", {"sampling": {}, "roots": {}}),
    ],
)
def test_only_what_the_revision_has_is_asked_for(version: str, capabilities: dict[str, Any]) -> None:
    row = negotiated(version)
    assert row.capabilities({**ALL, "experimental": {"x": "y" * 1000}}) == capabilities
    assert row.capabilities({"roots": {}}) == {"roots": {}}
    assert row.capabilities({"roots": True, "sampling": None}) == {}
