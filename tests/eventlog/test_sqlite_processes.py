"""Several processes on one log in SQLite: killed in the middle of their work, woken, fenced."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from contract import PLENTY, SECONDS, events, numbers
from shared_contract import loop_time, read_all, record, within

from mcp_app.aio.in_thread import in_thread
from mcp_app.eventlog.records import Ending
from mcp_app.eventlog.shared import LEASE_SECONDS
from mcp_app.eventlog.sqlite import commits, turn
from mcp_app.eventlog.sqlite import log as log_module
from mcp_app.eventlog.sqlite.address import SqliteAddress
from mcp_app.eventlog.sqlite.log import SqliteLog
from mcp_app.protocol.errors import LogUnavailable
from mcp_app.protocol.event import Entry

PROGRAM = Path(__file__).with_name("sqlite_process.py")


class Worker:
    """One such process, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> list[Any]:
        """The next line."""
        assert self.process.stdout is not None
        line = await within(self.process.stdout.readline())
        assert line.endswith(b"\n"), "the process has ended"
        return list(json.loads(line))

    async def rest(self) -> list[list[Any]]:
        """The lines until its end; the last one may be cut."""
        assert self.process.stdout is not None
        data = await within(self.process.stdout.read())
        return [json.loads(line) for line in data.split(b"\n")[:-1]]

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await within(self.process.wait())


Start = Callable[..., Awaitable[Worker]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
async def start(file: Path) -> AsyncIterator[Start]:
    started: list[Worker] = []
    paths = os.pathsep.join([str(PROGRAM.parent), str(PROGRAM.parent.parent), str(PROGRAM.parent.parent.parent)])

    async def start(*arguments: str) -> Worker:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, PROGRAM, file, *arguments),
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths},
            limit=2**24,
        )
        started.append(Worker(process))
        return started[-1]

    yield start
    for each in started:
        await each.kill()


@pytest.fixture
async def log(file: Path) -> AsyncIterator[SqliteLog]:
    log = SqliteLog(SqliteAddress(file))
    await log.open()
    yield log
    await log.close()


@pytest.fixture
async def other(file: Path) -> AsyncIterator[SqliteLog]:
    log = SqliteLog(SqliteAddress(file))
    await log.open()
    yield log
    await log.close()


@pytest.fixture
async def later(file: Path) -> AsyncIterator[SqliteLog]:
    """One for which the leases of all others are over."""
    log = SqliteLog(SqliteAddress(file), uptime=lambda: time.monotonic() + LEASE_SECONDS + 0.5)
    await log.open()
    yield log
    await log.close()


def sockets(file: Path) -> list[Path]:
    return list(file.with_name("events.db-processes").glob("wake-*"))


async def follow(log: SqliteLog, run: str, seen: list[Entry]) -> None:
    """Read to the end of a run, as a reader in another process does."""
    while not (seen and seen[-1].event.data == b"the end"):
        seen += await log.read(run, seen[-1].number if seen else 0, loop_time() + SECONDS)


# --- kill -9 ---------------------------------------------------------------------------------------------------------


@pytest.mark.time_bound(120)
@pytest.mark.parametrize("lines", [1, 300])
async def test_what_a_reader_saw_is_there_after_kill_9(
    start: Start, log: SqliteLog, later: SqliteLog, lines: int
) -> None:
    killed, other = await start("append", "10"), await start("append", "10")
    _, node = await killed.line()
    acknowledged: dict[str, int] = {}
    seen: dict[str, list[Entry]] = {}
    following: list[asyncio.Task[None]] = []
    for _ in range(lines):
        run, number = await killed.line()
        if run not in acknowledged:
            seen[run] = []
            following.append(asyncio.create_task(follow(log, run, seen[run])))
        acknowledged[run] = number
    await killed.kill()
    acknowledged.update((run, number) for run, number in await killed.rest())

    living = await later.join()
    taken = {each.id: each for each in await later.take_over(living, 1000)}
    ours = {run for run in taken if run in acknowledged}
    assert ours == set(acknowledged)
    for run, number in acknowledged.items():
        last = taken[run].last
        assert last >= number
        assert taken[run].owner == living
        entries = await read_all(log, run)
        assert numbers(entries) == list(range(1, last + 1))
        assert [entry.event for entry in entries] == events(last)
        end = events(1)
        end[0].data = b"the end"
        await later.append(run, living, last + 1, end, Ending("interrupted", await later.now() + 60))
    for run, task in zip(seen, following, strict=True):
        await within(task)
        assert numbers(seen[run]) == list(range(1, taken[run].last + 2))
        assert [entry.event for entry in seen[run][:-1]] == events(taken[run].last)
    assert node not in await later.nodes()

    # Who was thought dead, and is not, has been fenced; or had no run of its own yet.
    if len(taken) > len(acknowledged):
        await other.rest()
        assert await within(other.process.wait()) == 1


async def test_a_process_that_is_killed_again_and_again_leaves_no_gap(start: Start, log: SqliteLog) -> None:
    for _ in range(2):
        worker = await start("append", "3")
        await worker.line()
        acknowledged = dict([await worker.line()])
        worker.process.send_signal(signal.SIGKILL)
        acknowledged.update((run, number) for run, number in await worker.rest())
        for run, number in acknowledged.items():
            entries = await read_all(log, run)
            assert len(entries) >= number
            assert numbers(entries) == list(range(1, len(entries) + 1))


# --- waking ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by itself: who waits is woken, or waits for ever."""
    monkeypatch.setattr(log_module, "LOOK_SECONDS", 1000.0)


@pytest.mark.usefixtures("no_looking")
async def test_a_reader_is_woken_by_another_process(start: Start, log: SqliteLog) -> None:
    worker = await start("append", "1")
    await worker.line()
    run, number = await worker.line()
    for _ in range(50):
        number = (await within(log.read(run, number, loop_time() + 1000)))[-1].number


@pytest.mark.usefixtures("no_looking")
async def test_many_who_wait_are_all_woken(start: Start, log: SqliteLog) -> None:
    """More ids than one datagram has, and more datagrams than the socket of one that is busy takes."""
    worker = await start("append", "600")
    await worker.line()
    runs = set()
    while len(runs) < 600:
        runs.add((await worker.line())[0])
    hold_the_loop()
    lasts = {run: (await log.record(run)).last for run in runs}

    async def next_of(run: str) -> None:
        await log.read(run, lasts[run], loop_time() + 1000)

    await within(asyncio.gather(*map(next_of, runs)))


def hold_the_loop() -> None:
    time.sleep(0.2)


async def test_a_message_wakes_another_process(start: Start, log: SqliteLog) -> None:
    worker = await start("wait")
    _, node = await worker.line()
    for at in range(3):
        assert await log.send(node, f"message {at}".encode())
        assert (await worker.line())[0] == f"message {at}"
    await log.publish("nobody", b"to all")
    assert (await worker.line())[0] == "to all"


async def waiting_read(log: SqliteLog, run: str) -> asyncio.Task[list[Entry]]:
    """One that finds nothing, and waits."""
    reading = asyncio.create_task(log.read(run, 0, loop_time() + 1000))
    await asyncio.sleep(0.2)
    assert not reading.done()
    return reading


@pytest.mark.usefixtures("no_looking")
async def test_whose_socket_was_full_is_told_again(log: SqliteLog, other: SqliteLog) -> None:
    node = await other.join()
    run, more = record(node), record(node)
    await other.create(run, PLENTY)
    await other.create(more, PLENTY)
    reading = await waiting_read(log, run.id)
    doorbell = log._opened_now().doorbell
    doorbell.deafen(asyncio.get_running_loop())  # as if this process were busy
    for at in range(600):  # as many datagrams as any kernel keeps
        await other.append(more.id, node, at + 1, events(1))
    await other.append(run.id, node, 1, events(1))
    await asyncio.sleep(0.2)
    assert other._opened_now().doorbell.unheard
    assert not reading.done()
    doorbell.listen(asyncio.get_running_loop(), log._waiting.wake)
    assert numbers(await within(reading)) == [1]


async def test_who_was_not_told_looks_by_itself(
    file: Path, log: SqliteLog, other: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "LOOK_SECONDS", 0.5)
    node = await other.join()
    run = record(node)
    await other.create(run, PLENTY)
    for socket in sockets(file):
        socket.unlink()
    reading = await waiting_read(log, run.id)
    receiving = asyncio.create_task(other.receive(node, loop_time() + 1000))
    await asyncio.sleep(0.1)
    await other.append(run.id, node, 1, events(1))
    assert numbers(await within(reading)) == [1]
    assert await log.send(node, b"x")
    assert await within(receiving) == [b"x"]


async def test_a_process_that_is_killed_is_dead_at_once_and_leaves_nothing(
    file: Path, start: Start, log: SqliteLog
) -> None:
    worker = await start("wait")
    _, killed = await worker.line()
    node = await log.join()
    assert await log.nodes() == {killed, node}
    assert len(sockets(file)) == 2
    await worker.kill()
    assert await log.nodes() == {node}
    assert not await log.send(killed, b"x")
    await log.create(record(node), PLENTY)
    await log.leave(node)
    left = await in_thread(lambda: [path.name for path in file.with_name("events.db-processes").iterdir()])
    assert len(left) == 1
    assert left[0].startswith("wake-")


# --- one of many -----------------------------------------------------------------------------------------------------


async def test_a_claim_of_many_processes_is_one_s(start: Start) -> None:
    workers = [await start("claim", "300") for _ in range(3)]
    got = [await worker.line() for worker in workers]
    assert sorted(name for names in got for name in names) == list(range(300))


async def test_processes_that_start_at_once_make_one_log(file: Path) -> None:
    logs = [SqliteLog(SqliteAddress(file)) for _ in range(8)]
    await within(asyncio.gather(*(log.open() for log in logs)))
    nodes = set(await asyncio.gather(*(log.join() for log in logs)))
    assert await logs[0].nodes() == nodes
    for log in logs:
        await log.close()


# --- locked ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "BUSY_SECONDS", 0.3)


async def expect_outage(log: SqliteLog, node: str, ended: Callable[[], Awaitable[object]]) -> None:
    """Writes fail, all of them, reads do not; and both work when it is over."""
    for _ in range(2):
        failed = await within(
            asyncio.gather(*(log.put(f"key/{at}", b"x", 2e9) for at in range(10)), return_exceptions=True)
        )
        assert [type(each) for each in failed] == [LogUnavailable] * 10
    assert isinstance(failed[0], LogUnavailable)
    assert failed[0].headers == {"Retry-After": "1"}
    assert failed[0].error_id
    await in_thread(lambda: log.renew(node))  # nobody dies of it
    assert await log.nodes() == {node}
    await ended()
    await within(log.put("key/1", b"x", 2e9, version=0))
    assert (await within(log.get("key/1"))) is not None
    await in_thread(lambda: log.renew(node))


@pytest.mark.usefixtures("hurried")
async def test_a_file_that_another_program_has_locked(
    start: Start, log: SqliteLog, caplog: pytest.LogCaptureFixture
) -> None:
    node = await log.join()
    holder = await start("hold")
    assert await holder.line() == ["held"]
    await expect_outage(log, node, holder.kill)
    said = [each.getMessage() for each in caplog.records if each.name == "mcp_app.eventlog"]
    assert len(said) == 2
    assert "cannot be written: another program has locked the file (error_id " in said[0]
    assert "it works again" in said[1]


@pytest.mark.usefixtures("hurried")
async def test_all_who_wait_have_waited_when_one_has(
    start: Start, log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one after the other, each its own five seconds."""
    begun: list[float] = []
    real = commits.begin

    def begin(connection: sqlite3.Connection, its_turn: turn.Turn, until: float) -> None:
        begun.append(until)
        real(connection, its_turn, until)

    monkeypatch.setattr(commits, "begin", begin)
    holder = await start("hold")
    await holder.line()
    first = asyncio.create_task(log.put("key/a", b"x", 2e9))
    await asyncio.sleep(0.1)
    others = [log.put(f"key/{at}", b"x", 2e9) for at in range(20)]
    failed = await within(asyncio.gather(first, *others, return_exceptions=True))
    assert [type(each) for each in failed] == [LogUnavailable] * 21
    assert len(begun) == 1


@pytest.mark.usefixtures("hurried")
async def test_a_process_that_has_stopped_in_its_turn(file: Path, log: SqliteLog) -> None:
    node = await log.join()
    folder = os.open(file.with_name("events.db-processes"), os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)

    async def go_on() -> None:
        os.close(folder)

    await expect_outage(log, node, go_on)


@pytest.mark.usefixtures("hurried")
async def test_a_locked_file_is_opened_when_it_is_free_again(file: Path, log: SqliteLog, start: Start) -> None:
    await log.join()
    holder = await start("hold")
    await holder.line()
    other = SqliteLog(SqliteAddress(file))
    with pytest.raises(LogUnavailable):
        await within(other.open())
    await holder.kill()
    await within(other.open())
    assert await other.nodes() == await log.nodes()
    await other.close()


async def test_a_log_is_closed_while_the_file_is_locked(file: Path, start: Start) -> None:
    log = SqliteLog(SqliteAddress(file))
    await log.open()
    node = await log.join()
    holder = await start("hold")
    await holder.line()
    writing = asyncio.create_task(log.put("key/a", b"x", 2e9))
    reading = asyncio.create_task(log.receive(node, loop_time() + SECONDS))
    await asyncio.sleep(0.1)
    await within(log.close())
    for each in (writing, reading):
        with pytest.raises(LogUnavailable):
            await within(each)
