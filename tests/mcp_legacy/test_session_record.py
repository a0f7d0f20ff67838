"""What a session's client has said, as JSON: whatever a client can say comes back, and what a newer release wrote is
not guessed at."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mcp_app.dialects.mcp.sessions.session_record import SESSION_FORMAT, SessionRecord
from mcp_app.protocol.access import Access
from mcp_app.protocol.errors import LogUnavailable
from mcp_app.protocol.event import LEVELS, decode, encode
from mcp_app.protocol.mcp.revisions import SESSION_REVISIONS
from mcp_app.protocol.policy import MCP_2024_11_05

CAPABILITIES = {"elicitation": {"form": {}, "url": {}}, "sampling": {"tools": {}}, "roots": {}, "unknown": {"x": 1}}
URIS = some.text(max_size=20)

changes = some.one_of(
    some.tuples(some.just("initialize"), some.sampled_from([*SESSION_REVISIONS, "none"]), some.just(CAPABILITIES)),
    some.tuples(some.just("begin")),
    some.tuples(some.just("set_level"), some.sampled_from(LEVELS)),
    some.tuples(some.just("subscribe"), URIS, URIS),
    some.tuples(some.just("unsubscribe"), URIS, URIS),
)
accesses = some.builds(
    Access, some.text(max_size=30), some.none() | some.frozensets(some.text(max_size=10), max_size=3), some.booleans()
)


@given(accesses, some.sampled_from([None, MCP_2024_11_05]), some.lists(changes, max_size=12))
def test_whatever_a_client_says_comes_back(access: Access, policy: Any, said: list[tuple[Any, ...]]) -> None:
    record = SessionRecord(access, policy)
    for name, *arguments in said:
        getattr(record, name)(*arguments)
    assert SessionRecord.decoded(record.encoded()) == record


def test_credentials_are_not_written() -> None:
    access = Access("somebody", claims={"secret": "s3cret"}, credential="s3cret", expires=5.0, run_key="s3cret")
    written = SessionRecord(access).encoded()
    assert b"s3cret" not in written
    assert SessionRecord.decoded(written).access == Access("somebody")


def test_what_a_newer_release_wrote_is_not_guessed_at() -> None:
    written = decode(SessionRecord(Access("somebody")).encoded())
    with pytest.raises(LogUnavailable, match="newer release"):
        SessionRecord.decoded(encode({**written, "format": SESSION_FORMAT + 1}))
