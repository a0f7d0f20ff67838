"""Libraries that read event streams and repeat a POST by themselves: each stops, and the tool runs once.

A driver ends when its library has stopped; one that comes back for ever is a test that has run out of time.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from live_server import LiveServer
from test_clients_real import BOUND, Client, built, drivers, server

__all__ = ["built", "drivers", "server"]  # the fixtures of the other clients

EVENTS = "/api/v1/mcp/sse"
WHOLE = ["started", "progress", "progress", "progress", "complete"]

FETCH_EVENT_SOURCE = Client("npm", "read_streams.mjs", "", mode="fetch-event-source")
READERS = (
    FETCH_EVENT_SOURCE,
    Client("npm", "read_streams.mjs", "", mode="eventsource-client"),
    Client("requests-sse", "read_requests_sse.py", ""),
)

readers = pytest.mark.parametrize("client", READERS, ids=lambda each: each.mode or each.environment)
pytestmark = pytest.mark.time_bound(3 * BOUND)


def started(server: LiveServer) -> int:
    [runs] = re.findall(r"^mcp_app_runs_started_total (\d+)", httpx.get(f"{server.url}/metrics").text, re.MULTILINE)
    return int(runs)


def read(client: Client, server: LiveServer, *how: str) -> tuple[dict[str, Any], int]:
    """What the driver printed, and how many runs it began."""
    before = started(server)
    given = replace(client, steps=how).drive(f"{server.url}{EVENTS}")
    return given, started(server) - before


@readers
def test_a_call_is_one_run_and_its_first_message_is_started(client: Client, server: LiveServer) -> None:
    given, runs = read(client, server, "read")
    assert (given["messages"], runs) == (WHOLE, 1)
    if client is not FETCH_EVENT_SOURCE:  # the others come back after the end, and are sent 204
        assert given["requests"] == 2


@readers
@pytest.mark.parametrize(("last", "code"), [(f"{'0' * 32}/3", "unknown_run"), ("nonsense", "invalid_request")])
def test_who_comes_back_to_nothing_is_told_once(client: Client, server: LiveServer, last: str, code: str) -> None:
    given, runs = read(client, server, "read", last)
    assert (given["messages"], runs) == ([code], 0)
    assert given["requests"] <= 2


@pytest.mark.parametrize("client", [FETCH_EVENT_SOURCE], ids=["fetch-event-source"])
def test_a_page_whose_handler_fails_in_the_middle_does_not_call_again(client: Client, server: LiveServer) -> None:
    given, runs = read(client, server, "throw")
    assert given["messages"][:2] == WHOLE[:2]
    assert given["messages"][-1] in {"complete", "unknown_run"}, "whether its leaving was noticed before it came back"
    assert runs == 1
