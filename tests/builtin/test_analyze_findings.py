"""What an analysis finds in good data, and that the SQL of each finding gives its figures."""

from __future__ import annotations

import json
import random
import re
from datetime import date
from pathlib import Path

import duckdb
import pytest
from analysed import Heard, analysed, only, rows_of, types_of
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset import distinct, relations, spread
from mcp_app.builtin.analyze_dataset.shapes import DataFinding

OF_NUMBERS = {"schema", "nulls", "distinct", "range", "histogram", "outliers"}
"""What there is to be found of a column of numbers with one far away."""


def orders() -> str:
    """A thousand orders with one of each thing that there is to find."""
    drawn = random.Random(7)
    lines = ["id,customer,day,price,total,colour,note"]
    for number in range(1000):
        price = 1e6 if number == 500 else round(drawn.gauss(50, 5), 2)
        day = {100: "2024-02-30", 200: "soon", 300: "1900-01-01", 400: "9998-01-01"}.get(
            number, f"2024-05-{number % 28 + 1:02d}"
        )
        colour = "" if number % 10 == 0 else ("red", "green")[number % 2]
        lines.append(f"{number},c{number % 40:03d},{day},{price},{price * 2},{colour},always")
    return "\n".join([*lines, lines[-1], lines[-1]]) + "\n"


async def test_each_kind_of_finding_is_found(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "orders.csv", orders())

    assert (outcome.rows, outcome.columns) == (1002, 7)
    assert types_of(outcome) == {
        "id": "BIGINT",
        "customer": "VARCHAR",
        "day": "DATE",
        "price": "DOUBLE",
        "total": "DOUBLE",
        "colour": "VARCHAR",
        "note": "VARCHAR",
    }
    assert rows_of(only(outcome, "nulls"))[0][:3] == ["colour", 100, "10.0 %"]
    assert only(outcome, "distinct", "colour").title == "colour has 2 distinct values, most often green (55.7 %)."
    assert only(outcome, "distinct", "note").title == "note is always always."
    assert only(outcome, "range", "id").title == "id is from 0 to 999, with mean 500.50 and median 500.50."
    assert "is from 1900-01-01 to 9998-01-01" in only(outcome, "range", "day").title
    assert only(outcome, "range", "customer").title == "customer has 4 characters."
    assert "the farthest is 1,000,000" in only(outcome, "outliers", "price").title
    assert rows_of(only(outcome, "outliers", "price"))[0] == [1_000_000, 1]
    assert only(outcome, "duplicates").title == "2 rows (0.2 %) repeat another one, in 1 group."
    assert rows_of(only(outcome, "duplicates"))[0][:2] == [3, 999]
    assert only(outcome, "correlations").title.startswith("price and total go together most (r = 1.00)")
    dates = [each.title for each in outcome.findings if each.about == "dates"]
    assert dates == [
        "2 values of day (0.2 %) cannot be read as dates, such as '2024-02-30', 'soon'.",
        "1 value of day (< 0.1 %) may stand for no date, most of all 1900-01-01.",
        "1 value of day (< 0.1 %) is in the future, up to 9998-01-01.",
    ]
    assert (outcome.remarks, outcome.left_out) == ([], [])


async def test_a_histogram_counts_every_number_in_twenty_bins(tmp_path: Path) -> None:
    values = [0, 0, 0, 5, 9.99, 10, 95, 100]
    outcome = await analysed(tmp_path, "x.csv", "n\n" + "\n".join(map(str, values)) + "\n", findings=["histogram"])

    drawn = only(outcome, "histogram", "n").histogram
    assert drawn is not None
    assert (len(drawn.edges), len(drawn.counts), sum(drawn.counts)) == (21, 20, len(values))
    assert (drawn.edges[0], drawn.edges[1], drawn.edges[-1]) == (0, 5, 100)
    assert drawn.counts[:3] == [3, 2, 1]
    assert drawn.counts[-2:] == [0, 2]  # the last bin has its upper edge


async def test_the_histogram_of_dates_has_iso_edges(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", "d\n2024-01-01\n2024-01-11\n2024-01-21\n", findings=["histogram"])
    drawn = only(outcome, "histogram", "d").histogram
    assert drawn is not None
    assert drawn.edges[:2] == ["2024-01-01", "2024-01-02"]
    assert (drawn.edges[-1], drawn.counts[0], drawn.counts[10], drawn.counts[19]) == ("2024-01-21", 1, 1, 1)


async def test_the_first_finding_comes_before_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"

    def then(finding: DataFinding) -> None:
        if len(heard.findings) == 1:  # the file is read after this
            path.write_text(orders().replace("always", "changed"))

    heard = Heard(then)
    outcome = await analysed(tmp_path, "orders.csv", orders(), heard=heard)
    assert heard.findings[0].about == "schema"
    assert "by its first rows" in heard.findings[0].title
    assert only(outcome, "distinct", "note").title == "note is always changed."


async def test_what_is_streamed_is_what_is_returned(tmp_path: Path) -> None:
    heard = Heard()
    outcome = await analysed(tmp_path, "orders.csv", orders(), heard=heard)
    assert heard.findings[1:] == outcome.findings[1:]
    assert heard.looked == sorted(heard.looked)
    assert heard.looked[-1] == 100


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
async def test_a_reader_gets_the_same_figures_by_the_sql_of_the_findings(tmp_path: Path, kind: str) -> None:
    name = f"it's my {kind}.{kind}"
    (tmp_path / "source.csv").write_text(orders())
    copy = {"csv": "FORMAT csv", "jsonl": "FORMAT json", "parquet": "FORMAT parquet"}[kind]
    with duckdb.connect() as writer:
        target = str(tmp_path / name).replace("'", "''")
        writer.execute(f"COPY (FROM read_csv('{tmp_path}/source.csv', all_varchar = true)) TO '{target}' ({copy})")
    outcome = await analysed(tmp_path, name)
    assert {each.about for each in outcome.findings} >= OF_NUMBERS

    with duckdb.connect() as reader:  # in another process it would stand in the data's folder
        reader.execute(f"SET file_search_path = '{tmp_path}'")
        reader.execute(only(outcome, "schema").sql)
        assert reader.execute("SELECT count(*) FROM dataset").fetchone() == (1002,)
        for finding in outcome.findings[1:]:
            rows = reader.execute(finding.sql).fetchall()
            if finding.histogram is not None:
                counted = dict(rows)
                assert finding.histogram.counts == [counted.get(number, 0) for number in range(20)]
            elif finding.about == "distinct" and finding.table is not None:
                spelt = [[str(value) if isinstance(value, date) else value, times] for value, times, *_ in rows]
                assert spelt == [row[:2] for row in rows_of(finding)]
            elif finding.about in ("outliers", "duplicates") and finding.table is not None:
                assert [list(row[:2]) for row in rows] == [row[:2] for row in rows_of(finding)]
            else:
                assert rows, finding.title


async def test_of_many_rows_figures_are_estimates_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (distinct, spread):
        monkeypatch.setattr(module, "EXACT_ROWS", 1000)
    monkeypatch.setattr(relations, "_EXACT_WORK", 1000)
    monkeypatch.setattr(relations, "_SAMPLE_ROWS", 500)
    outcome = await analysed(tmp_path, "orders.csv", orders())

    assert outcome.left_out == []
    key = only(outcome, "distinct", "id")
    assert re.fullmatch(r"id is different in nearly every row \(about [0-9,]+ distinct values\)\.", key.title)
    assert "approx_count_distinct" in key.sql
    assert only(outcome, "distinct", "colour").title == "colour has 2 distinct values, most often green (55.7 %)."
    ids = only(outcome, "range", "id")
    assert "and median about " in ids.title
    assert "approx_quantile" in ids.sql
    figures = dict(rows_of(ids))
    assert (figures["least"], figures["greatest"], figures["mean"]) == (0, 999, pytest.approx(500.5, abs=0.01))
    assert figures["median"] == pytest.approx(500, abs=20)
    assert rows_of(only(outcome, "outliers", "price"))[0] == [1_000_000, 1]
    assert only(outcome, "correlations").title.endswith(" among 3 columns of numbers, in a sample of 500 rows.")


@pytest.mark.parametrize(
    ("texts", "type_", "kept"),
    [
        (["1", "2", "3"], "BIGINT", None),
        (["1", "2", "3.5"], "DOUBLE", None),
        (["007", "042", "100"], "VARCHAR", None),
        (["12345678901234567890", "12345678901234567891"], "VARCHAR", None),
        (["1,5", "2,25", "1.000,75"], "DOUBLE", None),
        (["true", "FALSE", "True"], "BOOLEAN", None),
        (["yes", "no"], "VARCHAR", None),
        (["2024-01-02", "2024-02-03"], "DATE", None),
        (["02.01.2024", "31.12.2024"], "DATE", None),
        (["31/12/2024", "01/02/2024"], "DATE", None),
        (["12/31/2024", "01/02/2024"], "DATE", None),
        (["2024-01-02T10:00:00Z", "2024-01-02T10:00:00+02:00"], "TIMESTAMP", None),
        (["2024-01-02 10:00", "2024-01-02 10:00:01.5"], "TIMESTAMP", None),
        (["12/31/2024 11:59 PM", "01/02/2024 1:00 AM"], "TIMESTAMP", None),
        (["1", "2", "3", "4", "n/a", "-"], "BIGINT", None),
        (["1", "2", "3", "4", "five"], "BIGINT", "five"),
        (["1", "2", "three"], "VARCHAR", None),
        (["infinity", "epoch"], "VARCHAR", None),
        (["0x1F", "0x20"], "VARCHAR", None),
        (["n/a", "null"], "VARCHAR", None),
    ],
)
async def test_the_type_of_texts(tmp_path: Path, texts: list[str], type_: str, kept: str | None) -> None:
    lines = "".join(json.dumps({"x": text}) + "\n" for text in texts)
    outcome = await analysed(tmp_path, "x.jsonl", lines)
    assert types_of(outcome) == {"x": type_}
    unread = [row[0] for each in outcome.findings if each.about == "unread" for row in rows_of(each)]
    assert unread == ([] if kept is None else [kept])


async def test_days_that_may_be_months_are_said(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "x.csv", "d,n\n01/02/2024,1\n03/04/2024,2\n", findings=["dates"])
    assert "Nothing in d says whether the day or the month is first" in only(outcome, "dates", "d").title


async def test_a_type_that_does_not_fit_later_rows_is_widened(tmp_path: Path) -> None:
    rows = [f"{number},{number}" for number in range(25_000)] + ["0.5,x"] * 25_000
    heard = Heard()
    outcome = await analysed(tmp_path, "x.csv", "a,b\n" + "\n".join(rows) + "\n", heard=heard)
    assert types_of(outcome) == {"a": "DOUBLE", "b": "VARCHAR"}
    assert outcome.rows == 50_000
    assert [each.about for each in heard.findings[:2]] == ["schema", "schema"]  # the second corrects the first
    assert only(outcome, "distinct", "b").title.startswith("b has 25,001 distinct values, most often x (50.0 %)")


@pytest.mark.parametrize(
    "names", ["low,high,rows,value,bin,v,q,text", 'a"b,c\'d,"select ""x""",{e},c0,sample,dataset,\u202e']
)
async def test_any_column_name_will_do(tmp_path: Path, names: str) -> None:
    lines = [names, *(",".join(str(n * k % 97) for k in range(8)) for n in range(200)), "1,2,3,4,5,6,7,100000"]
    outcome = await analysed(tmp_path, "x.csv", "\n".join(lines) + "\n")
    assert outcome.left_out == []
    assert (outcome.rows, outcome.columns) == (201, 8)
    assert {each.about for each in outcome.findings} >= OF_NUMBERS


async def test_columns_and_findings_can_be_chosen(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "o.csv", orders(), columns=["PRICE", "day"], findings=["range", "dates"])
    assert outcome.columns == 2
    assert [(each.about, each.column) for each in outcome.findings] == [
        ("range", "price"),
        ("dates", "day"),
        ("range", "day"),
        ("dates", "day"),
        ("dates", "day"),
    ]


async def test_what_there_is_no_time_for_is_named(tmp_path: Path) -> None:
    left = iter([60.0] * 4 + [0.0] * 1000)  # to read it, and for three looks
    outcome = await analysed(tmp_path, "o.csv", orders(), seconds=lambda: next(left))
    assert {each.about for each in outcome.findings} == {"schema", "nulls"}
    assert "Time was up before" in outcome.left_out[0]
    assert "distinct of id" in outcome.left_out[0]


async def test_a_file_that_there_is_no_time_to_read_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        await analysed(tmp_path, "o.csv", orders(), seconds=lambda: 0.0)
    assert caught.value.message == "Time was up while 'o.csv' was still being read."
    assert "max_rows" in caught.value.hint


async def test_rows_beyond_max_rows_are_said_to_be_there(tmp_path: Path) -> None:
    outcome = await analysed(tmp_path, "o.csv", orders(), max_rows=10)
    assert outcome.rows == 10
    assert outcome.left_out == [
        "Only the first 10 rows were looked at, and there are more: ask with a larger max_rows."
    ]
    assert (await analysed(tmp_path, "o.csv", max_rows=1002)).left_out == []


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20).filter(lambda text: all(letter < "\ud800" or letter > "\udfff" for letter in text)),
    st.dates().map(str),
    st.lists(st.integers(), max_size=3),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.fixed_dictionaries({"a": VALUES, "b": VALUES, "c/~": VALUES}), min_size=1, max_size=30))
async def test_whatever_json_says_is_analysed(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    outcome = await analysed(tmp_path_factory.mktemp("json"), "x.jsonl", lines)
    assert (outcome.rows, outcome.columns) == (len(rows), 3)
    assert outcome.left_out == []
    nulls = {name: count for name, count, *_ in rows_of(only(outcome, "nulls"))}
    for name in ("a", "b", "c/~"):
        missing = sum(row[name] is None for row in rows)
        assert nulls.get(name, 0) >= missing
