"""How the instructions of a running process are counted: by the processor where it lets us, else by valgrind.

Nothing of HTTP may be in here: what the process does meanwhile is a callable.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

CONTROL_SECONDS = 120.0
"""For one command to a counter. A dump of callgrind's is megabytes: a quarter of a second on an idle machine."""
EVENT = "instructions:u"


class Counter(Protocol):
    """One way to count."""

    name: str
    calls: int
    """How many make one count."""

    def command(self, directory: Path, command: Sequence[str]) -> list[str]:
        """The command that starts this one so that it can be counted. `directory` belongs to this process alone."""

    def prepare(self, pid: int, directory: Path) -> None:
        """Called once, when the process answers, before the calls that warm it up."""

    def count(self, pid: int, directory: Path, work: Callable[[], None]) -> int:
        """The process's instructions in user space, all threads, while `work` runs.

        Raises OSError, ValueError or subprocess.SubprocessError when they could not be counted.
        """


class Callgrind:
    """valgrind counts every instruction: exact, and 50 times as slow. A running one is controlled by `vgdb`."""

    name = "callgrind"
    calls = 150

    def command(self, directory: Path, command: Sequence[str]) -> list[str]:
        options = [
            "--tool=callgrind",
            "--instr-atstart=no",  # the start does not count, and takes 4 s instead of 25
            f"--callgrind-out-file={directory / 'callgrind'}",
            f"--log-file={directory / 'valgrind'}",
            self._prefix(directory),
        ]
        return ["valgrind", *options, *command]

    def prepare(self, pid: int, directory: Path) -> None:
        self._control(pid, directory, "instrumentation", "on")

    def count(self, pid: int, directory: Path, work: Callable[[], None]) -> int:
        self._control(pid, directory, "zero")
        work()
        self._control(pid, directory, "dump")
        [dump] = directory.glob("callgrind.*")
        total = callgrind_total(dump.read_text(encoding="utf-8", errors="replace"))
        dump.unlink()
        return total

    def _control(self, pid: int, directory: Path, *command: str) -> None:
        subprocess.run(
            ["vgdb", self._prefix(directory), f"--pid={pid}", *command],
            check=True,
            capture_output=True,
            timeout=CONTROL_SECONDS,
        )

    def _prefix(self, directory: Path) -> str:
        """Its pipes: in /tmp they would stay when the process is killed."""
        return f"--vgdb-prefix={directory / 'vgdb'}"


class Perf:
    """The processor counts, at no cost. More calls, as ASLR and interrupts make each count a little different."""

    name = "perf stat"
    calls = 3000

    def __init__(self, event: str = EVENT) -> None:
        self._event = event

    def command(self, directory: Path, command: Sequence[str]) -> list[str]:
        return list(command)

    def prepare(self, pid: int, directory: Path) -> None:
        """Nothing: perf attaches for each count."""

    def count(self, pid: int, directory: Path, work: Callable[[], None]) -> int:
        """perf attaches with its counters disabled (-D -1), and acknowledges what comes over the control pipe."""
        output = directory / "perf"
        control_in, control = os.pipe()
        ack, ack_out = os.pipe()
        disabled = ("-D", "-1", "--control", f"fd:{control_in},{ack_out}")
        try:
            perf = subprocess.Popen(
                ["perf", "stat", "-x", ",", "-e", self._event, "-p", str(pid), "-o", str(output), *disabled],
                pass_fds=(control_in, ack_out),
                stderr=subprocess.DEVNULL,
            )
            try:
                _control(control, ack, b"enable\n")
                work()
                _control(control, ack, b"disable\n")
                perf.send_signal(signal.SIGINT)  # it writes, and ends
                perf.wait(CONTROL_SECONDS)
            finally:
                perf.kill()
                perf.wait(CONTROL_SECONDS)
        finally:
            for each in (control_in, control, ack, ack_out):
                os.close(each)
        return perf_total(output.read_text(encoding="utf-8"), self._event)


def _control(control: int, ack: int, command: bytes) -> None:
    os.write(control, command)
    if not select.select([ack], [], [], CONTROL_SECONDS)[0]:
        raise TimeoutError(f"perf does not acknowledge {command!r}")
    if not (answer := os.read(ack, 64)).startswith(b"ack"):
        raise OSError(f"perf answers {answer!r} to {command!r}")


def callgrind_total(dump: str) -> int:
    """Instructions of one dump of callgrind's. Raises ValueError unless it has one summary line."""
    lines = [line for line in dump.splitlines() if line.startswith("summary:")]
    if len(lines) != 1:
        raise ValueError(f"a dump of callgrind's has {len(lines)} summary lines instead of one")
    return int(lines[0].removeprefix("summary:"))


def perf_total(written: str, event: str) -> int:
    """What `perf stat -x ,` wrote of this event. Raises ValueError when there is no number: `<not supported>`."""
    fields = [line.split(",") for line in written.splitlines()]
    values = [each[0] for each in fields if event in each[2:3] and not each[0].startswith("<")]
    if len(values) != 1:
        raise ValueError(f"perf has not counted {event}: {written.strip()!r}")
    return int(float(values[0]))


def best() -> Counter:
    """The one for this machine. Raises OSError where there is none."""
    if shutil.which("perf"):
        command = ["perf", "stat", "-x", ",", "-e", EVENT, "true"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CONTROL_SECONDS, check=False)
        try:
            perf_total(done.stderr, EVENT)
        except ValueError:
            pass  # most virtual machines do not let their guests count
        else:
            return Perf()
    if shutil.which("valgrind"):
        return Callgrind()
    raise OSError("perf counts no instructions on this machine, and valgrind is missing (apt-get install valgrind)")
