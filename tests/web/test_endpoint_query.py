"""A call in the query of a GET: what an EventSource, a link or an address bar can start."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from web_direct import EVENTS, Direct
from web_wire import decoded, headers, refused, stream

from mcp_app import tool
from mcp_app.protocol.errors import ToolDefinitionError
from mcp_app.protocol.plain import RESERVED


async def test_a_call_in_a_query_streams_with_a_reconnection_time(direct: Direct) -> None:
    wire = await stream(await direct.get(f"{EVENTS}?tool=echo&text=hi%20there%26"))
    assert wire.kinds == ["started", "complete"]
    assert wire.last["data"] == "hi there&"
    assert wire.raw.count(b"retry: 1000\n") == 1
    assert wire.raw.index(b"retry:") < wire.raw.index(b"data:"), "it stands in an event that has data"


async def test_as_json_too(direct: Direct) -> None:
    assert decoded(await direct.get(f"{EVENTS}?tool=echo", accept="application/json"))["data"] == "hello"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("number=7&ratio=0.25&flag=true&text=a", {"number": 7, "ratio": 0.25, "flag": True, "text": "a"}),
        ("names=a&names=b", {"names": ["a", "b"]}),
        ("names=only", {"names": ["only"]}),
        ("numbers=1&numbers=2", {"numbers": [1, 2]}),
        ("colour=blue", {"colour": "blue"}),
        ("text=", {"text": ""}),
        ("params=" + quote('{"point": {"x": 1}, "table": {"a": 2}}'), {"point": {"x": 1, "y": 0}, "table": {"a": 2}}),
        ("params=" + quote('{"number": 3}') + "&text=b", {"number": 3, "text": "b"}),
        ("text=%C3%A4%E2%82%AC+%F0%9F%98%80", {"text": "ä€ 😀"}),
    ],
)
async def test_a_query_is_coerced_by_the_schema(direct: Direct, query: str, expected: dict[str, Any]) -> None:
    wire = await stream(await direct.get(f"{EVENTS}?tool=typed&{query}"))
    assert wire.kinds[-1] == "complete", wire.last
    assert expected.items() <= wire.last["data"].items()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("number=x", "params.number"),
        ("number=", "params.number"),
        ("number=101", "params.number"),
        ("number=1&number=2", "params.number"),
        ("colour=green", "params.colour"),
        ("flag=maybe", "params.flag"),
        ("numbers=1&numbers=b", "params.numbers.1"),
        ("numbers=1&numbers=1&numbers=1&numbers=1&numbers=1&numbers=1", "params.numbers"),
        ("ratio=nothing", "params.ratio"),
        ("unknown=1", "params.unknown"),
        ("text=" + "x" * 51, "params.text"),
        ("params=" + quote('{"point": {"y": 1}}'), "params.point.x"),
    ],
)
async def test_what_does_not_validate_names_its_field(direct: Direct, query: str, field: str) -> None:
    error = refused(await direct.get(f"{EVENTS}?tool=typed&{query}"), 422, "invalid_params")
    assert error["details"][0]["field"] == field
    assert error["details"][0]["problem"]
    assert direct.play.calls == 0


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "tool"),
        ("x=1", "tool"),
        ("tool=echo&tool=echo", "tool"),
        (f"tool=echo&run={'k' * 15}", "run"),
        (f"tool=echo&run={'k' * 129}", "run"),
        ("tool=echo&run=kkkkkkkkkkkkkkk%2F", "run"),
        ("tool=echo&run=" + quote("ключключключключ"), "run"),
        ("tool=echo&run=kkkkkkkkkkkkkkkk%0A", "run"),
        ("tool=echo&heartbeat=loud", "heartbeat"),
        ("tool=echo&heartbeat_seconds=0", "heartbeat_seconds"),
        ("tool=echo&heartbeat_seconds=nan", "heartbeat_seconds"),
        ("tool=echo&cap_seconds=-1", "cap_seconds"),
        ("tool=echo&cap_seconds=inf", "cap_seconds"),
        ("tool=echo&cap_seconds=%D9%A1", "cap_seconds"),
        ("tool=echo&cap_seconds=soon", "cap_seconds"),
        ("tool=echo&params=[1]", "params"),
        ("tool=echo&text=a&params=" + quote('{"text": "b"}'), "text"),
        ("tool=%FF", "query"),
        ("tool=echo&" + "&".join(["a=1"] * 1001), "query"),
    ],
)
async def test_a_query_that_cannot_be_read_names_what_is_wrong(direct: Direct, query: str, named: str) -> None:
    error = refused(await direct.get(f"{EVENTS}?{query}"), 400, "invalid_request")
    assert named in error["message"]
    assert direct.play.calls == 0


async def test_bytes_beyond_ascii_in_a_query_are_refused(direct: Direct) -> None:
    refused(await direct.get(f"{EVENTS}?tool=echo&text=\xe4"), 400, "invalid_request")


async def test_only_a_read_only_tool_starts_by_get(direct: Direct) -> None:
    answer = await direct.get(f"{EVENTS}?tool=write&text=a")
    error = refused(answer, 405, "not_read_only")
    assert headers(answer.headers)["allow"] == "POST"
    assert "runs" in error["hint"]
    assert direct.play.calls == 0


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_names_with_a_meaning_in_a_query_are_refused_as_parameters_of_read_only_tools(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"async def reader({name}: str = '') -> None: pass", scope)
    with pytest.raises(ToolDefinitionError, match=name):
        tool(read_only=True)(scope["reader"])
    tool(scope["reader"])
