"""Events as lines, for pipes, files and terminals without escape sequences. Nothing here controls the call.

One event, one line; three fields, separated by single spaces, the first two without a space:

    TYPE      NOTE                              JSON
    started   the tool's name                   the event's metadata: run, heartbeat_seconds, cap_seconds
    progress  done/total, done, or -            the event's data
    log       the level                         the message
    complete  the duration: 1.834s, or -        the result
    error     the error's code                  the error object

The note of what comes from a step, a tool that this one called, ends with `@` and the step's name: `25/100@fetch`.
Heartbeats are not printed. An unknown type is printed with the note `-` and its data. The JSON is on one line, UTF-8,
with control characters escaped, so it can neither break a line nor control a terminal.
"""

from __future__ import annotations

import re
from typing import Any, TextIO

from mcp_app.client.message import ServerMessage
from mcp_app.client.printable import harmless, one_line
from mcp_app.client.saving import Saved


def line_of(message: ServerMessage) -> str:
    """The line of one event, without the line break."""
    note, value = _fields(message)
    step = f"@{_word(message.path)}" if message.path else ""
    return f"{_word(message.type)} {_word(note)}{step} {one_line(value)}"


def _fields(message: ServerMessage) -> tuple[str, Any]:
    data = message.data
    match message.type:
        case "started":
            return str(message.content.get("tool", "")), dict(message.metadata)
        case "progress":
            return steps(message), data
        case "log" if isinstance(data, dict):
            return str(data.get("level", "")), data.get("message")
        case "complete":
            duration = message.number("duration_ms")
            return "" if duration is None else f"{duration / 1000:.3f}s", data
        case "error":
            return message.error.code, message.content.get("error")
        case _:
            return "", data


def steps(message: ServerMessage) -> str:
    """`3/6`, `3` if the total is unknown, the empty string without numbers."""
    done, total = message.number("progress"), message.number("total")
    if done is None:
        return ""
    return f"{done:.10g}" if total is None else f"{done:.10g}/{total:.10g}"


def _word(text: str) -> str:
    return re.sub(r"\s", "_", harmless(text)) or "-"


class Lines:
    """Writes each event to `output` when it is received."""

    restore = b""

    def __init__(self, output: TextIO, saved: Saved) -> None:
        self._output = output
        self._saved = saved

    def start(self) -> None:
        """Does nothing."""

    def show(self, message: ServerMessage) -> None:
        self._saved.save(message)
        self._output.write(line_of(message) + "\n")

    def heartbeat(self) -> None:
        """Does nothing: heartbeats would fill a file."""

    def cancelling(self) -> None:
        """Does nothing: the events that follow show it."""

    def flush(self) -> None:
        self._output.flush()

    def stop(self) -> None:
        self._output.flush()
