"""`mcp-app serve` in a terminal of its own, as a shell starts it. Not a test; no test's expectations belong here."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

from live_server import START_SECONDS

ROOT = Path(__file__).parent.parent.parent


class Terminal:
    """A shell's: the process leads its session, and has it as its controlling terminal and its standard streams."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "mcp_app", "serve", "my_tools.py", "--no-tls", "--bind", "127.0.0.1:0", *words]
        env = os.environ | {"PYTHONPATH": str(ROOT), "XDG_STATE_HOME": str(folder)}
        self.process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        self._is_open = True
        self.shown = ""

    def show(self, words: str) -> str:
        """Read until these words are on the screen."""
        until = time.monotonic() + START_SECONDS
        while words not in self.shown:
            readable, _, _ = select.select([self._ours], [], [], max(0.0, until - time.monotonic()))
            assert readable, self.shown
            self.shown += os.read(self._ours, 4096).decode()
        return self.shown

    def close(self) -> None:
        """Close the window: the kernel sends SIGHUP."""
        if self._is_open:
            self._is_open = False
            os.close(self._ours)

    def kill(self) -> None:
        """End what is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(START_SECONDS)
        self.close()


@contextlib.contextmanager
def in_terminal(folder: Path, *words: str) -> Iterator[tuple[Terminal, str]]:
    """The terminal in which `my_tools.py` is served, and the URL that stands there."""
    terminal = Terminal(folder, *words)
    try:
        shown = terminal.show("Stop with Ctrl-C")
        yield terminal, next(line.strip() for line in shown.splitlines() if line.startswith("  http://"))
    finally:
        terminal.kill()
