"""Lines of a CSV that DuckDB cannot read, or would need minutes for: found before it begins. Bytes in, numbers out.

What is done about them is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

Read = Callable[[int, int], bytes]
"""So many bytes from an offset on; fewer at the end of the file."""

_CHUNK_BYTES = 8 * 1024 * 1024

_LONG_BYTES = 4096
"""Shorter lines cost little, whatever is in them, and are not looked at."""

DEAR = 1_000_000_000
"""Of `Surplus.work`: some five seconds. DuckDB names each surplus cell, and copies its line for that."""


class Surplus(NamedTuple):
    """What lines with too many cells come to. `work` are their bytes, times the cells that each has too many; `line`
    and `columns` are of the line with the most."""

    work: int = 0
    line: int = 0
    columns: int = 0

    @property
    def is_dear(self) -> bool:
        """Whether DuckDB would take too long to say which lines it leaves out."""
        return self.work > DEAR


def first_beyond(read: Read, most_bytes: int, most_lines: int) -> int | None:
    """The number of the first line that has more bytes, of the first `most_lines`."""
    for number, line in _longer(read, most_bytes, most_lines):
        if any(len(each) > most_bytes for each in line.split(b"\r")):  # some end their lines by that alone
            return number
    return None


def surplus(read: Read, delimiter: str, columns: int, most_lines: int) -> Surplus:
    """Of the first lines. Quotes are not looked at: a text with many delimiters in it counts as that many cells."""
    found = Surplus()
    for number, line in _longer(read, _LONG_BYTES, most_lines):
        for each in line.split(b"\r"):
            cells = each.count(delimiter.encode()) + 1
            if cells <= columns:
                continue
            most = (number, cells) if cells > found.columns else found[1:]
            found = Surplus(found.work + (cells - columns) * len(each), *most)
        if found.is_dear:
            break
    return found


def _longer(read: Read, least: int, most_lines: int) -> Iterator[tuple[int, bytes]]:
    """Number and text of each line of more than so many bytes. The last is one that is longer than a chunk: it is cut.

    From each line it leaps to the last one that begins within so many bytes: short lines cost nothing.
    """
    offset, number, rest = 0, 1, b""
    while number <= most_lines and (chunk := read(offset, _CHUNK_BYTES)):
        offset += len(chunk)
        data, start, counted = rest + chunk, 0, 0
        while len(data) - start > least:
            end = data.rfind(b"\n", start, start + least + 1)
            if end < 0:
                end = data.find(b"\n", start + least + 1)
                if end < 0 and len(data) - start < _CHUNK_BYTES:
                    break
                number, counted = number + data.count(b"\n", counted, start), start
                if number > most_lines:
                    return
                yield number, data[start : end if end >= 0 else None]
                if end < 0:
                    return
            start = end + 1
        number += data.count(b"\n", counted, start)
        rest = data[start:]
    if len(rest) > least and number <= most_lines:
        yield number, rest
