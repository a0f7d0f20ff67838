"""What a shared log in SQLite does with its disk: one that is full, one that has lost its power, and how often it is
written."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from contract import PLENTY, SECONDS, events, numbers
from shared_contract import loop_time, new_id, read_all, record, within

from mcp_app.aio.in_thread import in_thread
from mcp_app.eventlog.records import Ending
from mcp_app.eventlog.sqlite import opening
from mcp_app.eventlog.sqlite.address import SqliteAddress, Survives
from mcp_app.eventlog.sqlite.commits import CommitThread, Transaction
from mcp_app.eventlog.sqlite.doorbell import Doorbell
from mcp_app.eventlog.sqlite.log import SqliteLog
from mcp_app.protocol.errors import Gap, LogUnavailable, Purged
from mcp_app.protocol.event import Event, EventType
from mcp_app.protocol.policy import Retention


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
async def log(file: Path) -> AsyncIterator[SqliteLog]:
    log = SqliteLog(SqliteAddress(file))
    await log.open()
    yield log
    await log.close()


def remove(file: Path) -> None:
    file.unlink()


def size(file: Path) -> int:
    return file.stat().st_size


# --- a disk that is full ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True, timeout=20
    )
    if mounting.returncode:
        pytest.skip(f"no file system can be mounted here: {mounting.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True, timeout=20)


@pytest.fixture
def ballast(small_disk: Path) -> Path:
    """Half of what the disk has."""
    file = small_disk / "ballast"
    file.write_bytes(bytes(1024 * 1024))
    return file


async def test_a_full_disk_loses_nothing_and_is_recovered_from(
    small_disk: Path, ballast: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = SqliteLog(SqliteAddress(small_disk / "events.db"))
    await log.open()
    node = await log.join()
    runs = [record(node) for _ in range(5)]
    for run in runs:
        await log.create(run, PLENTY)
    shown = dict.fromkeys((run.id for run in runs), 0)

    async def fill(run: str) -> None:
        while True:
            await within(log.append(run, node, shown[run] + 1, events(1, size=1000, first=shown[run])))
            shown[run] += 1

    ended = await within(asyncio.gather(*(fill(run.id) for run in runs), return_exceptions=True))
    assert all(isinstance(each, LogUnavailable) and each.error_id for each in ended), ended
    assert sum(shown.values()) > 40
    with pytest.raises(LogUnavailable):
        await within(log.append(runs[0].id, node, shown[runs[0].id] + 1, events(400, size=5000)))

    await in_thread(lambda: log.renew(node))  # nobody dies of it
    assert await log.take_over(node, 10) == []  # writes nothing, and so is no sign that there is room
    with pytest.raises(LogUnavailable):
        await within(log.append(runs[0].id, node, shown[runs[0].id] + 1, events(400, size=5000)))
    for run, last in shown.items():  # what was shown can be read meanwhile
        assert [entry.event for entry in await read_all(log, run)][:last] == events(last, size=1000)

    remove(ballast)
    for run, last in shown.items():
        await within(log.append(run, node, last + 1, events(2, size=1000, first=last)))
        entries = await read_all(log, run)
        assert numbers(entries) == list(range(1, last + 3))
        assert [entry.event for entry in entries] == events(last + 2, size=1000)
    await log.close()
    said = [each.getMessage() for each in caplog.records if each.name == "mcp_app.eventlog"]
    assert len(said) == 2, "once when it begins, and once when it is over"
    assert "cannot be written: database or disk is full (error_id " in said[0]
    assert "it works again" in said[1]


# --- a start of the machine ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("survives", Survives)
async def test_after_a_loss_of_power_readers_are_told_and_never_get_a_hole(
    file: Path, survives: Survives, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk has the first three of the five entries that readers have seen, and another two are appended."""
    before = SqliteLog(SqliteAddress(file, survives))
    await before.open()
    node = await before.join()
    run, ended = record(node), record(node)
    for each in (run, ended):
        await before.create(each, PLENTY)
        await before.append(each.id, node, 1, events(3))
    await before.append(ended.id, node, 4, events(1, first=3), Ending("complete", await before.now() + 60))
    await before.send(node, b"left")
    await before.close()

    monkeypatch.setattr(opening, "_boot", lambda: "another start")
    after = SqliteLog(SqliteAddress(file))
    await after.open()
    assert await after.nodes() == frozenset()
    node = await after.join()
    (taken,) = await after.take_over(node, 10)
    assert taken.id == run.id
    assert taken.end == 9
    await after.append(run.id, node, taken.last + 1, events(2, first=7))
    assert numbers(await within(after.read(ended.id, 0, loop_time()))) == [1, 2, 3, 4]
    if survives is Survives.KILL:
        for seen in (0, 3, 5):
            with pytest.raises(Purged):
                await within(after.read(run.id, seen, loop_time() + SECONDS))
        assert len(await read_all(after, run.id, taken.last)) == 2
    else:
        assert numbers(await read_all(after, run.id)) == [1, 2, 3, 4, 5]
    await after.close()


async def test_a_second_process_of_the_same_start_changes_nothing(file: Path, log: SqliteLog) -> None:
    node = await log.join()
    run = record(node)
    await log.create(run, PLENTY)
    await log.append(run.id, node, 1, events(3))
    other = SqliteLog(SqliteAddress(file))
    await other.open()
    assert await other.nodes() == {node}
    assert numbers(await read_all(other, run.id)) == [1, 2, 3]
    await other.close()


# --- transactions ----------------------------------------------------------------------------------------------------


async def test_what_comes_at_once_is_one_transaction_and_one_that_is_refused_harms_no_other(file: Path) -> None:
    folder = file.with_name("processes")
    folder.mkdir()
    doorbell = Doorbell(folder)
    changed: list[set[str]] = []
    thread = CommitThread(SqliteAddress(file), doorbell, changed.append)
    await thread.start()

    def put(transaction: Transaction, name: int) -> int:
        if name == 5:
            raise Gap(3)
        transaction.connection.execute("INSERT INTO document VALUES (?, '', 1, 0)", (str(name),))
        transaction.changed.add(str(name))
        return name

    outcomes = await within(
        asyncio.gather(
            *(thread.submit(lambda it, name=name: put(it, name)) for name in range(200)), return_exceptions=True
        )  # type: ignore[misc]
    )
    assert isinstance(outcomes.pop(5), Gap)
    assert outcomes == [name for name in range(200) if name != 5]
    assert set.union(*changed) == set(map(str, outcomes))
    assert thread.transactions == len(changed) < 50
    count = await thread.submit(lambda it: it.connection.execute("SELECT count(*) FROM document").fetchone())
    assert count == (199,)

    def half(transaction: Transaction) -> None:
        put(transaction, 1000)
        raise Gap(1)

    with pytest.raises(LogUnavailable):
        await within(thread.submit(half))
    count = await within(thread.submit(lambda it: it.connection.execute("SELECT count(*) FROM document").fetchone()))
    assert count == (199,)
    await thread.close()
    doorbell.close()


async def test_who_is_cancelled_has_appended_all_the_same(log: SqliteLog) -> None:
    node = await log.join()
    run = record(node)
    await log.create(run, PLENTY)
    for at in range(20):
        appending = asyncio.create_task(log.append(run.id, node, at + 1, events(1, first=at)))
        await asyncio.sleep(0)
        appending.cancel()
    await log.append(run.id, node, 21, events(1, first=20))
    assert [entry.event for entry in await read_all(log, run.id)] == events(21)


async def test_what_is_over_leaves_the_file(file: Path, log: SqliteLog) -> None:
    """So that it does not grow for ever: each new one removes more than one of those whose time is over."""
    node, now = await log.join(), await log.now()
    for _ in range(3):
        for at in range(40):
            run = record(node)
            await log.create(run, PLENTY)
            await log.append(run.id, node, 1, events(3), Ending("complete", now - 1))
            await log.put(f"claim/{new_id()}", b"", now - 1, version=0)
            assert at < 40
    connection = sqlite3.connect(file)
    for table, most in (("run", 3), ("entry", 9), ("document", 3)):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] <= most
    connection.close()


@pytest.mark.parametrize("keep", [Retention(100, 10**9), Retention(10**9, 50_000)], ids=["entries", "bytes"])
async def test_entries_beyond_the_retention_leave_the_file(file: Path, log: SqliteLog, keep: Retention) -> None:
    node = await log.join()
    run = record(node)
    await log.create(run, keep)
    for at in range(0, 2000, 20):
        batch = [Event(EventType.PROGRESS, b"%0498d" % number, b"{}") for number in range(at, at + 20)]
        await log.append(run.id, node, at + 1, batch)
        oldest = at + 21 - 100
        if oldest > 1:
            with pytest.raises(Purged):
                await log.read(run.id, oldest - 2, loop_time())
        assert (await log.read(run.id, max(0, oldest - 1), loop_time()))[0].number == max(1, oldest)
    connection = sqlite3.connect(file)
    assert 100 <= connection.execute("SELECT count(*) FROM entry").fetchone()[0] <= 132
    connection.close()


async def test_the_wal_does_not_grow_while_somebody_reads(file: Path, log: SqliteLog) -> None:
    """A checkpoint waits for readers, whose snapshots are short: the WAL begins again at its start."""
    node = await log.join()
    run = record(node)
    await log.create(run, Retention(300, 10**9))
    done = asyncio.Event()

    async def read() -> int:
        batches = 0
        while not done.is_set():
            with suppress(Purged):
                await log.read(run.id, (await log.record(run.id)).last - 1, loop_time() + 0.1)
            batches += 1
        return batches

    readers = [asyncio.create_task(read()) for _ in range(5)]
    for at in range(0, 4000, 50):
        batch = [Event(EventType.PROGRESS, b"%09998d" % number, b"{}") for number in range(at, at + 50)]
        await log.append(run.id, node, at + 1, batch)
    done.set()
    assert min(await within(asyncio.gather(*readers))) > 10
    assert size(file.with_name("events.db-wal")) < 15_000_000 < 4000 * 10_000
    assert size(file) < 10_000_000


def test_a_log_without_a_known_start_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert opening._boot()
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError()))
    assert opening._boot() == ""
