"""Restarts a server when its files change: one process watches, another one serves.

The serving process is a new one each time, because Python cannot unload a module. It is stopped with SIGTERM like any
other, so that its streams get their last event. This module does not know what is served.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

INTERVAL_SECONDS = 0.5
"""Polling interval: as fast as a person saves and switches windows, for some 100 stat calls."""

KILL_SECONDS = 30.0
"""Time for the serving process to end after SIGTERM: more than its own last resort takes, so that this is never
needed."""

Snapshot = dict[Path, tuple[int, int]]


def supervise(command: Sequence[str], watched: Sequence[Path]) -> int:
    """Run `command`, again whenever a file of `watched` (folders: their .py files) changes, until SIGTERM or Ctrl-C.

    Returns the exit status of the last process, 0 if it was stopped before it could serve. One that fails to start is
    started again at the next change.
    """
    stop = _StopSignals()
    status = 0
    while not stop.requested:
        before = snapshot(watched)
        # In its own process group: Ctrl-C reaches only this process, which forwards it once, as SIGTERM.
        child = subprocess.Popen(command, process_group=0)  # noqa: S603 - this program, with its own arguments
        stop.child = child
        changed = _wait_for_change(child, watched, before, stop)
        if not stop.requested:
            child.terminate()  # otherwise it already got SIGTERM: a second one would end it at once
        _wait_or_kill(child)
        status = 0 if stop.requested and child.returncode == -signal.SIGTERM else child.returncode
        if changed is None and not stop.requested:
            if status == 0:
                return 0  # stopped on purpose
            _log("it did not start; waiting for a change")
            changed = _wait_for_change(None, watched, before, stop)
        if changed is not None:
            _log(f"{changed} has changed: starting again")
    return status


class _StopSignals:
    """SIGTERM, SIGINT and the end of the terminal: the first stops the serving process, a second one kills it.

    The serving process is in another group than the terminal's, which does not tell it of its end.
    """

    def __init__(self) -> None:
        self.requested = False
        self.child: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # of nohup
                signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and self.requested:
            return  # the end of a terminal is told twice, by the kernel and by its shell
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL if self.requested else signal.SIGTERM)
        self.requested = True


def snapshot(watched: Sequence[Path]) -> Snapshot:
    """Modification time and size of each file; missing files are left out."""
    found: Snapshot = {}
    for path in _files(watched):
        try:
            status = path.stat()
        except OSError:
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def _files(watched: Sequence[Path]) -> Iterator[Path]:
    for path in watched:
        if path.is_dir():
            yield from path.rglob("*.py")
        else:
            yield path
            if path.suffix == ".py":
                yield from path.parent.glob("*.py")  # modules beside it, which it may import


def _wait_for_change(
    child: subprocess.Popen[bytes] | None, watched: Sequence[Path], before: Snapshot, stop: _StopSignals
) -> Path | None:
    """Wait for a change and return its file; None if `child` ends or a stop is requested first."""
    while not stop.requested and (child is None or child.poll() is None):
        time.sleep(INTERVAL_SECONDS)
        now = snapshot(watched)
        if now != before:
            return min(path for path in {*now, *before} if now.get(path) != before.get(path))
    return None


def _wait_or_kill(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _log(message: str) -> None:
    sys.stderr.write(f"mcp-app: {message}\n")
    sys.stderr.flush()
