"""One process that works for the server: started, written to, read from, killed. Of tools and runs nothing is known.

It is a new interpreter, not a fork: with a pipe to this one, and no other file descriptor but standard error. It is in
a process group of its own, which no Ctrl-C of a terminal reaches, and which ends with it: what a tool starts as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any, cast

from ..protocol.packets import Packet, PacketError, Unpacker, packed
from ..protocol.relay import PacketKind
from .sent_lines import write_line

_BOOT = "import sys;sys.path[:]=sys.argv[3:];from mcp_app.workers.child import main;main()"
"""What the interpreter runs. It gets the numbers of its two descriptors, and the path on which this one finds modules:
a tool's file may be found by what was added to it."""

_APART_SECONDS = 1.0
"""Between the end of a process and that of its stream, whose other end a fork may have; and the reverse: a tool that
closes all descriptors has cut itself off, and is killed."""

CUT_OFF = 113
"""The exit status of a process whose tool has closed its wire: an unlikely number for anything else."""

_ends: weakref.WeakSet[socket.socket] = weakref.WeakSet()
"""Our ends of the sockets: a forked copy of this process would keep its children alive."""


class Process(asyncio.Protocol):
    """A process, from its start to its end. `on_packet` gets what it says, `on_end` why it ended, once.

    No task is at work for it: whoever cancels all tasks, at the end of a loop, may still wait for its end.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.works = True
        """Whether it can be given work: it has not ended, and was not told to."""
        self.on_packet: Callable[[Packet], None] = _ignore
        self.on_end: Callable[[str], None] = _ignore
        self._popen: subprocess.Popen[bytes] | None = None
        self._lifeline: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._packets = Unpacker()
        self._reaping = threading.Lock()
        self._exited = self._lost = False
        self._why: str | None = None
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Once. Raises OSError if the system has no process to give, RuntimeError if it has no thread; `kill` must
        follow if it raises."""
        loop = asyncio.get_running_loop()
        ours = self._begin(loop)
        await loop.create_unix_connection(lambda: self, sock=ours)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._lifeline, held = socket.socketpair()
        _keep(ours, self._lifeline)
        with theirs, held, contextlib.ExitStack() as undone:
            undone.callback(ours.close)
            undone.callback(self._lifeline.close)
            self._popen = subprocess.Popen(  # noqa: S603 - this interpreter, with our own code
                [sys.executable, *_flags(), "-c", _BOOT, str(theirs.fileno()), str(held.fileno()), *map(str, sys.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if sys.__stderr__ is None else 2,
                stderr=subprocess.DEVNULL if sys.__stderr__ is None else None,
                pass_fds=(theirs.fileno(), held.fileno()),
                process_group=0,
            )
            self.pid = self._popen.pid
            # The end of a process is no event of every system's loop.
            threading.Thread(target=self._wait, args=(loop,), daemon=True, name=f"process-{self.pid}").start()
            undone.pop_all()
        return ours

    def send(self, packet: Packet) -> None:
        """Write to it, soon. What it no longer reads is lost. Raises PacketError for what is too large."""
        data = packed(packet)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def kill(self, why: str | None = None) -> None:
        """End it and all that it has started, at once. `why` is told in the place of the signal. Idempotent."""
        self.works = False
        self._why = self._why or why
        with self._reaping:
            if self._popen is not None and self._popen.returncode is None:
                _kill_group(self.pid)

    def abandon(self) -> None:
        """`kill` it, and hear nothing more of it: the loop ends now."""
        self.kill()
        if self._transport is not None:
            self._transport.abort()

    async def ended(self) -> None:
        """Wait until it has ended, and all it said was handed on."""
        await self._ended.wait()

    # --- its stream --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._exited:
            self._end_apart()

    def data_received(self, data: bytes) -> None:
        try:
            for packet in self._packets.feed(data):
                if packet.kind == PacketKind.LINE:
                    write_line(packet)
                else:
                    self.on_packet(packet)
        except PacketError as error:
            self.kill(f"sent what cannot be read ({error}), and was killed")
            self._packets = Unpacker()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._end_apart()

    # --- its end -----------------------------------------------------------------------------------------------------

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread."""
        assert self._popen is not None  # noqa: S101 - it was started
        if hasattr(os, "waitid"):  # macOS has it from Python 3.13 on
            with contextlib.suppress(ChildProcessError):  # a tool has waited for all children there are
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
                _kill_group(self.pid)  # what it has started and left behind, while the number is still its own
            with self._reaping:
                self._popen.wait()
        else:
            self._popen.wait()
        try:
            loop.call_soon_threadsafe(self._exit)
        except RuntimeError:
            pass  # the loop is closed: the server is exiting

    def _exit(self) -> None:
        self._exited, self.works = True, False
        self._end_apart()

    def _end_apart(self) -> None:
        """One of both ends has come: the process's own, and that of its stream."""
        loop = asyncio.get_running_loop()
        if not self._exited:
            self.works = False
            loop.call_later(_APART_SECONDS, self.kill, "closed its pipe to the server, and was killed")
        elif not self._lost:
            if self._transport is not None:
                loop.call_later(_APART_SECONDS, self._transport.abort)
        elif not self._ended.is_set():
            assert self._popen is not None  # noqa: S101 - it was started
            assert self._lifeline is not None  # noqa: S101 - likewise
            self._lifeline.close()
            self._ended.set()
            self.on_end(self._why or _how(self._popen.returncode))


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # nothing of it is left; macOS: it has ended, and waits to be reaped


def _how(status: int) -> str:
    if status == CUT_OFF:
        return "was ended: its tool closed file descriptors that are not its own"
    if status >= 0:
        return f"ended by itself, with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}" + (" (out of memory?)" if -status == signal.SIGKILL else "")


def _ignore(_: Any) -> None:
    """Of a process that works for nobody."""


def _flags() -> list[str]:
    """The options of this interpreter (-O, -X, -W, …), as multiprocessing hands them on."""
    from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined]

    flags: list[str] = _args_from_interpreter_flags()
    return flags


def _keep(*ends: socket.socket) -> None:
    if not _registered.is_set():
        _registered.set()
        os.register_at_fork(after_in_child=_give_up)
    _ends.update(ends)


_registered = threading.Event()


def _give_up() -> None:
    """In a forked copy: put /dev/null in the place of each end. Whoever closes its number then closes nothing else."""
    null = os.open(os.devnull, os.O_RDWR)
    for end in _ends:
        if end.fileno() >= 0:
            os.dup2(null, end.fileno(), inheritable=False)
    os.close(null)
