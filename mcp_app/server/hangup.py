"""SIGHUP: the end of a terminal for a process that was started in one; for any other, files are to be read again.

By default it ends the process at once, with every stream. What is read again is done elsewhere (`logs.output`,
`tls_context`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable

from hypercorn.config import Config

from mcp_app.server import stop_signals
from mcp_app.server.errors import StartError
from mcp_app.server.logs.output import reopen_files
from mcp_app.server.tls_context import Tls, names

log = logging.getLogger("mcp_app.server")


def listen(config: Config, tls: Tls | None, order: Callable[[], object], stop: Callable[[], object]) -> None:
    """Handle SIGHUP on the running loop, on which `tls` is served; if this process has a terminal, as an order to stop:
    by `order()`, once, which waits for no loop, and `stop()` on it.

    Whether it has one is asked now: when its end is told, it is gone. Does nothing if the process was started to ignore
    SIGHUP (nohup).
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return
    if has_terminal():
        stop_signals.listen(signal.SIGHUP, _once(order), stop)
    else:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, read_files, config, tls)


def has_terminal() -> bool:
    """Whether the process has a controlling terminal (POSIX, 11.1.3), wherever its standard streams lead."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def read_files(config: Config, tls: Tls | None) -> None:
    """Open the log files again, as logrotate asks for, and read certificate and key again, as after their renewal.

    What cannot be read stays as it is, with a line in the log. Other files are read at the next start.
    """
    log.info("SIGHUP: opening log files%s again", "" if tls is None else " and reading certificate and key")
    try:
        reopen_files()
    except OSError as error:
        log.warning("a log file cannot be opened again, and the one from before is written to: %s", error)
    if tls is None:
        return
    try:
        tls.read_again()
    except (OSError, StartError) as error:
        log.warning(
            "%s cannot be used, and those from before are: %s",
            *(names(config), getattr(error, "strerror", None) or error),
        )


def _once(order: Callable[[], object]) -> Callable[[], None]:
    """The end of a terminal is told twice, by the kernel and by its shell; a second order to stop ends at once."""
    told: list[object] = []

    def handle() -> None:
        if not told:
            told.append(order())

    return handle
