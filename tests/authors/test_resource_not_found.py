"""A resource whose function says that there is nothing: each revision's own code, with the URI."""

from __future__ import annotations

import json

import pytest

from mcp_app import UnknownResource
from mcp_app.protocol.event import Event, EventType, encode
from mcp_app.protocol.mcp.request_info import RequestInfo
from mcp_app.protocol.mcp.revisions import STATELESS_WIRE, Wire, negotiated
from mcp_app.protocol.mcp.transcript import Transcript

ERROR = UnknownResource("test://7")
EVENT = Event(EventType.ERROR, encode(ERROR.object()), error_kind=ERROR.error_kind)


@pytest.mark.parametrize(
    ("wire", "code"),
    [(STATELESS_WIRE, -32602), (negotiated("2025-11-25").wire, -32002)],
    ids=["2026-07-28", "2025-11-25"],
)
def test_the_code_and_the_uri(wire: Wire, code: int) -> None:
    error = json.loads(Transcript(RequestInfo(3, wire, "x/", raw={})).response(EVENT))["error"]
    assert (error["code"], error["data"]["uri"]) == (code, "test://7")


def test_raised_by_a_tool_it_is_for_the_model() -> None:
    answer = json.loads(Transcript(RequestInfo(3, STATELESS_WIRE, "x/")).response(EVENT))
    assert answer["result"]["isError"] is True
    assert "test://7" in answer["result"]["content"][0]["text"]
