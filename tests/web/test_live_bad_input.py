"""Bad input on one real HTTP/2 connection: each is refused, and a stream that is open beside it does not notice."""

from __future__ import annotations

import json
import string
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_server import LiveServer
from web_bad_input import CRAFTED, bodies, header_fields
from web_clients import H2, H2Reply, connected
from web_direct import EVENTS, RUNS
from web_play import Play

JSON = {"content-type": "application/json", "accept": "application/json"}

# One connection for all examples: what one leaves behind must not harm the next.
on_one_connection = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Beside:
    """A connection with a stream open on it, whose tool goes on when a test says so."""

    def __init__(self, connection: H2, walk: H2Reply, play: Play) -> None:
        self.connection = connection
        self._walk = walk
        self._play = play

    async def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> H2Reply:
        reply = await self.connection.send(method, path, body, **headers)
        await reply.rest()
        assert reply.status < 500, reply.body
        if reply.status >= 400 and method != "HEAD":
            assert json.loads(reply.body)["error"]["message"]
        return reply

    async def lives(self) -> None:
        """One step of the tool arrives as the next event of the open stream."""
        seen = len(self._walk.wire.events)
        self._play.step()
        wire = await self._walk.until(seen + 1)
        assert wire.last["metadata"]["progress"] == seen
        assert not self._walk.clean


@pytest.fixture
async def other(server: LiveServer, play: Play) -> AsyncIterator[Beside]:
    async with connected(server, "h2") as connection:
        assert isinstance(connection, H2)
        call = b'{"tool":"walk","params":{"count":100000}}'
        walk = await connection.send("POST", EVENTS, call, content_type="application/json")
        assert isinstance(walk, H2Reply)
        await walk.until(1)
        yield Beside(connection, walk, play)


@on_one_connection
@given(body=bodies)
async def test_any_body_leaves_the_other_stream_alone(other: Beside, body: bytes) -> None:
    await other.ask("POST", EVENTS, body, JSON)
    await other.lives()


async def test_each_crafted_body_leaves_the_other_stream_alone(other: Beside) -> None:
    for body in CRAFTED:
        reply = await other.ask("POST", EVENTS, body, JSON)
        assert 400 <= reply.status < 500, body[:60]
        await other.lives()


@on_one_connection
@given(fields=header_fields, target=st.sampled_from([f"{EVENTS}?tool=echo", RUNS, "/", "/mcp.json", "/nothing"]))
async def test_any_header_leaves_the_other_stream_alone(other: Beside, fields: dict[str, str], target: str) -> None:
    # A space around a value is malformed (RFC 9113, 8.2.1; see below), and a list of fields has its bound.
    sent = {name: value.strip()[:10_000] for name, value in fields.items()}
    for method in ("GET", "POST"):
        await other.ask(method, target, b'{"tool":"echo"}' if method == "POST" else None, sent)
    await other.lives()


TCHAR = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"


@on_one_connection
@given(
    method=st.text(TCHAR, min_size=1, max_size=20),
    # A target has no fragment (RFC 9112, 3.2): see MALFORMED below.
    path=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=60).map(
        lambda rest: f"/{rest}"
    ),
)
async def test_any_method_and_target_leaves_the_other_stream_alone(other: Beside, method: str, path: str) -> None:
    if method.upper() != "CONNECT":
        await other.ask(method, path, None, {})
    await other.lives()


@pytest.mark.parametrize("path", ["//", "/%", "/%00", "/%ff%fe", "/?", "/http://["])
async def test_odd_targets_leave_the_other_stream_alone(other: Beside, path: str) -> None:
    reply = await other.ask("GET", path, None, {})
    assert reply.status in {200, 404}
    await other.lives()


MALFORMED: dict[str, tuple[str, str, dict[str, str]]] = {
    "NUL in Last-Event-ID": ("GET", f"{EVENTS}?tool=echo", {"last-event-id": "a\0b"}),
    "line feed in Last-Event-ID": ("GET", f"{EVENTS}?tool=echo", {"last-event-id": "a\nb"}),
    "another field behind Origin": ("GET", EVENTS, {"origin": "https://a\r\nauthorization: x"}),
    "space around Accept": ("GET", EVENTS, {"accept": " */* "}),
    "transfer-encoding": ("POST", EVENTS, {"transfer-encoding": "chunked"}),
    "content-length": ("POST", EVENTS, {"content-length": "many"}),
    "method": ("G(T", EVENTS, {}),
    **{f"path {path}": ("GET", path, {}) for path in ("*", "?x", "x", "/#x", "http://localhost/healthz", "http://[")},
}
"""What HTTP/2 calls malformed (RFC 9113, 8.1.1): answered by the server, without a word of the application's."""


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_request_is_answered_400_and_leaves_the_other_stream_alone(other: Beside, name: str) -> None:
    method, path, headers = MALFORMED[name]
    reply = await other.connection.send(method, path, None, **headers)
    await reply.rest()
    assert (reply.status, reply.body) == (400, b"")
    await other.lives()
