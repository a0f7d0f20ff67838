"""Lines of a process's log on their way to the server's, where they go through the same loggers as its own.

What a line looks like, and where it is written, is not known here.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from ..protocol.event import encode, sendable_text
from ..protocol.packets import Packet, PacketError
from ..protocol.relay import PacketKind

MAX_CHARACTERS = 16_384
"""Of a message, and of a traceback, whose end is kept: that says what was raised."""


def line_packet(record: logging.LogRecord) -> Packet:
    """The record without its arguments, which may be any objects. Raises what an author's arguments raise."""
    trace = "".join(traceback.format_exception(record.exc_info[1])) if record.exc_info and record.exc_info[1] else ""
    texts = {"logger": record.name, "message": record.getMessage()[:MAX_CHARACTERS], "trace": trace[-MAX_CHARACTERS:]}
    return Packet(
        PacketKind.LINE, {"level": record.levelno}, encode({name: sendable_text(text) for name, text in texts.items()})
    )


def write_line(packet: Packet) -> None:
    """Log the line. Raises PacketError for a packet that is none."""
    match packet.value():
        case {"logger": str(name), "message": str(message), "trace": str(trace)}:
            logger, level = logging.getLogger(name), packet.number("level")
            if logger.isEnabledFor(level):
                record = logger.makeRecord(name, level, "", 0, "%s", (message,), None, sinfo=trace.rstrip() or None)
                logger.handle(record)
        case _:
            raise PacketError("a line of a log that is none")


class ToServer(logging.Handler):
    """Sends records as packets. Where that fails, logging's own way prints them on standard error."""

    def __init__(self, send: Callable[[Packet], None]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send the record. Never raises."""
        try:
            self._send(line_packet(record))
        except Exception:
            self.handleError(record)
