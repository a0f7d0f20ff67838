"""What is logged while a test runs, as text: of one call, or all of it. Nothing of what is logged is decided here.

Whose call a line belongs to is in a context variable, which goes with the tasks and threads that work on the call.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import NamedTuple

CALL: ContextVar[object] = ContextVar("mcp_app.testing.call", default=None)
"""The call that the current task works for; None outside of all calls."""

_SERVER = "mcp_app"


class _LogLine(NamedTuple):
    call: object
    text: str


class CapturedLog(logging.Handler):
    """A handler of the root logger while it is entered. The server's lines of level INFO are among what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self._lines: list[_LogLine] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(_LogLine(CALL.get(), self.format(record)))
        except Exception:
            self.handleError(record)  # a message that does not go with its arguments, as logging has it

    def text(self, call: object = None) -> str:
        """The lines of one call, or all of them."""
        return "\n".join(line.text for line in self._lines if call is None or line.call is call)

    def __enter__(self) -> CapturedLog:
        _LEVEL.lower()
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
        _LEVEL.restore()


class _ServerLevel:
    """The level of the server's logger: INFO, if it is not lower, from the first log that is entered until the last one
    is left, in any order."""

    def __init__(self) -> None:
        self._entered = 0
        self._before = logging.NOTSET

    def lower(self) -> None:
        logger = logging.getLogger(_SERVER)
        if not self._entered:
            self._before = logger.level
        self._entered += 1
        if logger.getEffectiveLevel() > logging.INFO:
            logger.setLevel(logging.INFO)

    def restore(self) -> None:
        self._entered -= 1
        if not self._entered:
            logging.getLogger(_SERVER).setLevel(self._before)


_LEVEL = _ServerLevel()
