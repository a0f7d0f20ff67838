"""The shared log in a SQLite file: the contract of every shared log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from shared_contract import Another, Passing, SharedContract

from mcp_app.eventlog.shared import LEASE_SECONDS
from mcp_app.eventlog.sqlite.address import SqliteAddress, Survives
from mcp_app.eventlog.sqlite.log import SqliteLog


class MovedClock:
    """A clock that moves when it is told."""

    def __init__(self, time: float) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time


@pytest.mark.parametrize("survives", Survives)
class TestSqliteLog(SharedContract):
    lease = LEASE_SECONDS

    @pytest.fixture
    def clocks(self) -> tuple[MovedClock, MovedClock]:
        return MovedClock(1_800_000_000.0), MovedClock(1000.0)

    @pytest.fixture
    def passing(self, clocks: tuple[MovedClock, MovedClock]) -> Passing:
        async def passing(seconds: float) -> None:
            for clock in clocks:
                clock.time += seconds

        return passing

    @pytest.fixture
    async def another(
        self, tmp_path: Path, survives: Survives, clocks: tuple[MovedClock, MovedClock]
    ) -> AsyncIterator[Another]:
        opened: list[SqliteLog] = []
        clock, uptime = clocks

        async def another() -> SqliteLog:
            log = SqliteLog(SqliteAddress(tmp_path / "events.db", survives), clock=clock, uptime=uptime)
            await log.open()
            opened.append(log)
            return log

        yield another
        for log in opened:
            await log.close()
