"""Bytes to lines, in bounded memory."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol.mcp.jsonrpc import read_id
from mcp_app.stdio.lines import LineSplitter, Skipped

LIMIT = 8192


def split(*pieces: bytes, limit: int = LIMIT) -> list[bytes | Skipped]:
    splitter = LineSplitter(limit)
    return [*(line for piece in pieces for line in splitter.feed(piece)), *splitter.end()]


def test_lines_come_without_their_line_feed_and_blank_ones_not_at_all() -> None:
    assert split(b'{"a":1}\n\n  \r\n{"b":2}\r\n') == [b'{"a":1}', b'{"b":2}\r']


def test_half_a_line_at_the_end_is_one() -> None:
    assert split(b'{"a":1}\n{"b"') == [b'{"a":1}', b'{"b"']


def test_only_a_line_feed_ends_a_line() -> None:
    text = '{"a":"\u2028\u2029\x85"}'.encode()
    assert split(text + b"\n") == [text]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_how_the_bytes_are_cut_changes_nothing(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    assert split(*pieces, limit=50) == split(data, limit=50)


@given(st.binary(max_size=200))
def test_each_line_is_given_out_or_skipped(data: bytes) -> None:
    lines = [line for line in data.split(b"\n") if len(line) > 50 or (line and not line.isspace())]
    found = split(data, limit=50)
    assert len(found) == len(lines)
    for line, given_out in zip(lines, found, strict=True):
        assert isinstance(given_out, Skipped) if len(line) > 50 else given_out == line


def test_a_line_of_exactly_the_limit_is_one() -> None:
    assert split(b"x" * LIMIT + b"\n") == [b"x" * LIMIT]
    assert split(b"x" * LIMIT + b"x\n") == [Skipped(None)]


def test_a_line_without_an_end_is_held_in_bounded_memory() -> None:
    splitter = LineSplitter(LIMIT)
    for _ in range(100):
        assert list(splitter.feed(b"x" * LIMIT)) == []
        held = sum(map(len, splitter._parts)) + len(splitter._head or b"") + len(splitter._tail)
        assert held <= LIMIT
    assert list(splitter.feed(b"\nnext\n")) == [Skipped(None), b"next"]


PAYLOAD = {"text": "x" * 2 * LIMIT}


@pytest.mark.parametrize("id_", [7, -1, "a", 'with "quotes" \\ and \u00e9', "x" * 256, "\u00e9" * 256])
@pytest.mark.parametrize("ascii_", [True, False])
@pytest.mark.parametrize("indent", [(",", ":"), (", ", ": ")])
def test_the_id_of_a_skipped_message_is_found_where_clients_write_it(id_: Any, ascii_: bool, indent: Any) -> None:
    for message in (
        {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": PAYLOAD},
        {"id": id_, "method": "tools/call", "params": PAYLOAD, "jsonrpc": "2.0"},
        {"method": "tools/call", "params": PAYLOAD, "jsonrpc": "2.0", "id": id_},
        {"method": "tools/call", "params": PAYLOAD, "id": id_, "jsonrpc": "2.0"},
    ):
        line = json.dumps(message, ensure_ascii=ascii_, separators=indent).encode()
        assert split(line + b"\r\n") == [Skipped(id_)], message


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": PAYLOAD},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {**PAYLOAD, "id": 7}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": PAYLOAD, "id": None},
        {"jsonrpc": "2.0", "method": "tools/call", "params": PAYLOAD, "id": 2**64},
        {"params": {**PAYLOAD, "text2": ',"id":7}'}, "jsonrpc": "2.0"},
        {"params": {"id": 7, **PAYLOAD}, "jsonrpc": "2.0"},
        {"params": {**PAYLOAD, "text2": '{"jsonrpc":"2.0","id":7,'}, "jsonrpc": "2.0"},
    ],
    ids=str,
)
def test_what_is_no_id_of_the_message_is_not_taken_for_one(message: Any) -> None:
    assert split(json.dumps(message).encode() + b"\n") == [Skipped(None)]


def test_two_ids_are_ambiguous() -> None:
    line = b'{"jsonrpc":"2.0","id":1,"params":"%b","id":2}\n' % (b"x" * 2 * LIMIT)
    assert split(line) == [Skipped(None)]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("id"), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["id", "jsonrpc", "method", "params", "result"]), _JSON), st.randoms())
def test_an_id_that_is_found_is_the_messages_own(message: dict[str, Any], chance: Any) -> None:
    """Whatever the message is, in any order of its members."""
    members = list(message.items())
    members.insert(chance.randrange(len(members) + 1), ("padding", "x" * 300))
    line = json.dumps(dict(members)).encode()
    [found] = split(line + b"\n", limit=100)
    assert isinstance(found, Skipped)
    assert found.id is None or found.id == read_id(message["id"])
