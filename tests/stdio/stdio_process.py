"""`mcp-app serve --stdio` as a process of its own, and its client. Not a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

from stdio_stage import initialize, notification

ROOT = Path(__file__).parents[2]
BOUND = 40.0
"""Seconds for one thing to happen: two cores, and other tests on them."""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "mcp_app", "serve", "--stdio", *map(str, arguments)]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


class StdioProcess:
    """What a client has of its server: two pipes, what it logs, and its process."""

    def __init__(self, child: subprocess.Popen[bytes], log: Path) -> None:
        self.child = child
        self.log = log
        self._messages: Queue[Any] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.reading = False

    def read(self) -> None:
        """Begin to read, which a client that does not read never does."""
        if not self.reading:
            self.reading = True
            self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self._messages.put(json.loads(line))  # anything else would be a defect, which the test waits for in vain
        self._messages.put(None)

    def say(self, *messages: Any) -> None:
        for each in messages:
            self.raw((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n")

    def raw(self, data: bytes) -> None:
        assert self.child.stdin is not None
        self.child.stdin.write(data)
        self.child.stdin.flush()

    def next(self) -> Any:
        """The next message; None at the end of output."""
        return self._messages.get(timeout=BOUND)

    def ask(self, message: Mapping[str, Any]) -> Any:
        """The response to a request. What comes before it is dropped."""
        self.say(message)
        while (said := self.next()) is not None and said.get("id") != message["id"]:
            pass
        assert said is not None, self.log.read_text()
        return said

    def session(self) -> None:
        assert self.ask(initialize())["result"]
        self.say(notification("notifications/initialized"))

    def close(self) -> None:
        """Close its standard input."""
        assert self.child.stdin is not None
        self.child.stdin.close()

    def ended(self) -> int:
        """Its exit status, once it has ended."""
        return self.child.wait(BOUND)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.child.send_signal(number)


@contextmanager
def stdio_process(
    tmp_path: Path, *arguments: str | Path, read: bool = True, env: Mapping[str, str] | None = None
) -> Iterator[StdioProcess]:
    """The process, started in `tmp_path`; killed at the end, if it still runs."""
    log = tmp_path / "log"
    with log.open("wb") as said:
        child = subprocess.Popen(
            command(*arguments),
            cwd=tmp_path,
            env=environment(**(env or {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
        )
    process = StdioProcess(child, log)
    if read:
        process.read()
    try:
        yield process
    finally:
        if child.poll() is None:
            child.kill()
            child.wait(BOUND)
        if process.reading:
            process._reader.join(BOUND)
        for pipe in (child.stdin, child.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:  # what was not yet written
                continue
