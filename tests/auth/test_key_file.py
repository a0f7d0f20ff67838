"""The file of keys on a disk: whose it must be, how it is changed, and what others see meanwhile."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_app.auth import key_file
from mcp_app.auth.key_file import KeyFile, KeyFileError
from mcp_app.auth.key_records import KeyRecord

ROOT = Path(__file__).parent.parent.parent


def record(name: str, id_: str = "A" * 12) -> KeyRecord:
    return KeyRecord(id_, name, bytes(32), frozenset({"read"}), created=0)


def adding(name: str, id_: str = "A" * 12) -> Callable[[dict[str, KeyRecord]], None]:
    def change(records: dict[str, KeyRecord]) -> None:
        records[id_] = record(name, id_)

    return change


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    made = KeyFile(tmp_path / "keys.json")
    made.change(adding("ci"), create=True)
    return made


def test_what_was_put_there_is_read(file: KeyFile) -> None:
    assert file.read() == {"A" * 12: record("ci")}
    before = file.signature()
    file.change(adding("other", "B" * 12))
    assert [each.name for each in file.read().values()] == ["ci", "other"]
    assert file.signature() != before


def test_it_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = KeyFile(tmp_path / "keys.json")
        file.change(adding("ci"), create=True)
    finally:
        os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "keys.json": 0o600,
        ".keys.json.lock": 0o600,
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
def test_what_root_writes_stays_its_owners(file: KeyFile, tmp_path: Path) -> None:
    os.chown(tmp_path, 4711, 4712)
    os.chown(file.path, 4711, 4712)
    file.change(adding("other", "B" * 12))
    (tmp_path / f".new.json.{os.getpid()}.new").write_text("of a crash")
    KeyFile(tmp_path / "new.json").change(adding("ci"), create=True)
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in tmp_path.iterdir()}
    assert owners == dict.fromkeys(["keys.json", ".keys.json.lock", "new.json", ".new.json.lock"], (4711, 4712))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o700, 0o610])
def test_one_that_others_can_reach_is_refused(file: KeyFile, mode: int) -> None:
    file.path.chmod(mode)
    with pytest.raises(KeyFileError, match=rf"others can reach the keys \(mode {mode:o}\): chmod 600"):
        file.read()
    with pytest.raises(KeyFileError, match="chmod 600"):
        file.change(adding("other"))


def test_one_that_only_its_owner_can_read_is_read(file: KeyFile) -> None:
    file.path.chmod(0o400)
    assert len(file.read()) == 1


def test_one_of_another_user_is_refused(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file.os, "geteuid", lambda: 4711)
    real = os.fstat

    def of_somebody(descriptor: int) -> os.stat_result:
        found = list(real(descriptor))
        found[4] = 4712
        return os.stat_result(found)

    monkeypatch.setattr(key_file.os, "fstat", of_somebody)
    with pytest.raises(KeyFileError, match="belongs to the user 4712"):
        file.read()


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(KeyFileError, match=r"this is no file|Is a directory"):
            KeyFile(path).read()


def test_one_that_is_missing_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="no such file of keys; `mcp-app keys add NAME --file"):
        KeyFile(tmp_path / "none.json").read()
    assert KeyFile(tmp_path / "none.json").signature() is None
    with pytest.raises(KeyFileError, match="no such file"):
        KeyFile(tmp_path / "none.json").change(adding("ci"))
    with pytest.raises(KeyFileError, match="cannot be written"):
        KeyFile(tmp_path / "none" / "keys.json").change(adding("ci"), create=True)


def test_one_that_is_half_written_or_endless_is_refused(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    text = file.path.read_bytes()
    file.path.write_bytes(text[: len(text) // 2])
    with pytest.raises(KeyFileError, match="this is no file of keys: it is no JSON"):
        file.read()
    with pytest.raises(KeyFileError, match="this is no file of keys"):
        file.change(adding("other"), create=True)  # what somebody is writing is not replaced
    monkeypatch.setattr(key_file, "MAX_BYTES", 10)
    file.path.write_bytes(text)
    with pytest.raises(KeyFileError, match="more than 10 bytes"):
        file.read()


def test_a_change_that_fails_changes_nothing(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    before = file.path.read_bytes()

    def fails(records: dict[str, KeyRecord]) -> None:
        records.clear()
        raise LookupError

    with pytest.raises(LookupError):
        file.change(fails)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(key_file.os, "fsync", full)
    with pytest.raises(KeyFileError, match="No space left on device"):
        file.change(adding("other"))
    assert file.path.read_bytes() == before
    assert sorted(path.name for path in file.path.parent.iterdir()) == [".keys.json.lock", "keys.json"]


def test_a_link_stays_one(file: KeyFile, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.json"
    link.symlink_to(file.path)
    KeyFile(link).change(adding("other", "B" * 12))
    assert link.is_symlink()
    assert len(file.read()) == 2


def test_a_link_in_the_place_of_the_lock_is_not_followed(file: KeyFile, tmp_path: Path) -> None:
    lock = tmp_path / ".keys.json.lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "precious")
    with pytest.raises(KeyFileError, match="cannot be written"):
        file.change(adding("other"))
    assert not (tmp_path / "precious").exists()


def test_who_waits_for_the_lock_too_long_is_told(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "LOCK_SECONDS", 0.05)
    with open(file.path.with_name(".keys.json.lock"), "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(KeyFileError, match="has held the lock"):
            file.change(adding("other"))
    file.change(adding("other"))


ADDS = """
import sys
from mcp_app.auth.key_file import KeyFile
from mcp_app.auth.key_records import KeyRecord

for number in range(10):
    id_ = f"{sys.argv[2]}{number}".ljust(12, "x")
    KeyFile(sys.argv[1]).change(lambda records: records.update({id_: KeyRecord(id_, id_, bytes(32), frozenset(), 0)}))
"""


def test_no_change_is_lost_and_who_reads_sees_a_whole_file(file: KeyFile) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", ADDS, str(file.path), letter], cwd=ROOT) for letter in ("a", "b", "c")
    ]
    done = threading.Event()
    read: list[int] = []
    failed: list[Exception] = []

    def reading() -> None:
        while not done.is_set():
            try:
                read.append(len(file.read()))
            except Exception as error:
                failed.append(error)
                return

    reader = threading.Thread(target=reading)
    reader.start()
    try:
        assert [process.wait(50) for process in processes] == [0, 0, 0]
    finally:
        done.set()
        reader.join()
    assert not failed
    assert read == sorted(read)
    assert len(file.read()) == 31
