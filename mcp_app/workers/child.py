"""A process of this machine that works for a server: what runs there, from its first line to its last.

It works on one call at a time, and keeps what its tools keep in their modules. `main` is what the interpreter is
started with (runs/process.py); there is no command for it.
"""

from __future__ import annotations

import asyncio
import faulthandler
import io
import logging
import math
import os
import signal
import sys
from typing import Any

from ..protocol.packets import Packet
from ..protocol.relay import PacketKind
from ..runs.dependencies import Dependencies
from ..runs.process import CUT_OFF
from ..runs.sent_lines import ToServer
from ..runs.threads import Threads
from .wire import WireToServer, end_with_server, keep_from_forks
from .working import Working


def main() -> None:
    """Work until the server says that it stops, or is gone. The arguments are two file descriptors."""
    wire, lifeline = WireToServer(int(sys.argv[1])), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_server(lifeline)
    keep_from_forks(wire.descriptor, lifeline)
    faulthandler.enable()
    for each in (sys.stdout, sys.stderr):
        if isinstance(each, io.TextIOWrapper):
            each.reconfigure(line_buffering=True)  # what is killed would say nothing of what it printed
    try:
        asyncio.run(Child(wire).serve())
    finally:
        if not wire.is_there():
            os._exit(CUT_OFF)  # nor is the loop's own


_THREADS = 2
"""One for the function, or for it and its plain makers; one for a plain maker of a coroutine that is given back."""


class Child:
    """The process's calls. What a thread reads from the wire is done on the loop, in its order."""

    def __init__(self, wire: WireToServer) -> None:
        self._wire = wire
        self._threads = Threads(_THREADS)
        self._dependencies = Dependencies(math.inf)
        self._working: Working | None = None
        self._directory = os.getcwd()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Returns when the server says that it stops."""
        loop = asyncio.get_running_loop()

        def receive(packet: Packet) -> None:
            working = self._working
            if packet.kind == PacketKind.CANCEL and working is not None:
                working.caller.reason = packet.fields["reason"]  # also for who holds the loop, and looks at it
            loop.call_soon_threadsafe(self._receive, packet)

        self._wire.read(receive)
        await self._stopping.wait()
        await self._dependencies.stop()

    def _receive(self, packet: Packet) -> None:
        working = self._working
        match packet.kind:
            case PacketKind.CALL:
                self._restore()
                self._working = Working(packet.value(), self._wire.send, self._threads, self._dependencies)
                self._task = asyncio.create_task(self._work(self._working))
            case PacketKind.START:
                self._begin(packet.fields["level"], packet.value())
            case PacketKind.STOP:
                self._stopping.set()
            case PacketKind.CANCEL if working is not None:
                working.cancel(packet.fields["reason"])
            case PacketKind.TAKEN if working is not None:
                working.emitter.acknowledge(packet.number("events"), packet.number("bytes"))
            case _ if working is not None:
                working.dialogue.receive(packet)

    async def _work(self, working: Working) -> None:
        await working.run()
        self._working = None

    def _restore(self) -> None:
        """What a call before this one has changed: files that are named relatively are the server's."""
        try:
            os.chdir(self._directory)
        except OSError:
            pass  # it is no longer there

    def _begin(self, level: int, start: dict[str, Any]) -> None:
        sys.argv = start["argv"]
        self._dependencies = Dependencies(start["cap_seconds"])
        to_server = ToServer(self._wire.send)
        own = logging.getLogger("mcp_app")
        own.handlers, own.propagate = [to_server], False
        own.setLevel(level)
        rest = ToServer(self._wire.send)
        rest.setLevel(logging.WARNING)
        logging.lastResort = rest
