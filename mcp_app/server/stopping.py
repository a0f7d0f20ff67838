"""What orders a process to stop: SIGTERM, SIGINT, the end of its terminal; and that it does stop.

The first order is heard at once and on the loop, a second one ends the process. What a stop is, is not known here.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable

from hypercorn.config import Config

from mcp_app.server import forced_exit, hangup, stop_signals
from mcp_app.server.logs.output import flush_all
from mcp_app.server.tls_context import Tls

EXIT_INTERRUPTED = 130
"""The exit status a shell expects of a process that Ctrl-C ended (128 + SIGINT)."""


def listen(config: Config, tls: Tls | None, seconds: float, stop: Callable[[], object]) -> None:
    """Call `stop()` on the running loop at the first order. `seconds` later the process is ended by force.

    `config` and `tls` are what SIGHUP has read again where there is no terminal.
    """
    orders = itertools.count()

    def order() -> None:
        if next(orders):
            flush_all(forced_exit.FLUSH_SECONDS)
            os._exit(EXIT_INTERRUPTED)  # second signal: do not wait for the last events
        forced_exit.exit_after(seconds)
        forced_exit.exit_without_python(seconds + 2 * forced_exit.FLUSH_SECONDS)

    for number in (signal.SIGTERM, signal.SIGINT):
        stop_signals.listen(number, order, stop)
    hangup.listen(config, tls, order, stop)
