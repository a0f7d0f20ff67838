"""Packets on a wire: whole in whatever pieces they come, and bounded before they are there."""

from __future__ import annotations

import contextlib
import itertools
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.protocol import packets
from mcp_app.protocol.event import decode, encode
from mcp_app.protocol.packets import MAX_BODY_BYTES, MAX_HEADER_BYTES, Packet, PacketError, Unpacker, packed

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FIELDS = st.dictionaries(TEXTS.filter(lambda name: name != "is"), st.integers() | TEXTS | st.booleans() | st.none())
PACKETS = st.builds(Packet, TEXTS, FIELDS, st.binary(max_size=300))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(st.lists(PACKETS, max_size=5), st.lists(st.integers(0, 5000), max_size=12))
def test_packets_are_whole_in_whatever_pieces_they_come(sent: list[Packet], cuts: list[int]) -> None:
    unpacker = Unpacker()
    got = [packet for piece in pieces(b"".join(map(packed, sent)), cuts) for packet in unpacker.feed(piece)]
    assert got == sent
    assert unpacker.empty


@given(PACKETS, PACKETS, st.integers(1, 5000))
def test_a_packet_that_is_cut_is_never_given(first: Packet, cut: Packet, less: int) -> None:
    unpacker, data = Unpacker(), packed(cut)
    assert unpacker.feed(packed(first) + data[: max(0, len(data) - less)]) == [first]
    assert unpacker.empty is (less >= len(data))


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_any_bytes_are_packets_or_an_error(data: bytes, cuts: list[int]) -> None:
    unpacker = Unpacker()
    with contextlib.suppress(PacketError):
        for piece in pieces(data, cuts):
            for packet in unpacker.feed(piece):
                assert isinstance(packet.kind, str)


@pytest.mark.parametrize(
    ("header", "body", "wrong"),
    [
        (b"{}", b"", "does not say what"),
        (b"[]", b"", "does not say what"),
        (b'{"is":5}', b"", "does not say what"),
        (b"{", b"", "not JSON"),
        (b"", b"", "not JSON"),
        (b"\xff", b"x", "not JSON"),
    ],
)
def test_a_header_that_is_none(header: bytes, body: bytes, wrong: str) -> None:
    with pytest.raises(PacketError, match=wrong):
        Unpacker().feed(struct.pack("!II", len(header), len(body)) + header + body)


@pytest.mark.parametrize(
    ("header", "body", "wrong"),
    [
        (MAX_HEADER_BYTES + 1, 0, "a header of 4097"),
        (0, MAX_BODY_BYTES + 1, "a body of"),
        (2**32 - 1, 2**32 - 1, "a h"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_there(header: int, body: int, wrong: str) -> None:
    with pytest.raises(PacketError, match=wrong):
        Unpacker().feed(struct.pack("!II", header, body))


def test_what_its_reader_would_refuse_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packets, "MAX_BODY_BYTES", 10)
    assert Unpacker().feed(packed(Packet("x", {}, b"0123456789"))) == [Packet("x", {}, b"0123456789")]
    with pytest.raises(PacketError, match="a body of 11 bytes"):
        packed(Packet("x", {}, b"0123456789."))
    with pytest.raises(PacketError, match="a header"):
        packed(Packet("x", {"long": "y" * MAX_HEADER_BYTES}))


def test_a_large_packet_in_small_pieces_takes_linear_time() -> None:
    """By counting: a decoder that looks at all it has for each piece would look at 2,000 MB here."""
    looked = []

    class Counting(Unpacker):
        def _end(self, at: int) -> int:
            looked.append(at)
            return super()._end(at)

    data = packed(Packet("x", {}, bytes(4_000_000)))
    unpacker = Counting()
    got = [packet for start in range(0, len(data), 4000) for packet in unpacker.feed(data[start : start + 4000])]
    assert [len(packet.body) for packet in got] == [4_000_000]
    assert len(looked) < 10


@pytest.mark.parametrize("value", [None, -1, 1.5, "1", True, [1]])
def test_a_count_is_an_integer(value: Any) -> None:
    with pytest.raises(PacketError, match="no count"):
        Packet("x", {"n": value}).number("n")
    assert Packet("x", {"n": 0}).number("n") == 0


def test_a_body_that_is_a_value() -> None:
    assert Packet("x", {}, encode({"a": [1]})).value() == decode(b'{"a":[1]}')
    with pytest.raises(PacketError, match="not JSON"):
        Packet("x", {}, b"{").value()
