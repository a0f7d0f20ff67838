"""A request in its run's record: whatever of it decides on messages comes back in another process."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mcp_app.dialects.mcp.request_record import REQUEST_FORMAT, read_request, write_request
from mcp_app.protocol.errors import LogUnavailable
from mcp_app.protocol.event import LEVELS, decode, encode
from mcp_app.protocol.mcp.jsonrpc import MAX_ID_INT
from mcp_app.protocol.mcp.request_info import RequestInfo
from mcp_app.protocol.mcp.revisions import SESSION_REVISIONS, STATELESS_WIRE, Structure

IDS = some.text(max_size=30) | some.integers(-MAX_ID_INT, MAX_ID_INT)
META = {"server": "x"}

shown = {
    "progress_token": some.none() | IDS,
    "level": some.none() | some.sampled_from(LEVELS),
    "counted": some.booleans(),
    "structure": some.sampled_from(Structure),
    "raw": some.none() | some.just({}) | some.just({"ttlMs": 5, "cacheScope": "private"}),
    "seal": some.none(),
    "open_asks": some.none(),  # of the process that works on it
}
stateless = some.builds(
    RequestInfo,
    IDS,
    some.just(STATELESS_WIRE),
    some.just("x/"),
    meta=some.just(META),
    session=some.none(),
    **shown,
)
with_session = some.builds(
    RequestInfo,
    IDS,
    some.sampled_from([each.wire for each in SESSION_REVISIONS.values()]),
    some.just("x/"),
    meta=some.just({}),
    session=some.just("0" * 32),
    **shown,
)


@given(stateless | with_session)
def test_whatever_decides_on_messages_comes_back(info: RequestInfo) -> None:
    found, known = read_request(write_request(info, {"asks": {}}), "x/", META)
    assert found == info
    assert known["asks"] == {}


@pytest.mark.parametrize("written", [{"format": REQUEST_FORMAT + 1}])
def test_what_a_newer_release_wrote_is_not_guessed_at(written: Any) -> None:
    info = RequestInfo(1, STATELESS_WIRE, "x/")
    with pytest.raises(LogUnavailable, match="newer release"):
        read_request(encode({**decode(write_request(info)), **written}), "x/", {})
