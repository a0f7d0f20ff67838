"""A supervisor's process: binds the addresses, has a `Supervisor` decide, and gives it signals, time and processes.

What is served is known to the workers alone, which the caller's command starts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable, Sequence

from hypercorn.config import Config, Sockets

from .. import binding, forced_exit, hangup, sd_notify
from ..engine.pages import SharedPages
from ..engine.sharing import ConnectionCounts
from ..logs.loggers import take_over
from ..logs.output import flush_all, reopen_files
from ..run import log_errors_named
from ..stopping import EXIT_INTERRUPTED
from .inheritance import Inheritance
from .supervisor import Supervisor
from .web_process import WebProcess

IMPORT_SECONDS = 30.0
"""To be ready, beside the application's own `startup_timeout`: an interpreter, and the tools' modules."""

Command = Callable[[str], Sequence[str]]
"""A worker's command line, with the word of its `Inheritance`."""

log = logging.getLogger("mcp_app.server")


def supervise(config: Config, count: int, command: Command, admin_bind: str | None = None) -> int:
    """Keep `count` workers at the addresses of `config`, and at that for operators, until a signal. Returns the exit
    status: 0 if all of them ended in order, that of the first one if it did not start.

    Raises `StartError` if an address cannot be bound, or the certificate cannot be used.
    """
    sockets = binding.bind(config)
    admin: list[socket.socket] = []
    try:
        if admin_bind is not None:
            admin = binding.bind_beside(config, admin_bind)
        with log_errors_named():
            take_over(config)
        return asyncio.run(_Supervising(config, count, command, sockets, admin).run())
    finally:
        _close(sockets, admin)


def _close(sockets: Sockets, admin: Iterable[socket.socket]) -> None:
    binding.close(sockets)
    for sock in admin:
        sock.close()


class _Supervising:
    def __init__(
        self, config: Config, count: int, command: Command, sockets: Sockets, admin: Sequence[socket.socket]
    ) -> None:
        self._config = config
        self._count = count
        self._command = command
        self._sockets = sockets
        self._admin = admin
        self._connections = ConnectionCounts.create(count)
        self._pages = SharedPages.create(count)
        self._announces = True
        self._done = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._orders = 0
        self._serves = False

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        supervisor = self._supervisor = Supervisor(
            self._count,
            self._start,
            loop.time,
            start_seconds=self._config.startup_timeout + IMPORT_SECONDS,
            stop_seconds=forced_exit.shutdown_seconds(self._config) + 2 * forced_exit.FLUSH_SECONDS,
        )
        loop.add_signal_handler(signal.SIGCHLD, self._turn)
        loop.add_signal_handler(signal.SIGUSR2, self._then_turn, supervisor.replace)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        self._listen_for_hangup(loop)
        self._turn()
        await self._done.wait()
        assert supervisor.status is not None  # noqa: S101 - it is done
        return supervisor.status

    def _start(self, number: int) -> WebProcess:
        secure = tuple(sock.fileno() for sock in self._sockets.secure_sockets)
        insecure = tuple(sock.fileno() for sock in self._sockets.insecure_sockets)
        shared = self._connections.descriptor, self._pages.descriptor
        admin = tuple(sock.fileno() for sock in self._admin)
        announces, self._announces = self._announces, False

        def command(control: int) -> Sequence[str]:
            inheritance = Inheritance(number, self._count, announces, control, *shared, secure, insecure, admin)
            return self._command(inheritance.word())

        return WebProcess(number, command, (*secure, *insecure, *admin, *shared), self._turn)

    def _turn(self) -> None:
        supervisor = self._supervisor
        supervisor.turn()
        if supervisor.serves and not self._serves:
            self._serves = True
            sd_notify.notify(sd_notify.READY)
            sd_notify.keep_alive(asyncio.get_running_loop())
        for number in supervisor.unserved():
            self._pages.clear(number)
            self._connections.clear(number)  # what was killed has not done so, and others would wait for it
        if self._timer is not None:
            self._timer.cancel()
        if supervisor.status is not None:
            self._done.set()
        elif (due := supervisor.due()) is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._turn)

    def _then_turn(self, function: Callable[[], object]) -> None:
        function()
        self._turn()

    def _stop(self) -> None:
        self._orders += 1
        if self._orders > 1:  # a second signal: do not wait for the last events
            self._supervisor.kill()
            flush_all(forced_exit.FLUSH_SECONDS)
            os._exit(EXIT_INTERRUPTED)
        # The workers have them: who connects is answered by them while they end, and refused afterwards.
        _close(self._sockets, self._admin)
        sd_notify.notify(sd_notify.STOPPING)
        self._then_turn(self._supervisor.stop)

    def _listen_for_hangup(self, loop: asyncio.AbstractEventLoop) -> None:
        """As of a server without workers (`hangup`)."""
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            return
        if hangup.has_terminal():
            loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        else:
            loop.add_signal_handler(signal.SIGHUP, self._read_files)

    def _hang_up(self) -> None:
        """The end of a terminal is told twice, by the kernel and by its shell."""
        if not self._orders:
            self._stop()

    def _read_files(self) -> None:
        try:
            reopen_files()
        except OSError as error:
            log.warning("a log file cannot be opened again, and the one from before is written to: %s", error)
        self._supervisor.signal(signal.SIGHUP)
