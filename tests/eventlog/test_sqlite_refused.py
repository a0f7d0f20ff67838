"""Which files a shared log in SQLite refuses, and what it says then: what is wrong, and the remedy."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from mcp_app.config.settings import Settings
from mcp_app.eventlog.configured import shared_log
from mcp_app.eventlog.sqlite import opening
from mcp_app.eventlog.sqlite.address import SqliteAddress, Survives
from mcp_app.eventlog.sqlite.filesystem import NETWORK, file_system
from mcp_app.eventlog.sqlite.log import SqliteLog
from mcp_app.protocol.errors import LogRefused


async def refused(path: Path) -> str:
    """Why; and it is the same the second time, so that nothing was left behind."""
    log = SqliteLog(SqliteAddress(path))
    reasons = []
    for _ in range(2):
        with pytest.raises(LogRefused) as caught:
            await log.open()
        reasons.append(str(caught.value))
    await log.close()
    assert reasons[0] == reasons[1]
    assert reasons[0].startswith("MCP_APP_EVENT_LOG: ")
    return reasons[0]


def is_not_there(file: Path) -> bool:
    return not file.exists()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


# --- the address -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "survives"),
    [({}, Survives.KILL), ({"survives": "kill"}, Survives.KILL), ({"survives": "power"}, Survives.POWER)],
)
def test_what_the_log_survives_is_an_option(options: dict[str, str], survives: Survives) -> None:
    assert SqliteAddress.read("/var/lib/x/events.db", options) == SqliteAddress(Path("/var/lib/x/events.db"), survives)


@pytest.mark.parametrize("url", ["sqlite:///var/lib/events.db", "sqlite:////var/lib/events.db"])
def test_the_path_is_an_absolute_one(url: str) -> None:
    address = Settings(event_log=url).event_log
    assert str(SqliteAddress.read(address.path, address.options).path) == "/var/lib/events.db"


@pytest.mark.parametrize("options", [{"survives": "fire"}, {"survives": ""}, {"synchronous": "full"}])
def test_another_option_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(LogRefused, match=r"survives=kill .* survives=power"):
        SqliteAddress.read("/events.db", options)


async def test_the_setting_names_the_file(tmp_path: Path) -> None:
    log = shared_log(Settings(event_log=f"sqlite://{tmp_path}/with%20space.db?survives=power"))
    assert isinstance(log, SqliteLog)
    await log.open()
    assert not is_not_there(tmp_path / "with space.db")
    await log.close()
    with pytest.raises(LogRefused, match="survives"):
        shared_log(Settings(event_log=f"sqlite://{tmp_path}/events.db?mode=ro"))


@pytest.mark.parametrize(("survives", "synchronous"), [(Survives.KILL, 1), (Survives.POWER, 2)])
def test_what_it_survives_is_how_the_disk_is_waited_for(file: Path, survives: Survives, synchronous: int) -> None:
    connection = opening.connect(SqliteAddress(file, survives))
    assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    connection.close()


# --- the folder ------------------------------------------------------------------------------------------------------


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert f"the folder {tmp_path / 'no'} is not there. Create it" in await refused(tmp_path / "no" / "events.db")
    assert not (tmp_path / "no").exists()


async def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    assert "is not a file" in await refused(tmp_path)


async def test_a_file_in_the_place_of_the_sockets_folder(file: Path) -> None:
    file.with_name("events.db-processes").write_text("")
    assert "events.db-processes has to be a folder" in await refused(file)


async def test_a_folder_that_may_not_be_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is for a user that is not root, whom nothing is forbidden."""
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != file.parent and real(path, mode))
    assert "cannot be written: no permission to write. The file and its folder" in await refused(file)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "read-only"
    folder.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "none", folder], capture_output=True, timeout=20
    )
    if mounting.returncode:
        pytest.skip(f"no file system can be mounted here: {mounting.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True, timeout=20)


async def test_a_file_system_that_is_read_only(read_only: Path) -> None:
    assert "cannot be written: Read-only file system. The file and its folder" in await refused(read_only / "events.db")


async def test_a_network_file_system(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_file_system", lambda path: "nfs4")
    reason = await refused(file)
    assert "is on a network file system (nfs4)" in reason
    assert "redis://" in reason
    assert is_not_there(file)


TABLE = r"""
21 26 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 0:40 / /srv rw,relatime shared:9 - nfs4 files:/srv rw,vers=4.2
31 30 8:2 / /srv/local rw - xfs /dev/sdb rw
32 21 0:41 / /mnt/with\040space rw - fuse.sshfs user@host: rw
33 21 0:42 / /twice rw - ext4 /dev/sdc rw
34 33 0:43 / /twice rw - cifs //host/share rw
a line that is none
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/", "ext4"),
        ("/srvx", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/a/b", "nfs4"),
        ("/srv/local/a", "xfs"),
        ("/mnt/with space", "fuse.sshfs"),
        ("/twice/a", "cifs"),
    ],
)
def test_which_file_system_a_folder_is_on(folder: str, kind: str) -> None:
    assert file_system(PurePosixPath(folder), TABLE) == kind
    assert (kind in NETWORK) == (kind not in ("ext4", "xfs"))


def test_a_table_that_says_nothing() -> None:
    assert file_system(PurePosixPath("/a"), "") is None


def test_the_table_of_this_machine_is_read(tmp_path: Path) -> None:
    if not Path("/proc/self/mountinfo").exists():
        assert opening._file_system(tmp_path / "x") is None
    else:
        assert opening._file_system(tmp_path / "x")


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[b"x", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000], ids=["x", "text", "header"])
def garbage(file: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    file.write_bytes(request.param)
    yield file
    assert file.read_bytes() == request.param


async def test_garbage(garbage: Path) -> None:
    assert "Move it away, or name another file." in await refused(garbage)


@pytest.fixture
def shop(file: Path) -> Iterator[Path]:
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE orders (id)")
    connection.close()
    before = file.read_bytes()
    yield file
    assert file.read_bytes() == before


async def test_the_database_of_another_program(shop: Path) -> None:
    assert "is the database of another program. Name a file of its own" in await refused(shop)


async def test_a_newer_schema(file: Path) -> None:
    log = SqliteLog(SqliteAddress(file))
    await log.open()
    await log.close()
    connection = sqlite3.connect(file)
    connection.execute(f"PRAGMA user_version={opening.SCHEMA + 1}")
    connection.close()
    reason = await refused(file)
    assert (
        f"a newer release (schema {opening.SCHEMA + 1}, this one knows {opening.SCHEMA}). Start that release" in reason
    )


@pytest.fixture
def empty(file: Path) -> Path:
    file.touch()
    return file


async def test_an_empty_file_becomes_the_log(empty: Path) -> None:
    log = SqliteLog(SqliteAddress(empty))
    await log.open()
    assert await log.nodes() == frozenset()
    await log.close()


async def test_a_new_file_is_for_its_owner_only(file: Path) -> None:
    log = SqliteLog(SqliteAddress(file))
    await log.open()
    await log.join()
    modes = {each.name: each.stat().st_mode & 0o777 for each in file.parent.iterdir()}
    assert modes == {
        "events.db": 0o600,
        "events.db-wal": 0o600,
        "events.db-shm": 0o600,
        "events.db-processes": 0o700,
    }
    await log.close()


async def test_a_path_that_is_longer_than_the_address_of_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 120) / "b"
    folder.mkdir(parents=True)
    log = SqliteLog(SqliteAddress(folder / "events.db"))
    await log.open()
    assert await log.join() in await log.nodes()
    await log.close()
