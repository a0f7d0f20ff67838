"""Files that are broken, hostile or none: each is a clear error, or a bounded result that says what was left out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from analysed import Heard, analysed, only, rows_of

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset import sources
from mcp_app.builtin.analyze_dataset.head import HEAD_BYTES
from mcp_app.builtin.analyze_dataset.shapes import DataFinding

GOOD = b"a,b,c\n" + b"".join(b"%d,x%d,%d\n" % (n, n, n * 2) for n in range(1000))


async def refused(root: Path, name: str, data: bytes | None = None) -> str:
    with pytest.raises(ToolError) as caught:
        await analysed(root, name, data)
    assert str(root) not in caught.value.message
    assert "/proc/" not in caught.value.message
    assert len(caught.value.message) < 700
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("x.csv", b"", "'x.csv' is empty."),
        ("x.csv", b"\0" * 5000, "is no text: it is full of NUL bytes"),
        ("x.csv", "a,b\n1,2\n".encode("utf-16-le") * 50, "is no text: it is full of NUL bytes"),
        ("x.csv", b"\xfe\xff" + "a,é\n1,2\n".encode("utf-16-be"), "is big-endian UTF-16, as its byte order mark says"),
        ("x.csv", "a,é\n1,2\n".encode("utf-32"), "is UTF-32, as its byte order mark says"),
        ("x.jsonl", b"\xfe\xff" + '{"a": 1}\n'.encode("utf-16-be"), "is big-endian UTF-16"),
        ("x.csv", b"\x1f\x8b\x08\0abc", "is compressed (gzip): unpack it first"),
        ("x.parquet", b"PK\x03\x04abc", "is compressed (ZIP): unpack it first"),
        ("x.csv", b"SQLite format 3\0abc", "is an SQLite database"),
        ("x.parquet", b"a,b\n1,2\n", "is no Parquet file: it does not begin with PAR1"),
        ("x.parquet", b"PAR1" + b"x" * 100, "cannot be read: "),
        ("x.jsonl", b'[{"a": 1}]', "begins with an array; JSON Lines has one object a line"),
        ("x.jsonl", b"not json\nnor this\n", "Not one of the first lines is a JSON object"),
        ("x.jsonl", b"{}\n{}\n", "have no keys"),
        ("x.jsonl", '{"a": 1}\n'.encode("utf-16"), "is UTF-16; JSON Lines is UTF-8"),
        ("x.txt", b"a,b\n1,2\n", "has a name of no format that can be read"),
        ("x.csv", b",".join(b"c%d" % n for n in range(100_000)) + b"\n", "has 100,000 columns"),
        ("x.csv", b"x" * (HEAD_BYTES + 1), "its first line has more than 2,097,152 bytes"),
    ],
)
async def test_what_is_no_table_is_refused_in_one_sentence(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    assert said in await refused(tmp_path, name, data)


async def test_a_line_that_is_too_long_is_named(tmp_path: Path) -> None:
    said = await refused(tmp_path, "x.csv", GOOD + b"x" * (HEAD_BYTES + 1) + b"\n")
    assert said == "'x.csv' is no table: its line 1,002 has more than 2,097,152 bytes."
    lines = b'{"a": 1}\n{"a": "' + b"x" * 40_000_000 + b'"}\n'
    assert await refused(tmp_path, "x.jsonl", lines) == "'x.jsonl' cannot be read: a line of it has too many bytes."


async def test_a_million_columns_in_one_line_of_many(tmp_path: Path) -> None:
    """DuckDB would need an hour to say of each cell that it is one too many."""
    line = b",".join([b"1"] * 1_000_000) + b"\n"
    outcome = await analysed(tmp_path, "x.csv", GOOD + line + b"1,2,3\n")
    assert outcome.rows == 1001
    [remark] = outcome.remarks
    assert remark == (
        "Lines that cannot be read are left out, and not counted: line 1,002 alone has 1,000,000 cells, where 3 columns"
        " are."
    )


async def test_a_million_columns(tmp_path: Path) -> None:
    line = ",".join(map(str, range(1_000_000))).encode() + b"\n"
    said = await refused(tmp_path, "x.csv", line * 2)
    assert "its first line has more than 2,097,152 bytes, and more than 3" in said
    assert said.endswith(" columns.")


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
async def test_one_line_of_100_mb(tmp_path: Path, name: str) -> None:
    begin, end = (GOOD + b"1,", b",3\n") if name == "x.csv" else (b'{"a": 1}\n{"a": "', b'"}\n')
    with (tmp_path / name).open("wb") as file:
        file.write(begin)
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(end)
    said = await refused(tmp_path, name)
    assert "its line 1,002 has more than 2,097,152 bytes" in said or "a line of it has too many bytes" in said


async def test_nuls_in_a_text_are_kept(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", GOOD + b"1000,\0x\0,3\n" * 3)
    assert outcome.rows == 1003
    assert rows_of(only(outcome, "duplicates"))[0][0] == 3


async def test_lines_of_another_encoding_are_left_out_and_counted(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", GOOD + b"1,caf\xe9,3\n2,caf\xc3\xa9,4\n")
    assert outcome.rows == 1001
    found = only(outcome, "unread")
    assert found.title.startswith("1 line could not be read and is left out, most of all for invalid encoding")
    assert rows_of(found)[0][1:3] == [1, 1002]


async def test_a_file_of_latin_1_is_read_as_that_and_says_so(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", "größe;n\nübel;1\ngroß;2\n".encode("latin-1"))
    assert [row[0] for row in rows_of(only(outcome, "schema"))] == ["größe", "n"]
    assert "is read as Latin-1" in outcome.remarks[0]


async def test_utf_16_with_its_mark_is_read(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", "größe;n\nübel;1\ngroß;2\n".encode("utf-16"))
    assert [row[0] for row in rows_of(only(outcome, "schema"))] == ["größe", "n"]


async def test_ragged_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", GOOD + b"1,2\n1,2,3,4\n7,8,9\n")
    assert outcome.rows == 1001
    found = only(outcome, "unread")
    assert found.title.startswith("2 lines could not be read")
    assert sorted(row[0] for row in rows_of(found)) == ["MISSING COLUMNS", "TOO MANY COLUMNS"]


@pytest.mark.parametrize(
    ("behind", "said"), [(0, "1 line could"), (50, "51 lines could"), (50_000, "At least 1,667 lines could")]
)
async def test_all_lines_behind_a_quote_that_is_not_closed_are_counted(tmp_path: Path, behind: int, said: str) -> None:
    outcome = await analysed(tmp_path, "x.csv", GOOD + b'"7,x,8\n' + b"1,x,2\n" * behind)
    assert outcome.rows == 1000
    found = only(outcome, "unread")
    assert found.title.startswith(said)
    assert [row[0] for row in rows_of(found)] == ["UNQUOTED VALUE"]


async def test_quotes_that_come_late_are_read(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", GOOD * 30 + b'5,"a, ""b""",6\n', findings=["schema", "unread"])
    assert outcome.rows == 30_030  # its heads in the middle are rows
    assert [each for each in outcome.findings if each.about == "unread" and each.column is None] == []


async def test_lines_that_are_no_json_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = b'{"a": 1}\n{"a": \n[1, 2]\n"x"\n\n{"a": 2}\n\xff\n'
    outcome = await analysed(tmp_path, "x.jsonl", lines)
    assert outcome.rows == 2
    assert only(outcome, "unread").title == "4 lines of the file are left out: 2 no JSON, 2 no object."


async def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", b"a,b,c\n")
    assert (outcome.rows, outcome.columns) == (0, 3)
    assert [each.about for each in outcome.findings] == ["schema"]


def written(path: Path, rows: int = 5000) -> bytes:
    with duckdb.connect() as writer:
        columns = "i AS a, 'x' || i AS b, i * 1.5 AS d, date '2024-01-01' AS e"
        writer.execute(f"COPY (SELECT {columns} FROM range({rows}) t(i)) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


def damaged(data: bytes) -> Iterator[bytes]:
    drawn = random.Random(3)
    for _ in range(12):
        yield data[: drawn.randrange(8, len(data))] + b"\0\3\0\0PAR1"  # a footer of any bytes
        pages, footer = bytearray(data), bytearray(data)
        for _ in range(20):
            pages[drawn.randrange(4, len(data) - 1000)] = drawn.randrange(256)
            footer[drawn.randrange(len(data) - 700, len(data) - 8)] = drawn.randrange(256)
        yield bytes(pages)
        yield bytes(footer)


async def test_parquet_that_is_damaged_is_an_error_or_read(tmp_path: Path) -> None:
    refusals = []
    for data in damaged(written(tmp_path / "good.parquet")):
        (tmp_path / "x.parquet").write_bytes(data)
        try:
            outcome = await analysed(tmp_path, "x.parquet", findings=["schema", "range"])
        except ToolError as error:
            refusals.append(error.message)
        else:
            assert outcome.rows <= 5000
    assert len(refusals) > 20
    assert not [message for message in refusals if "/proc/" in message or len(message) > 700]


async def test_parquet_that_says_to_have_other_rows_than_it_has(tmp_path: Path) -> None:
    data = written(tmp_path / "x.parquet")
    # The number of rows of the file, a varint of Thrift (zigzag) behind field 3 of FileMetaData.
    right, wrong = b"\x16\x90\x4e", b"\x16\x92\x4e"  # 5000, 5001
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    place = data.index(right, footer)
    outcome = await analysed(tmp_path, "x.parquet", data[:place] + wrong + data[place + 3 :], findings=["range"])
    assert outcome.rows == 5000
    assert outcome.remarks == ["The file says that it has 5,001 rows, and has 5,000: it may be damaged."]


async def test_parquet_whose_statistics_lie_has_its_real_range(tmp_path: Path) -> None:
    data = written(tmp_path / "x.parquet")
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    most = (4999).to_bytes(8, "little")
    lying = data[:footer] + data[footer:].replace(most, (17).to_bytes(8, "little"))
    assert lying != data
    outcome = await analysed(tmp_path, "x.parquet", lying, findings=["range"])
    assert only(outcome, "range", "a").title.startswith("a is from 0 to 4999,")


async def test_parquet_with_too_many_columns_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_PARQUET_COLUMNS", 3)
    said = await refused(tmp_path, "x.parquet", written(tmp_path / "x.parquet"))
    assert said == "The file has 4 columns; at most 3 can be read."


async def test_a_file_that_grows_while_it_is_read_is_said_to(tmp_path: Path) -> None:
    def grow(finding: DataFinding) -> None:
        with (tmp_path / "x.csv").open("ab") as file:
            file.write(b"9,9,9\n")

    outcome = await analysed(tmp_path, "x.csv", GOOD, heard=Heard(grow))
    assert outcome.rows >= 1001
    assert "was written to while it was read" in outcome.remarks[0]


async def test_a_file_that_is_replaced_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    def replace(finding: DataFinding) -> None:
        (tmp_path / "y.csv").write_bytes(b"secret\n1\n")
        (tmp_path / "y.csv").replace(tmp_path / "x.csv")

    with pytest.raises(ToolError, match="was moved or replaced while it was read"):
        await analysed(tmp_path, "x.csv", GOOD, heard=Heard(replace))


async def test_whoever_is_cancelled_reads_the_file_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = asyncio.Event(), [False]
    loop = asyncio.get_running_loop()

    def endless(read: Callable[[int, int], bytes], *_: int) -> None:
        loop.call_soon_threadsafe(begun.set)
        while read(0, 1):
            pass
        ended[0] = True

    monkeypatch.setattr(sources, "first_beyond", endless)
    task = asyncio.create_task(analysed(tmp_path, "x.csv", GOOD))
    async with asyncio.timeout(20):
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ended == [True]


async def test_a_file_that_is_cut_while_it_is_read_has_fewer_rows_or_is_an_error(tmp_path: Path) -> None:
    def cut(finding: DataFinding) -> None:
        os.truncate(tmp_path / "x.csv", 100)

    outcome = None
    with contextlib.suppress(ToolError):
        outcome = await analysed(tmp_path, "x.csv", GOOD, heard=Heard(cut))
    assert outcome is None or (outcome.rows < 100 and "was written to while it was read" in outcome.remarks[0])


async def test_numbers_whose_squares_are_none_have_a_range(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", "n\n1e308\n-1e308\n5\nnan\ninf\n")
    assert "from -1e+308 to 1e+308" in only(outcome, "range", "n").title
    assert outcome.left_out == []


async def test_a_wide_table_is_looked_at_in_part(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(300)]
    data = ",".join(names) + "\n" + ",".join("1" for _ in names) + "\n"
    outcome = await analysed(tmp_path, "x.csv", data, findings=["schema"])
    assert outcome.columns == 200
    assert "300 columns are more than the 200 of one analysis" in outcome.left_out[0]
    rest = await analysed(tmp_path, "x.csv", findings=["schema"], columns=names[250:])
    assert [row[0] for row in rows_of(only(rest, "schema"))] == names[250:]


@pytest.mark.parametrize("rows", [5000, 900_000])
async def test_lines_may_end_by_cr_alone(tmp_path: Path, rows: int) -> None:
    outcome = await analysed(tmp_path, "x.csv", b"a,b\r" + b"1,2\r" * rows, findings=["schema"])
    assert (outcome.rows, outcome.columns, outcome.remarks) == (rows, 2, [])


async def test_a_column_that_is_named_twice_is_one(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", GOOD, findings=["schema"], columns=["a", "A", "a"])
    assert [row[0] for row in rows_of(only(outcome, "schema"))] == ["a"]
    assert outcome.left_out == []


@pytest.mark.parametrize("lines", [500, 50_000], ids=["in the sample", "behind it"])
async def test_lines_that_end_in_two_ways_are_named(tmp_path: Path, lines: int) -> None:
    with pytest.raises(ToolError) as caught:
        await analysed(tmp_path, "x.csv", b"a,b\n" + b"x,1\n" * lines + b"y,2\r\n" * 500)
    assert caught.value.message.startswith("'x.csv' cannot be read: ")
    assert "lines may end with CR LF and others with LF" in caught.value.hint
