"""Which lines of a CSV are too long, or have far too many cells: of bytes alone, in chunks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app.builtin.analyze_dataset import long_lines
from mcp_app.builtin.analyze_dataset.long_lines import first_beyond, surplus


def reading(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


@given(
    lengths=st.lists(st.integers(0, 40), max_size=30),
    ends=st.booleans(),
    most=st.integers(1, 20),
    chunk=st.integers(45, 64),
    most_lines=st.integers(1, 40),
)
def test_it_is_the_first_line_with_more_bytes(
    lengths: list[int], ends: bool, most: int, chunk: int, most_lines: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_lines, "_CHUNK_BYTES", chunk)
        data = b"\n".join(b"x" * each for each in lengths) + b"\n" * ends
        wanted = next((at for at, each in enumerate(lengths, 1) if each > most and at <= most_lines), None)
        assert first_beyond(reading(data), most, most_lines) == wanted


def test_cells_beyond_the_columns_are_counted_in_long_lines() -> None:
    short, long = b"1," * 100 + b"\n", b"1," * 5000 + b"\n"
    assert surplus(reading(short * 1000), ",", 2, 10_000) == (0, 0, 0)
    found = surplus(reading(short * 10 + long + short), ",", 2, 10_000)
    assert found == (4999 * 10_000, 11, 5001)
    assert not found.is_dear
    assert surplus(reading(long * 30), ",", 2, 10_000).is_dear
    assert not surplus(reading(long * 30), ",", 5001, 10_000).work
    assert not surplus(reading(long * 30), ";", 2, 10_000).work
    assert not surplus(reading(long.replace(b",", b"\r") * 30), "1", 2, 10_000).work
