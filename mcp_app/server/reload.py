"""Starting a server again when its files change: a process that watches, and one that serves.

The serving process is a whole new one each time, because Python cannot take a module back. It is stopped as anybody
would stop it, by SIGTERM, so that its streams get their last event. What is served is not known here.
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
"""Between two looks at the files: as fast as a person saves and switches windows, for some 100 stat calls."""

PATIENCE_SECONDS = 30.0
"""For the serving process to end after SIGTERM: more than its own last resort takes, so that this is never needed."""

Snapshot = dict[Path, tuple[int, int]]


def supervise(command: Sequence[str], watched: Sequence[Path]) -> int:
    """Run `command`, again whenever a file of `watched` (folders: their .py files) changes, until SIGTERM or Ctrl-C.

    Returns the exit status of the last process, 0 when it was stopped before it could serve. One that fails to start
    is started again at the next change.
    """
    stop = _Stop()
    status = 0
    while not stop.asked:
        before = snapshot(watched)
        # A process group of its own: Ctrl-C reaches only this process, which passes it on once, as SIGTERM.
        child = subprocess.Popen(command, process_group=0)  # noqa: S603 - this program itself, with its own arguments
        stop.child = child
        changed = _until_change(child, watched, before, stop)
        if not stop.asked:
            child.terminate()  # otherwise it has been asked already: a second time would end it at once
        _wait(child)
        status = 0 if stop.asked and child.returncode == -signal.SIGTERM else child.returncode
        if changed is None and not stop.asked:
            if status == 0:
                return 0  # somebody has stopped it on purpose
            _say("it did not start; waiting for a change")
            changed = _until_change(None, watched, before, stop)
        if changed is not None:
            _say(f"{changed} has changed: starting again")
    return status


class _Stop:
    """SIGTERM and SIGINT: the first asks the serving process to stop, a second one kills it."""

    def __init__(self) -> None:
        self.asked = False
        self.child: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGKILL if self.asked else signal.SIGTERM)
        self.asked = True


def snapshot(watched: Sequence[Path]) -> Snapshot:
    """When each file was written and how long it is; files that are not there are left out."""
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
                yield from path.parent.glob("*.py")  # its neighbours, which it may import


def _until_change(
    child: subprocess.Popen[bytes] | None, watched: Sequence[Path], before: Snapshot, stop: _Stop
) -> Path | None:
    """Wait for a change and return its file; None when `child` ends or a stop is asked for first."""
    while not stop.asked and (child is None or child.poll() is None):
        time.sleep(INTERVAL_SECONDS)
        now = snapshot(watched)
        if now != before:
            return min(path for path in {*now, *before} if now.get(path) != before.get(path))
    return None


def _wait(child: subprocess.Popen[bytes]) -> None:
    try:
        child.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _say(message: str) -> None:
    sys.stderr.write(f"mcp-app: {message}\n")
    sys.stderr.flush()
