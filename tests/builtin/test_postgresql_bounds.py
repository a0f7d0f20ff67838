"""PostgreSQL: whatever a server sends, what is held of it is bounded, and what was left out is said."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import asyncpg
import pytest
import uvloop
from authority import Pair
from hypothesis import given
from hypothesis import strategies as st
from postgres_server import PostgresServer
from postgres_shop import asked, opened

from mcp_app import ToolError
from mcp_app.builtin.query_database.cells import CELL_CHARACTERS
from mcp_app.builtin.query_database.database import Database
from mcp_app.builtin.query_database.postgresql import engine, wire
from mcp_app.builtin.query_database.postgresql.columns import (
    BATCH_BYTES,
    DOCUMENT,
    PLAIN,
    TEXT,
    rows_at_once,
    without_terminator,
)

LARGE = 100_000_000
"""Characters or bytes: more than may come by the wire, and made by the server in less than a second."""

# --- the server cuts -------------------------------------------------------------------------------------------------

CUT = {
    f"select repeat('x', {LARGE})": f"… ({CELL_CHARACTERS} of {LARGE} characters)",
    f"select repeat('x', {LARGE})::xml": f"… ({CELL_CHARACTERS} of {LARGE} characters)",
    f"select decode(repeat('ab', {LARGE // 2}), 'hex')": f"… ({CELL_CHARACTERS // 2} of {LARGE // 2} bytes)",
    f"select to_json(repeat('x', {LARGE}))": f"… ({CELL_CHARACTERS} of {LARGE + 2} characters)",
    f"select to_jsonb(repeat('x', {LARGE}))": f"… ({CELL_CHARACTERS} of {LARGE + 2} characters)",
    "select array_fill(1, array[10000000])": f"… ({CELL_CHARACTERS} of 20000001 characters)",
    f"select row(repeat('x', {LARGE}))": f"… ({CELL_CHARACTERS} of {LARGE + 9} characters)",
    f"select repeat('1', {LARGE // 10})::varbit": f"… ({CELL_CHARACTERS} of {LARGE // 10} characters)",
    "select repeat('9', 100000)::numeric": f"… ({CELL_CHARACTERS} of 100000 characters)",
    "select body from big": f"… ({CELL_CHARACTERS} of 20000000 characters)",
    f"select repeat('x', {LARGE})::char({10_000_000})": f"… ({CELL_CHARACTERS} of 10000000 characters)",
}


@pytest.mark.parametrize("sql", CUT, ids=lambda sql: sql[7:50])
async def test_a_large_cell_is_cut_in_the_database(shop: Database, sql: str) -> None:
    cell = (await asked(shop, sql)).cell
    assert cell.endswith(CUT[sql])
    assert len(cell) < CELL_CHARACTERS + 60


async def test_an_array_of_some_length_is_cut_by_its_items(shop: Database) -> None:
    cell = (await asked(shop, "select array_agg(g) from generate_series(10000, 12000) g")).cell
    assert cell[:2] == [10000, 10001]
    assert cell[-1] == f"… ({len(cell) - 1} of 2001 items)"


# --- what it cannot cut ends the connection --------------------------------------------------------------------------

TOO_MUCH = {
    "a plan": f"explain verbose select repeat('x', {LARGE})",
    "an error": f"select repeat('x', {LARGE})::int",
    "a notice": f"select shouting(1, {LARGE})",
    "many notices": "select shouting(1000, 1000000)",
}


@pytest.mark.parametrize("sql", TOO_MUCH.values(), ids=TOO_MUCH.keys())
async def test_what_is_too_large_is_not_taken(shop: Database, sql: str) -> None:
    with pytest.raises(ToolError) as raised:
        await asked(shop, sql)
    assert raised.value.message == (
        "The database began to send more than 8 MiB for one row, or 64 MiB for a batch of rows, and was stopped."
    )
    assert (await asked(shop, "select 1")).cell == 1


async def test_notices_that_fit_are_not_in_the_way(shop: Database) -> None:
    assert (await asked(shop, "select shouting(10, 100)")).cell == 1


async def test_wide_rows_of_long_cells_fit(shop: Database) -> None:
    """The worst rows there can be, of characters of four bytes: fewer of them are asked for at once."""
    columns = ", ".join(f"repeat('😀', {CELL_CHARACTERS}) as c{number}" for number in range(200))
    answer = await asked(shop, f"select {columns} from generate_series(1, 30)", batch=100)
    assert sum(map(len, answer.batches)) == 30
    assert len(answer.batches) >= 3


async def test_a_connection_by_tls_is_bounded_too(postgres: PostgresServer, pair: Pair) -> None:
    postgres.give_certificate(pair.chain.read_bytes(), pair.key.read_bytes())
    try:
        async with opened(postgres, query="?sslmode=require") as shop:
            assert (await asked(shop, "select ssl from pg_stat_ssl where pid = pg_backend_pid()")).cell is True
            assert len((await asked(shop, "select g, repeat('x', 3000) from generate_series(1, 1000) g")).rows) == 1000
            with pytest.raises(ToolError, match="began to send more"):
                await asked(shop, TOO_MUCH["a plan"])
            assert (await asked(shop, "select 1")).cell == 1
    finally:
        postgres.sql("alter system reset ssl")
        postgres.sql("select pg_reload_conf()")


def test_on_the_loop_that_serves(postgres: PostgresServer) -> None:
    """`mcp-app serve` uses uvloop, whose transports are others."""

    async def main() -> None:
        async with opened(postgres) as shop:
            assert len((await asked(shop, "select g from generate_series(1, 1000) g")).rows) == 1000
            with pytest.raises(ToolError, match="began to send more"):
                await asked(shop, TOO_MUCH["a plan"])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asked(shop, "select pg_sleep(1000)")
            assert (await asked(shop, "select 1")).cell == 1

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@pytest.mark.parametrize(("seconds", "most"), [(0.0, 5), (1000.0, 1)])
async def test_cells_that_take_long_to_read_leave_the_loop_to_others(
    monkeypatch: pytest.MonkeyPatch, seconds: float, most: int
) -> None:
    monkeypatch.setattr(engine, "TURN_SECONDS", seconds)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    rows = await engine._read([DOCUMENT, PLAIN, TEXT], [["[1]", number, "x"] for number in range(4)])
    beside.cancel()
    assert rows == [[[1], number, "x"] for number in range(4)]
    assert most - 1 <= turns <= most


async def test_what_is_taken_is_counted_for_each_call(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "REPLY_BYTES", 50_000)
    for _ in range(30):
        assert await shop.tables()
        assert (await asked(shop, "select repeat('x', 4000)")).cell == "x" * 4000


# --- the wire --------------------------------------------------------------------------------------------------------


class Fake:
    """Connection, transport and protocol in one."""

    def __init__(self) -> None:
        self._protocol = self._transport = self
        self.received = b""
        self.aborted = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def data_received(self, data: bytes) -> None:
        self.received += data

    def abort(self) -> None:
        self.aborted = True


def message(length: int) -> bytes:
    return b"D" + struct.pack("!I", length + 4) + b"x" * length


@given(st.lists(st.integers(0, 40), max_size=8), st.lists(st.integers(1, 12), max_size=40), st.integers(0, 30))
def test_messages_in_any_pieces(lengths: list[int], pieces: list[int], limit: int) -> None:
    """All is handed on until a message is too large, wherever the pieces are cut, and nothing behind its header."""
    fake, data = Fake(), b"".join(map(message, lengths))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "MESSAGE_BYTES", limit + 4)
        bounded = wire.Bounded(fake)
        rest = data
        for piece in [*pieces, len(data)]:
            bounded.data_received(rest[:piece])
            rest = rest[piece:]
    too_large = next((at for at, length in enumerate(lengths) if length > limit), None)
    assert fake.aborted == bounded.overflowed == (too_large is not None)
    if too_large is None:
        assert fake.received == data
    else:
        before = sum(5 + length for length in lengths[:too_large])
        assert data.startswith(fake.received)
        assert len(fake.received) < before + 5


def test_a_reply_is_bounded_and_each_request_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "REPLY_BYTES", 30)
    fake = Fake()
    bounded = wire.Bounded(fake)
    for _ in range(3):
        bounded.expect()
        bounded.data_received(message(5) * 3)
    assert not fake.aborted
    bounded.data_received(message(5))
    assert fake.aborted
    bounded.data_received(message(5))
    assert fake.received == message(5) * 9


async def test_the_inside_of_asyncpg_is_as_it_is_used(postgres: PostgresServer) -> None:
    connection = await asyncpg.connect(postgres.url())
    try:
        bounded = wire.Bounded(connection)
        assert connection._transport.get_protocol() is bounded
        assert await connection.fetchval("select 1") == 1
        texts = wire.Texts(connection)
        texts.add([(1082, str), (3912, str), (1007, str)])
        sql = "select $1::date, $2::daterange, $3::int[]"
        values = ["2026-11-30", "[2026-01-01,)", "{1,2}"]
        assert list(await connection.fetchrow(sql, *values)) == values
        texts.remove_all()
        await connection.reload_schema_state()
        assert (await connection.fetchval("select '2026-11-30'::date")).year == 2026
    finally:
        await connection.close()


# --- how much is asked for -------------------------------------------------------------------------------------------


def test_how_many_rows_are_asked_for_at_once() -> None:
    assert rows_at_once([PLAIN], 100) == 100
    assert rows_at_once([TEXT], 1_000_000) == BATCH_BYTES // (4 * CELL_CHARACTERS + 32)
    assert rows_at_once([PLAIN] * 1000, 100) == 20  # not too long on the event loop
    assert rows_at_once([DOCUMENT] * 1600, 100) == 1
    assert 2 * BATCH_BYTES <= wire.REPLY_BYTES
    assert 1600 * TEXT.most_bytes < wire.REPLY_BYTES


@given(st.text(alphabet="';-\n/* a$\"", max_size=60))
def test_what_is_taken_from_the_end_is_a_terminator(text: str) -> None:
    """Whatever it looks like: a string that ends with it may be cut in two, and then is open, which is no statement."""
    for candidate in without_terminator(text):
        assert text.startswith(candidate)
        assert set(text[len(candidate) :]) <= set("; \t\r\n\f\v") or text[len(candidate)] == ";"


def test_a_million_semicolons_take_no_time() -> None:
    assert len(list(without_terminator("explain select '" + ";" * 1_000_000 + "x'"))) == 1
    assert len(list(without_terminator("explain select '" + ";--\n" * 250_000 + "x'"))) == 1
