"""What the first bytes of a file say: its format and encoding, or why it cannot be read. Bytes in, a verdict out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset.data_file import SUFFIXES
from mcp_app.builtin.analyze_dataset.quoting import shown

HEAD_BYTES = 2 * 1024 * 1024
"""Read to judge a file; also the longest line of a CSV."""

MAX_COLUMNS = 2_000
"""Of a file. One row of a million columns would take all memory before a second was read."""

Format = Literal["csv", "tsv", "jsonl", "parquet"]
Encoding = Literal["utf-8", "utf-16", "latin-1"]

_COMPRESSED = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "ZIP"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ", "xz"),
)
_OTHER = ((b"SQLite format 3\0", "an SQLite database"), (b"%PDF", "a PDF"), (b"\xd0\xcf\x11\xe0", "an old Excel file"))
_UNREAD_MARKS = ((b"\xff\xfe\0\0", "UTF-32"), (b"\xfe\xff", "big-endian UTF-16"))
"""DuckDB would read them as little-endian UTF-16: other characters, without an error."""

_DELIMITERS = (b",", b";", b"\t", b"|")

_MANY_NULS = 0.01
"""The share of NUL bytes from which on a file is no text. A few of them are a defect of the text."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`remark` is what a reader has to know of how it is read."""

    format: Format
    encoding: Encoding = "utf-8"
    remark: str | None = None


def judge(name: str, head: bytes, size: int) -> Verdict:
    """Raises ToolError, which says why, for what is none of the four formats."""
    if not head:
        raise ToolError(f"{shown(name)!r} is empty.")
    _refuse_other(name, head)
    format_ = _format(name, head)
    if format_ == "parquet":
        return Verdict(format_)
    encoding, remark = _encoding(name, head, size)
    if format_ == "jsonl":
        if encoding == "utf-16":
            raise ToolError(f"{shown(name)!r} is UTF-16; JSON Lines is UTF-8 (jsonlines.org).")
        if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"[":
            raise ToolError(
                f"{shown(name)!r} begins with an array; JSON Lines has one object a line.",
                hint="jq -c '.[]' makes one of the other.",
            )
        return Verdict(format_)
    _check_first_line(name, head, size, encoding)
    return Verdict(format_, encoding, remark)


def _refuse_other(name: str, head: bytes) -> None:
    for magic, what in _COMPRESSED:
        if head.startswith(magic):
            raise ToolError(f"{shown(name)!r} is compressed ({what}): unpack it first.")
    for magic, what in _OTHER:
        if head.startswith(magic):
            raise ToolError(f"{shown(name)!r} is {what}; what can be read is CSV, TSV, JSON Lines and Parquet.")


def _format(name: str, head: bytes) -> Format:
    by_name = SUFFIXES.get(PurePosixPath(name).suffix.lower())
    is_parquet = head.startswith(b"PAR1")
    if by_name == "parquet" or is_parquet:
        if not is_parquet:
            raise ToolError(f"{shown(name)!r} is no Parquet file: it does not begin with PAR1.")
        return "parquet"
    match by_name:
        case "csv" | "tsv" | "jsonl":
            return by_name
        case _:
            raise ToolError(
                f"{shown(name)!r} has a name of no format that can be read.",
                hint="CSV (.csv), TSV (.tsv), JSON Lines (.jsonl, .ndjson) and Parquet (.parquet) can be.",
            )


def _encoding(name: str, head: bytes, size: int) -> tuple[Encoding, str | None]:
    for mark, what in _UNREAD_MARKS:
        if head.startswith(mark):
            raise ToolError(
                f"{shown(name)!r} is {what}, as its byte order mark says; only little-endian UTF-16 can be read.",
                hint="iconv makes UTF-8 of it.",
            )
    if head.startswith(b"\xff\xfe"):
        return "utf-16", "It is read as UTF-16, as its byte order mark says."
    if head.count(0) > len(head) * _MANY_NULS:
        raise ToolError(f"{shown(name)!r} is no text: it is full of NUL bytes. UTF-16 needs a byte order mark.")
    if len(head) < size:
        head = head[: head.rfind(b"\n") + 1] or head[:-4]  # a character may be cut at the end
    lines = [line for line in head.split(b"\n") if not line.isascii()]
    valid = sum(_is_utf8(line) for line in lines)
    if valid * 2 >= len(lines):
        return "utf-8", None  # lines that are not are left out, and counted
    return (
        "latin-1",
        "It is no UTF-8 and is read as Latin-1, so that letters beyond ASCII may be others than were meant.",
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_first_line(name: str, head: bytes, size: int, encoding: Encoding) -> None:
    line = head.splitlines()[0]  # old files end their lines by CR alone
    if len(line) == len(head) < size:
        raise ToolError(
            f"{shown(name)!r} is no table: its first line has more than {HEAD_BYTES:,} bytes"
            f"{_about_columns(line, size)}."
        )
    columns = _columns(line)
    if columns > MAX_COLUMNS:
        raise ToolError(f"{shown(name)!r} has {columns:,} columns; a CSV with at most {MAX_COLUMNS:,} can be analysed.")


def _columns(line: bytes) -> int:
    return max(line.count(each) for each in _DELIMITERS) + 1


def _about_columns(line: bytes, size: int) -> str:
    columns = _columns(line)
    return f", and more than {columns:,} columns" if columns > MAX_COLUMNS else ""
