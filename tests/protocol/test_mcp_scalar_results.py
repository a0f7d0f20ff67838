"""A scalar result is put between bytes as it is: the same bytes as by the way of all others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.authoring.kind import Encoded
from mcp_app.dialects.mcp.stateless.requests import WIRE
from mcp_app.protocol.event import encode
from mcp_app.protocol.mcp.exchange import Exchange
from mcp_app.protocol.mcp.revisions import SESSION_REVISIONS, negotiated
from mcp_app.runs.execution import Outcome
from mcp_app.runs.last_event import last_event

WIRES = {"2026-07-28": WIRE, **{version: negotiated(version).wire for version in SESSION_REVISIONS}}
META = {"io.modelcontextprotocol/serverInfo": {"name": "é/x", "version": "1"}}

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@pytest.mark.parametrize("version", WIRES)
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("meta", [{}, META])
@given(value=SCALARS)
def test_it_is_what_the_general_way_makes(version: str, declared: bool, meta: dict[str, Any], value: Any) -> None:
    exchange = Exchange(1, WIRES[version], "x/", has_output_schema=declared, meta=meta)
    event = last_event(Outcome(Encoded(encode(value))), 2, 3)
    assert exchange._scalar(event) == encode(exchange._result(event))


@pytest.mark.parametrize("value", [{}, [], {"a": 1}, [{"type": "text", "text": "x"}]])
def test_what_has_parts_goes_the_general_way(value: Any) -> None:
    event = last_event(Outcome(Encoded(encode(value))), 2, 3)
    assert Exchange(1, WIRE, "x/")._scalar(event) is None


def test_what_streamed_parts_goes_the_general_way() -> None:
    whole = Exchange(1, WIRE, "x/")
    assert whole._scalar(last_event(Outcome(Encoded(b"null"), items=0), 2, 3)) is None
    assert replace(whole, raw={})._scalar(last_event(Outcome(Encoded(b'"x"')), 2, 3)) is None
