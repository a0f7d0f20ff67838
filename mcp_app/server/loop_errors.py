"""What the event loop reports because nobody awaits it, as lines of the log.

Which errors end the loop is not known here.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any


def log_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception handler for a loop: log what `context` says (`loop.call_exception_handler`), unless it is a failed
    handshake, as of plain HTTP to the TLS port: that is the peer's fault, and not worth a traceback."""
    if not isinstance(context.get("exception"), ssl.SSLError):
        loop.default_exception_handler(context)
