"""A field that its client keeps out of HPACK's table is read once, however often it comes, and always what was sent."""

from __future__ import annotations

import tracemalloc

import hpack.hpack
import pytest
from hpack import Decoder, Encoder, HeaderTuple, NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.server.engine.header_blocks import OpaqueDecoder, unwrap_fields

TOKENS = [f"Bearer {letter * 600}".encode() for letter in "abc"]

NAMES = st.sampled_from([b"authorization", b"cookie", b"x-secret", b"x-other", b":path"])
VALUES = st.one_of(st.sampled_from([*TOKENS, TOKENS[0][:-1], TOKENS[0] + b"a", b"short", b""]), st.binary(max_size=100))
FIELDS = st.lists(st.tuples(NAMES, VALUES, st.sampled_from([HeaderTuple, NeverIndexedHeaderTuple])), max_size=6)


@given(st.lists(st.tuples(FIELDS, st.booleans()), max_size=8))
def test_every_block_is_what_was_sent(blocks: list[tuple[list[tuple[bytes, bytes, type[HeaderTuple]]], bool]]) -> None:
    encoder, decoder = Encoder(), OpaqueDecoder(Decoder())
    for fields, huffman in blocks:
        encoded = encoder.encode([kind(name, value) for name, value, kind in fields], huffman=huffman)
        assert unwrap_fields(decoder.decode(encoded)) == [(name, value) for name, value, _ in fields]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of what was read out of Huffman's code."""
    lengths: list[int] = []
    real = hpack.hpack.decode_huffman
    monkeypatch.setattr(hpack.hpack, "decode_huffman", lambda data: lengths.append(len(data)) or real(data))
    return lengths


def test_a_token_that_comes_again_is_not_read_again(read: list[int]) -> None:
    encoder, decoder = Encoder(), OpaqueDecoder(Decoder())
    for token in (TOKENS[0], TOKENS[0], TOKENS[0], TOKENS[1]):
        block = encoder.encode([NeverIndexedHeaderTuple(b"authorization", token)])
        assert unwrap_fields(decoder.decode(block)) == [(b"authorization", token)]
    assert len(read) == 2


def test_a_long_path_beside_it_changes_nothing(read: list[int]) -> None:
    """Clients of nghttp2 and of Rust keep it out of the table, too."""
    decoder = OpaqueDecoder(Decoder())
    block = b"\x04\x7f\x01" + b"/" * 128 + Encoder().encode([NeverIndexedHeaderTuple(b"authorization", TOKENS[0])])
    for _ in range(3):
        assert unwrap_fields(decoder.decode(block)) == [(b":path", b"/" * 128), (b"authorization", TOKENS[0])]
    assert len(read) == 1


@pytest.mark.parametrize("name", [b"authorization", b"x-other"])
def test_a_connection_does_not_hold_what_is_far_longer_than_any_token(name: bytes) -> None:
    decoder = OpaqueDecoder(Decoder())
    block = Encoder().encode([NeverIndexedHeaderTuple(name, b"x" * 100_000)], huffman=False)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        decoder.decode(block)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held - before < 10_000


def test_a_name_in_the_table_that_has_moved_is_not_taken_for_the_one_before() -> None:
    """The same bytes name another field when something has been added to the dynamic table."""
    encoder, decoder = Encoder(), OpaqueDecoder(Decoder())
    decoder.decode(encoder.encode([HeaderTuple(b"authorization", b"1")]))
    # Literal without indexing, with the name of entry 62 (RFC 7541, 6.2.2): 15 and 47; then 100 plain bytes.
    literal = bytes([0x0F, 47, 100]) + b"v" * 100
    assert unwrap_fields(decoder.decode(literal)) == [(b"authorization", b"v" * 100)]
    decoder.decode(encoder.encode([HeaderTuple(b"x-second", b"2")]))
    assert unwrap_fields(decoder.decode(literal)) == [(b"x-second", b"v" * 100)]
