"""Which files can be opened: those below the root, and nothing that a name, a link or a race leads to."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_app import ToolError
from mcp_app.builtin.analyze_dataset.data_file import data_files, open_below
from mcp_app.builtin.analyze_dataset.quoting import clean_names, identifier, literal


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "a.csv").write_text("inside")
    (root / "deep" / "er" / "b.csv").write_text("below")
    (tmp_path / "secret.csv").write_text("secret")
    (root / "link.csv").symlink_to(tmp_path / "secret.csv")
    (root / "inner.csv").symlink_to(root / "a.csv")
    (root / "linked").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(root / "pipe.csv")
    return root


def read(root: Path, name: str) -> bytes:
    with open_below(root, name) as file:
        assert os.path.samestat(os.stat(file.path), os.fstat(file.descriptor))
        return os.pread(file.descriptor, 100, 0)


@pytest.mark.parametrize(("name", "content"), [("a.csv", b"inside"), ("deep/er/b.csv", b"below")])
def test_a_file_below_the_root_is_opened(root: Path, name: str, content: bytes) -> None:
    assert read(root, name) == content


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../secret.csv", "is no file of this server's data"),
        ("deep/../../secret.csv", "is no file of this server's data"),
        ("./a.csv", "is no file of this server's data"),
        ("deep//er/b.csv", "is no file of this server's data"),
        ("a.csv/", "is no file of this server's data"),
        ("", "is no file of this server's data"),
        ("/etc/passwd", "is no file of this server's data"),
        ("a.csv\0.parquet", "is no file of this server's data"),
        ("http://localhost/x.csv", "is no file of this server's data"),
        ("*.csv", "There is no file"),
        ("a.csv' UNION SELECT 1", "There is no file"),
        ("~/a.csv", "There is no file"),
        ("x" * 300, "There is no file"),
        ("a.csv/b.csv", "There is no file"),
        ("link.csv", "is a link, and links are not followed"),
        ("inner.csv", "is a link, and links are not followed"),
        ("linked/secret.csv", "There is no file"),
        ("deep", "is a directory"),
        ("pipe.csv", "is a pipe"),
    ],
)
def test_nothing_else_is(root: Path, name: str, said: str) -> None:
    with pytest.raises(ToolError) as caught:
        read(root, name)
    assert said in caught.value.message
    assert "secret.csv'" not in caught.value.message or "secret" in name
    assert str(root) not in f"{caught.value.message} {caught.value.hint}"


def test_a_socket_and_a_device_are_refused(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)  # its address has 108 bytes
        try:
            server.bind("socket.csv")
        finally:
            os.chdir(here)
        with pytest.raises(ToolError, match="is a socket"):
            read(root, "socket.csv")
    with pytest.raises(ToolError, match="is a device"):
        read(Path("/dev"), "null")


def test_an_unknown_name_is_answered_with_those_that_there_are(root: Path) -> None:
    with pytest.raises(ToolError) as caught:
        read(root, "b.csv")
    assert caught.value.hint == "There are: a.csv, deep/er/b.csv."


def test_a_root_that_is_not_there_is_the_operators_to_correct(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        read(tmp_path / "nowhere", "a.csv")
    assert caught.value.hint == "Its operator names it by MCP_APP_DATA_ROOT."
    assert str(tmp_path) not in caught.value.message


def test_few_files_are_listed_of_many(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number:03d}.csv").touch()
    assert len(data_files(tmp_path)) == 20


def test_no_race_leads_outside(root: Path) -> None:
    """A directory and a link are exchanged all the time; what is opened is below the root, or nothing."""
    (root / "swap").mkdir()
    (root / "swap" / "secret.csv").write_text("inside")
    exchange = ctypes.CDLL(None).renameat2
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            exchange(-100, bytes(root / "swap"), -100, bytes(root / "linked"), 2)  # AT_FDCWD, RENAME_EXCHANGE

    thread = threading.Thread(target=swap)
    thread.start()
    found: set[bytes] = set()
    refused = 0
    try:
        for _ in range(3000):
            try:
                found.add(read(root, "swap/secret.csv"))
            except ToolError:
                refused += 1
    finally:
        stop.set()
        thread.join()
    assert refused
    assert found <= {b"inside"}


@given(st.lists(st.text(max_size=200)))
def test_clean_names_are_visible_and_none_is_there_twice(names: list[str]) -> None:
    found = clean_names(names)
    assert len(found) == len(names)
    assert len({each.casefold() for each in found}) == len(found)
    assert all(each.strip() and len(each) < 140 and "\0" not in each for each in found)


def test_quotes_are_doubled() -> None:
    assert identifier('a"b') == '"a""b"'
    assert literal("it's") == "'it''s'"
