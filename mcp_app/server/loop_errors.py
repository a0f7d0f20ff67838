"""What the event loop reports because nobody awaits it, as lines of the log.

Which errors end the loop is not known here.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from typing import Any

log = logging.getLogger("mcp_app.server")

LINE_SECONDS = 10.0
"""Between two lines of the same lack: asyncio reports it for each connection that it tries to accept."""

_RETRY = "._start_serving("
"""In the text of the callback by which asyncio tries again to accept."""


class LoopErrors:
    """An exception handler for a loop."""

    def __init__(self) -> None:
        self._next_line = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what `context` says (`loop.call_exception_handler`), unless it is somebody else's fault or known."""
        error = context.get("exception")
        if isinstance(error, ssl.SSLError):
            return  # a failed handshake (plain HTTP to the TLS port) is the peer's fault: not worth a traceback
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE) and "socket" in context:
            if loop.time() >= self._next_line:
                self._next_line = loop.time() + LINE_SECONDS
                log.warning("connections wait to be accepted: %s (LimitNOFILE, ulimit -n)", error.strerror)
            return
        if isinstance(error, ValueError) and _RETRY in context.get("message", ""):
            return  # the retry has come after the end of the listening socket, which does not cancel it
        loop.default_exception_handler(context)
