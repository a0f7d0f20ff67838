"""A line of the log, as text or as a JSON object. Everything that a caller may have chosen is escaped in it.

No line is written here, and nothing decides which are.
"""

from __future__ import annotations

import codecs
import json
import logging
import os
import re
import time
from typing import Any

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)
LEVELS = ("debug", "info", "warning", "error", "critical")

MAX_CHARACTERS = 16_384
"""Of one message or one traceback. A longer one keeps both ends: with no bound 2,048 waiting lines have none."""

_ID_CHARACTERS = 24
_ID = re.compile(r"(?<!trace_id )\b([0-9a-f]{8})[0-9a-f]{16,}\b")
"""Ids of runs, tasks and sessions: whoever has one may read and cancel. An `error_id` is shorter, and stays whole."""


def escape(text: str) -> str:
    r"""`text` in one line, with what is not printable as \n, \x1b or \u2028, and ids cut short.

    Not printable are C0, DEL and C1 (line breaks and a terminal's escape sequences), U+2028 and U+2029, the marks that
    reverse the direction of text, and lone surrogates.
    """
    if len(text) > MAX_CHARACTERS:
        half = MAX_CHARACTERS // 2
        text = f"{text[:half]} [{len(text) - 2 * half} characters left out] {text[-half:]}"
    if len(text) >= _ID_CHARACTERS:
        text = _ID.sub(r"\1..", text)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _ESCAPE(each)[0].decode("ascii") for each in text)


_ESCAPE = codecs.getencoder("unicode_escape")
"""Found now: a codec is a module, which cannot be imported where no file descriptor is left."""


def quote(text: str) -> str:
    """`text` in quotes that it cannot end itself."""
    if len(text) < SHORT and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'  # most are; 2 of a line's 4 µs
    if '"' in text or "\\" in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escape(text)}"'


SHORT = 32
"""Characters of a request that cannot have an id in it: `GET / HTTP/2` leaves less than 24 of them."""


class Clock:
    """Times as RFC 3339 writes them, in local time. The second is formatted once: 0.2 instead of 3 µs a line."""

    def __init__(self) -> None:
        self._second = (-1, "", "")  # its moment and offset

    def text(self, now: float) -> str:
        """`now`, in seconds since the epoch, with milliseconds and the offset from UTC."""
        second, moment, offset = self._second
        if int(now) != second:
            second = int(now)
            local = time.localtime(second)
            zone = time.strftime("%z", local)
            moment, offset = time.strftime("%Y-%m-%dT%H:%M:%S", local), f"{zone[:3]}:{zone[3:]}"
            self._second = (second, moment, offset)  # one assignment: other threads write lines, too
        return f"{moment}.{int(now * 1000 % 1000):03d}{offset}"


class LogFormat(logging.Formatter):
    """Log records as lines of one format. As JSON, a record that has `fields` (`extra={"fields": …}`) consists of
    them, in the place of its message."""

    def __init__(self, kind: str = TEXT, worker: int | None = None) -> None:
        """`worker` is which of several processes of one server this is. Raises ValueError unless `kind` is one of
        FORMATS."""
        super().__init__()
        if kind not in FORMATS:
            raise ValueError(f"the format {kind!r} of the log is not {' or '.join(FORMATS)}")
        self.is_json = kind == JSON
        self._clock = Clock()
        self._pid = f" [{os.getpid()}] " if worker is None else f" [{os.getpid()} w{worker}] "
        self._worker = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        """The record's line; of a traceback more lines as text, each indented, so that none can pass for another."""
        trace = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        if record.stack_info:
            trace = f"{trace}\n{record.stack_info}".strip("\n")
        message = record.getMessage()
        if self.is_json:
            fields: dict[str, Any] = dict(getattr(record, "fields", None) or {"message": message})
            if trace:
                fields["traceback"] = trace
            return self.json(record.created, record.levelname, record.name, fields)
        line = self.text(record.created, record.levelname, record.name, escape(message))
        return line + _indented(trace) if trace else line

    def line(self, level: str, name: str, message: str, fields: dict[str, Any]) -> str:
        """The line of a record of these, without a record: 3 µs in place of 13. A text has `message`, JSON `fields`;
        both have no id in them that is not cut short."""
        if self.is_json:
            return self.json(time.time(), level, name, fields)
        return self.text(time.time(), level, name, message if message.isprintable() else escape(message))

    def text(self, now: float, level: str, name: str, message: str) -> str:
        """A line of text. `message` has been escaped."""
        return f"{self._clock.text(now)}{self._pid}{level} {name}: {message}"

    def json(self, now: float, level: str, name: str, fields: dict[str, Any]) -> str:
        """A JSON object in one line of ASCII. Texts in `fields` need no escaping; ids in them are cut short."""
        whole = {"time": self._clock.text(now), "level": level, "logger": name, "pid": os.getpid(), **self._worker}
        whole |= {
            key: value if key == "trace_id" else _shortened(value) for key, value in fields.items() if value is not None
        }
        return json.dumps(whole, default=str).replace("\x7f", "\\u007f")


def _shortened(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _ID.sub(r"\1..", value[:MAX_CHARACTERS] if len(value) <= MAX_CHARACTERS else value[-MAX_CHARACTERS:])


def _indented(trace: str) -> str:
    if len(trace) > 2 * MAX_CHARACTERS:
        trace = f"{trace[:MAX_CHARACTERS]}\n[{len(trace) - 2 * MAX_CHARACTERS} characters]\n{trace[-MAX_CHARACTERS:]}"
    return "".join(f"\n  {escape(line)}" for line in trace.split("\n"))
