"""`mcp-app call` as a process: piped, or in a terminal of its own. Every wait is bounded. Not a test."""

from __future__ import annotations

import asyncio
import codecs
import fcntl
import os
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 30.0
"""Generous: two cores, and other tests on them; a start of Python with httpx and rich alone takes one."""

ROOT = str(Path(__file__).parent.parent.parent)
COMMAND = [sys.executable, "-m", "mcp_app", "call"]

# A new session's leader gets the first terminal it opens as its controlling terminal: from then on ^C in it is SIGINT.
_IN_TERMINAL = (
    "import os,sys;os.close(os.open(os.ttyname(0),os.O_RDWR));os.execv(sys.executable,[sys.executable,*sys.argv[1:]])"
)


def environment(**changes: str) -> dict[str, str]:
    """Without what a developer's shell may say about colours, proxies and certificates."""
    drop = re.compile(r"NO_COLOR|FORCE_COLOR|CLICOLOR.*|TTY_.*|COLUMNS|LINES|SSL_CERT_.*|.*_proxy|.*_PROXY")
    kept = {name: value for name, value in os.environ.items() if not drop.fullmatch(name)}
    return {**kept, "PYTHONPATH": ROOT, "TERM": "xterm-256color", "XDG_STATE_HOME": "/nonexistent", **changes}


@dataclass
class Outcome:
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


async def call(*arguments: str | Path, stdin: str = "", cwd: str | Path = "/", **changes: str) -> Outcome:
    """Runs to its end, with pipes."""
    async with piped(*arguments, cwd=cwd, **changes) as child:
        async with asyncio.timeout(SECONDS):
            out, err = await child.communicate(stdin.encode())
    assert child.returncode is not None
    return Outcome(child.returncode, out.decode(), err.decode())


@asynccontextmanager
async def piped(
    *arguments: str | Path, cwd: str | Path = "/", stdout: int = asyncio.subprocess.PIPE, **changes: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs while the block does, with pipes."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *COMMAND, *map(str, arguments), stdin=pipe, stdout=stdout, stderr=pipe, cwd=cwd, env=environment(**changes)
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@dataclass
class Terminal:
    """What a user sees and types."""

    child: asyncio.subprocess.Process
    master: int
    text: str = ""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self) -> None:
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other side open any more
            data = b""
        self.text += self._decoder.decode(data)
        self._more.set()
        if not data:
            asyncio.get_running_loop().remove_reader(self.master)
            self.closed.set()

    async def until(self, pattern: str) -> None:
        """Raises TimeoutError when the output never matches."""
        async with asyncio.timeout(SECONDS):
            while not re.search(pattern, self.text):
                assert not self.closed.is_set(), f"ended without {pattern!r}:\n{self.text}"
                self._more.clear()
                await self._more.wait()

    async def end(self) -> int:
        """The exit status."""
        async with asyncio.timeout(SECONDS):
            await self.closed.wait()
        return await self.child.wait()

    @property
    def plain(self) -> str:
        """Without the escape sequences that rich writes: colours, cursor, erase."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.text)


@asynccontextmanager
async def terminal(
    *arguments: str | Path, cwd: str | Path = "/", columns: int = 100, **changes: str
) -> AsyncIterator[Terminal]:
    """Runs in a pseudo-terminal while the block does."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    command = [sys.executable, "-c", _IN_TERMINAL, *COMMAND[1:], *map(str, arguments)]
    child = await asyncio.create_subprocess_exec(
        *command, stdin=slave, stdout=slave, stderr=slave, cwd=cwd, env=environment(**changes), start_new_session=True
    )
    os.close(slave)
    shown = Terminal(child, master)
    loop = asyncio.get_running_loop()
    loop.add_reader(master, shown.read)
    try:
        yield shown
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()
        loop.remove_reader(master)
        os.close(master)
