"""A scalar result is put between bytes as it is: the same bytes as by the way of all others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.authoring.kind import Encoded
from mcp_app.protocol.event import Event, EventType, encode
from mcp_app.protocol.excerpt import Excerpt
from mcp_app.protocol.mcp.request_info import RequestInfo
from mcp_app.protocol.mcp.results import result, scalar
from mcp_app.protocol.mcp.revisions import SESSION_REVISIONS, STATELESS_WIRE, Structure, negotiated
from mcp_app.runs.execution import Outcome
from mcp_app.runs.last_event import last_event

WIRES = {"2026-07-28": STATELESS_WIRE, **{version: negotiated(version).wire for version in SESSION_REVISIONS}}
META = {"io.modelcontextprotocol/serverInfo": {"name": "é/x", "version": "1"}}

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@pytest.mark.parametrize("version", WIRES)
@pytest.mark.parametrize("structure", Structure)
@pytest.mark.parametrize("meta", [{}, META])
@given(value=SCALARS)
def test_it_is_what_the_general_way_makes(version: str, structure: Structure, meta: dict[str, Any], value: Any) -> None:
    asked = RequestInfo(1, WIRES[version], "x/", structure=structure, meta=meta)
    event = last_event(Outcome(Encoded(encode(value))), 2, 3)
    assert scalar(asked, event, None) == encode(result(asked, event, None))


@pytest.mark.parametrize("value", [{}, [], {"a": 1}, [{"type": "text", "text": "x"}]])
def test_what_has_parts_goes_the_general_way(value: Any) -> None:
    event = last_event(Outcome(Encoded(encode(value))), 2, 3)
    assert scalar(RequestInfo(1, STATELESS_WIRE, "x/"), event, None) is None


def test_what_streamed_parts_goes_the_general_way() -> None:
    asked = RequestInfo(1, STATELESS_WIRE, "x/")
    assert scalar(asked, last_event(Outcome(Encoded(b"null"), items=0), 2, 3), None) is None
    assert scalar(asked._replace(raw={}), last_event(Outcome(Encoded(b'"x"')), 2, 3), None) is None
    parts: Excerpt[Event] = Excerpt()
    parts.add(Event(EventType.PARTIAL, b"1"), 1)
    assert scalar(asked, last_event(Outcome(Encoded(b'"x"')), 2, 3), parts) is None
