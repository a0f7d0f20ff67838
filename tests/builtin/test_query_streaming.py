"""How the rows of a statement are streamed, and what of them is in the result: without a database."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import to_json

from mcp_app import Context, ToolError
from mcp_app.builtin.query_database import streaming
from mcp_app.builtin.query_database.daemon_threads import DaemonThreads
from mcp_app.builtin.query_database.database import Column, Row
from mcp_app.builtin.query_database.question import Question
from mcp_app.builtin.query_database.reading_ahead import reading_ahead
from mcp_app.builtin.query_database.shapes import Table
from mcp_app.builtin.query_database.streaming import stream


class Listener:
    """Stands in for a call's Context: takes what is sent, as JSON."""

    def __init__(self, seconds_left: float = 120.0) -> None:
        self.seconds_left = seconds_left
        self.sent: list[dict[str, Any]] = []
        self.progress: list[float | None] = []

    async def partial(self, data: BaseModel, *, progress: float | None = None) -> None:
        self.sent.append(json.loads(to_json(data)))
        self.progress.append(progress)


class Source:
    """A statement of that many columns, whose rows come in these batches; `hangs` at its end."""

    def __init__(self, batches: list[list[Row]], columns: int = 1, *, hangs: bool = False) -> None:
        self.batches = batches
        self.columns = [Column(name=f"c{number}", type="INTEGER") for number in range(columns)]
        self.hangs = hangs
        self.given = 0
        self.closed = asyncio.Event()

    async def rows(self) -> AsyncGenerator[list[Column] | list[Row], None]:
        try:
            yield self.columns
            for each in self.batches:
                self.given += 1
                yield each
            if self.hangs:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


async def streamed(source: Source, listener: Listener | None = None, **bounds: Any) -> Table:
    question = Question(sql="select", **bounds)
    result = await stream(cast(Context, listener or Listener()), source.rows(), question)
    assert source.closed.is_set()
    return result


def numbers(count: int, batch: int = 100) -> list[list[Row]]:
    rows: list[Row] = [[number] for number in range(count)]
    return [rows[start : start + batch] for start in range(0, count, batch)]


async def test_columns_come_first_then_rows_then_all_of_it() -> None:
    listener = Listener()
    result = await streamed(Source(numbers(5, 2)), listener)
    assert listener.sent == [
        {"kind": "columns", "columns": [{"name": "c0", "type": "INTEGER"}]},
        {"kind": "rows", "first": 0, "rows": [[0], [1]]},
        {"kind": "rows", "first": 2, "rows": [[2], [3]]},
        {"kind": "rows", "first": 4, "rows": [[4]]},
    ]
    assert listener.progress == [None, 2, 4, 5]
    assert result == Table(
        columns=[Column(name="c0", type="INTEGER")],
        rows=[[0], [1], [2], [3], [4]],
        row_count=5,
        truncated=False,
        notice=None,
    )


async def test_no_rows_are_a_result() -> None:
    result = await streamed(Source([]))
    assert (result.rows, result.row_count, result.truncated) == ([], 0, False)


@pytest.mark.parametrize(("rows", "truncated"), [(9, False), (10, False), (11, True), (25, True)])
async def test_no_more_rows_are_streamed_than_were_asked_for(rows: int, truncated: bool) -> None:
    listener = Listener()
    source = Source(numbers(rows, 5), hangs=truncated)
    result = await streamed(source, listener, max_rows=10)
    assert result.row_count == min(rows, 10) == sum(len(each.get("rows", [])) for each in listener.sent)
    assert result.truncated is truncated
    assert (result.notice == "There are more rows than max_rows=10; it may be 10000000 at most.") is truncated


async def test_what_does_not_fit_the_result_is_streamed_and_said() -> None:
    listener = Listener()
    result = await streamed(Source(numbers(1000)), listener, max_characters=2_000)
    assert sum(len(each.get("rows", [])) for each in listener.sent) == 1000
    assert 100 < len(result.rows) < 1000
    assert result.row_count == 1000
    assert result.truncated
    assert result.notice is not None
    assert result.notice.startswith(f"{len(result.rows)} of the 1000 rows that were streamed are here")
    assert "LIMIT and OFFSET" in result.notice
    assert "max_characters=2000" in result.notice


async def test_when_the_time_is_over_what_came_is_the_result() -> None:
    result = await streamed(Source(numbers(3), hangs=True), seconds=0.05)
    assert result.rows == [[0], [1], [2]]
    assert result.truncated
    assert result.notice == "The statement was stopped after 0.05 s; seconds may be 3600 at most."


@pytest.mark.parametrize("left", [0.1, 1.05])
async def test_a_call_whose_own_time_is_nearly_over_has_its_result_before(left: float) -> None:
    result = await streamed(Source(numbers(3), hangs=True), Listener(left), seconds=60)
    assert result.rows == [[0], [1], [2]]
    assert result.notice is not None
    assert re.match(r"The statement was stopped after 0\.\d+ s; a detached run has more time", result.notice)


async def test_when_the_time_is_over_and_nothing_came_that_is_an_error() -> None:
    closed = asyncio.Event()

    async def nothing() -> AsyncGenerator[list[Column] | list[Row], None]:
        try:
            await asyncio.Event().wait()
            yield []
        finally:
            closed.set()

    with pytest.raises(ToolError, match=r"no row after 0\.05 s, and was stopped"):
        await stream(cast(Context, Listener()), nothing(), Question(sql="select", seconds=0.05))
    assert closed.is_set()


async def test_the_time_counts_while_the_reader_is_slow() -> None:
    """Who does not read holds no lock of the database, and no statement."""
    source = Source(numbers(1000, 1))

    class Slow(Listener):
        async def partial(self, data: BaseModel, *, progress: float | None = None) -> None:
            if progress == 3:
                await source.closed.wait()
            await super().partial(data, progress=progress)

    result = await streamed(source, Slow(), seconds=0.05)
    assert result.row_count in (4, 5)  # the one that was read ahead, too
    assert result.truncated


async def test_the_rows_of_one_call_have_an_end_in_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STREAMED_CHARACTERS", 1000)
    result = await streamed(Source([[["x" * 100]] for _ in range(100)]), max_rows=50)
    assert result.row_count == 10
    assert result.notice == "The rows were cut off after 1000 characters: select fewer of them."


async def test_long_rows_come_in_events_of_their_own() -> None:
    listener = Listener()
    await streamed(Source([[["x" * 20_000] for _ in range(10)]]), listener)
    assert [len(each["rows"]) for each in listener.sent[1:]] == [2, 2, 2, 2, 2]
    assert [each["first"] for each in listener.sent[1:]] == [0, 2, 4, 6, 8]


async def test_columns_that_leave_no_room_are_an_error_at_once() -> None:
    source = Source(numbers(1000), columns=2000)
    with pytest.raises(ToolError, match="The names of 2000 columns alone"):
        await streamed(source, max_characters=50_000)
    assert source.given <= 1


async def test_the_name_of_an_expression_is_cut() -> None:
    source = Source([])
    source.columns = [Column(name="1+" * 500 + "1", type="INTEGER")]
    result = await streamed(source)
    assert result.columns[0].name == "1+" * 100 + "… (1001 characters)"


async def test_what_the_source_raises_is_raised() -> None:
    async def failing() -> AsyncGenerator[list[Column] | list[Row], None]:
        yield [Column(name="a", type="TEXT")]
        yield [["x"]]
        raise ToolError("the connection died")

    listener = Listener()
    with pytest.raises(ToolError, match="the connection died"):
        await stream(cast(Context, listener), failing(), Question(sql="select"))
    assert len(listener.sent) == 2


async def test_who_is_cancelled_closes_the_source() -> None:
    source = Source(numbers(10), hangs=True)
    reading = asyncio.ensure_future(stream(cast(Context, Listener()), source.rows(), Question(sql="select")))
    while source.given < 1:  # noqa: ASYNC110 - bounded: nothing here waits for anything else
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert source.closed.is_set()


cells = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=300)


@given(
    st.lists(st.lists(cells, min_size=2, max_size=2), max_size=60),
    st.integers(1, 20),
    st.integers(1, 70),
    st.integers(2_000, 5_000),
)
def test_whatever_comes_the_result_fits_and_says_what_is_not_in_it(
    rows: list[Row], batch: int, max_rows: int, max_characters: int
) -> None:
    async def check() -> None:
        listener = Listener()
        batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
        result = await streamed(Source(batches, columns=2), listener, max_rows=max_rows, max_characters=max_characters)
        sent = [row for each in listener.sent[1:] for row in each["rows"]]
        assert sent == rows[:max_rows]
        assert [each["first"] for each in listener.sent[1:]] == [
            sum(len(each["rows"]) for each in listener.sent[1:at]) for at in range(1, len(listener.sent))
        ]
        assert result.row_count == len(sent)
        assert result.rows == sent[: len(result.rows)]
        assert len(result.model_dump_json()) <= max_characters
        assert result.truncated == (len(result.rows) < len(rows)) == (result.notice is not None)

    asyncio.run(check())


# --- one item ahead --------------------------------------------------------------------------------------------------


async def test_no_more_than_one_item_is_read_ahead() -> None:
    source = Source(numbers(100, 1))
    async with reading_ahead(source.rows(), 10) as items:
        for expected in range(5):
            await anext(items)
            for _ in range(20):
                await asyncio.sleep(0)
            assert source.given == expected + 1
    assert source.closed.is_set()


# --- threads that nothing waits for ----------------------------------------------------------------------------------


async def test_who_is_cancelled_does_not_wait_for_what_cannot_be_stopped() -> None:
    threads = DaemonThreads(1, "stuck")
    released, asked = threading.Event(), threading.Event()
    stuck = asyncio.ensure_future(threads.run(lambda: released.wait(10), asked.set, patience=0.01))
    await asyncio.sleep(0)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert asked.is_set()

    next_one = asyncio.ensure_future(threads.run(lambda: 7, asked.set, patience=0.01))
    done, _ = await asyncio.wait([next_one], timeout=0.05)
    assert not done  # it has its turn until it ends
    released.set()
    assert await asyncio.wait_for(next_one, 10) == 7


async def test_what_a_thread_raises_is_raised() -> None:
    def fail() -> None:
        raise KeyError("x")

    threads = DaemonThreads(1, "failing")
    for _ in range(3):  # it gives its turn back
        with pytest.raises(KeyError):
            await threads.run(fail, lambda: None, patience=1)
