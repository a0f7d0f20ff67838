"""Where the log's lines go: nobody waits for its reader, and what cannot be written is counted, and leaks nothing."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcp_app.server.logs import output
from mcp_app.server.logs.lines import LogFormat
from mcp_app.server.logs.output import MAX_LINES, Output, ToOutput

BOUND = 20.0


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for each in (reading, writing):
        with contextlib.suppress(OSError):  # the test has closed it
            os.close(each)


def read_until(descriptor: int, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        piece = os.read(descriptor, 1 << 20)
        assert piece, data
        data += piece
    return data


def test_lines_come_whole_and_in_their_order_from_many_threads(pipe: tuple[int, int]) -> None:
    target = Output(pipe[1])
    numbers = range(200)
    threads = [threading.Thread(target=lambda n=n: [target.write(f"{n} {i}") for i in numbers]) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(BOUND)
    target.write("last")
    lines = read_until(pipe[0], b"last\n").decode().splitlines()
    for n in range(4):
        assert [line for line in lines if line.startswith(f"{n} ")] == [f"{n} {i}" for i in numbers]


def test_each_write_has_whole_lines_that_a_pipe_takes_in_one_piece(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several workers write to one pipe."""
    written: list[bytes] = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: written.append(bytes(data)) or write(descriptor, data))
    monkeypatch.setattr(output, "GATHER_SECONDS", 0.3)
    target = Output(pipe[1])
    expected = [f"{number} {'x' * number}" for number in range(0, 1000, 10)]
    expected.insert(50, "y" * 9000)
    for line in expected:
        target.write(line)
    assert read_until(pipe[0], f"{expected[-1]}\n".encode()).decode().splitlines() == expected
    assert len(written) < 30
    assert all(piece.endswith(b"\n") for piece in written)
    assert [len(piece) for piece in written if len(piece) > select.PIPE_BUF] == [9001]


def test_of_lines_that_are_written_in_part_the_rest_is_lost(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, pieces = os.write, itertools.count()

    def fails(descriptor: int, data: bytes) -> int:
        if next(pieces) == 1:
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", fails)
    monkeypatch.setattr(output, "GATHER_SECONDS", 0.3)
    target = Output(pipe[1])
    for _ in range(8):
        target.write("x" * 999)  # four of them are a piece
    assert target.flush(BOUND)
    assert target.lost == 4


def test_a_log_that_nobody_reads_costs_lines_and_is_counted(pipe: tuple[int, int]) -> None:
    target = Output(pipe[1])
    for number in range(MAX_LINES * 4):
        target.write(f"{number:05} {'x' * 200}")  # more than a pipe takes: the thread waits, and nobody else
    assert not target.flush(0.01)
    assert target.lost > 0
    lost = target.lost
    reader = threading.Thread(target=lambda: [os.read(pipe[0], 1 << 16) for _ in iter(lambda: reading.is_set(), False)])
    reading = threading.Event()
    reading.set()
    reader.start()
    assert target.flush(BOUND)
    target.write("read again")
    assert target.flush(BOUND)
    reading.clear()
    target.write("so that the reader ends")
    reader.join(BOUND)
    assert target.lost == 0, f"the {lost} lost lines are reported once somebody reads"


def test_a_reader_that_has_left_costs_the_lines(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    target = Output(pipe[1])
    target.write("one")
    target.write("two")
    assert target.flush(BOUND)
    assert target.lost == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_costs_the_lines_until_there_is_room(pipe: tuple[int, int]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    target = Output(full)
    target.write("lost")
    assert target.flush(BOUND)
    os.dup2(pipe[1], full)
    target.write("kept")
    assert target.flush(BOUND)
    text = os.read(pipe[0], 1 << 16).decode()
    assert text == "kept\nmcp-app: 1 lines of the log before this one are lost: they could not be written\n"
    os.close(full)


def test_a_descriptor_that_somebody_made_non_blocking_is_waited_for(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    target = Output(pipe[1])
    target.write("x" * 1_000_000)
    assert len(read_until(pipe[0], b"\n")) == 1_000_001


def test_without_a_descriptor_nothing_is_written() -> None:
    target = Output(None)
    target.write("x")
    assert target.flush(0)


def test_a_forked_process_writes_its_own_lines_once(pipe: tuple[int, int]) -> None:
    target = Output(pipe[1])
    target.write("parent")
    child = os.fork()
    if child == 0:
        target.write("child")
        os._exit(0 if target.flush(BOUND) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert target.flush(BOUND)
    assert sorted(os.read(pipe[0], 1 << 16).decode().splitlines()) == ["child", "parent"]


def test_a_line_that_cannot_be_formatted_names_its_place_and_no_argument(
    pipe: tuple[int, int], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCP_APP_SECRET", "topsecrettopsecret")
    to_output = ToOutput(Output(pipe[1]), LogFormat())
    record = logging.LogRecord("x", logging.ERROR, "some/place.py", 7, "%d", ("Bearer my-token", os.environ), None)
    to_output.handle(record)
    assert to_output.output.flush(BOUND)
    text = os.read(pipe[0], 1 << 16).decode()
    assert text == "mcp-app: a line of the log could not be formatted: place.py:7\n"
    assert capfd.readouterr() == ("", "")


def test_logging_shut_down_by_a_configuration_waits_for_nobody(pipe: tuple[int, int]) -> None:
    to_output = ToOutput(Output(pipe[1]), LogFormat())
    logging.shutdown([lambda: to_output])  # type: ignore[list-item] - as dictConfig does
    to_output.handle(logging.LogRecord("x", logging.ERROR, "p.py", 1, "still there", (), None))
    assert b"still there" in read_until(pipe[0], b"\n")


def test_standard_output_that_is_shut_is_not_the_next_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_shared", {})
    monkeypatch.setattr("sys.__stdout__", None)
    assert output.standard_output()._descriptor is None


def test_a_named_pipe_is_opened_for_its_reader_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_shared", {})
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(OSError, match="nobody reads this named pipe"):
        output.file(str(path))
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    target = output.file(str(path))
    assert target._descriptor is not None
    assert os.get_blocking(target._descriptor)
    target.write("read")
    assert target.flush(BOUND)
    assert os.read(reading, 1 << 16) == b"read\n"
    os.close(reading)
    with pytest.raises(OSError, match="nobody reads this named pipe"):
        output.reopen_files()
    os.close(target._descriptor)
