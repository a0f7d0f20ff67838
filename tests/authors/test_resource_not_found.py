"""A resource whose function says that there is nothing: each revision's own code, with the URI."""

from __future__ import annotations

import json

import pytest

from mcp_app import UnknownResource
from mcp_app.dialects.mcp.stateless import requests as modern
from mcp_app.protocol.event import Event, EventType, encode
from mcp_app.protocol.mcp.exchange import Exchange, Wire
from mcp_app.protocol.mcp.revisions import negotiated


@pytest.mark.parametrize(
    ("wire", "code"), [(modern.WIRE, -32602), (negotiated("2025-11-25").wire, -32002)], ids=["2026-07-28", "2025-11-25"]
)
def test_the_code_and_the_uri(wire: Wire, code: int) -> None:
    event = Event(EventType.ERROR, encode(UnknownResource("test://7").object()))
    error = json.loads(Exchange(3, wire, "x/", raw={}).response(event))["error"]
    assert (error["code"], error["data"]["uri"]) == (code, "test://7")


def test_raised_by_a_tool_it_is_for_the_model() -> None:
    event = Event(EventType.ERROR, encode(UnknownResource("test://7").object()))
    answer = json.loads(Exchange(3, modern.WIRE, "x/").response(event))
    assert answer["result"]["isError"] is True
    assert "test://7" in answer["result"]["content"][0]["text"]
