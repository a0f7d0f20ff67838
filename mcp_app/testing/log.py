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
        self._level_before = logging.NOTSET

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.append(_LogLine(CALL.get(), self.format(record)))
        except Exception:
            self.handleError(record)  # a message that does not go with its arguments, as logging has it

    def text(self, call: object = None) -> str:
        """The lines of one call, or all of them."""
        return "\n".join(line.text for line in self._lines if call is None or line.call is call)

    def __enter__(self) -> CapturedLog:
        logger = logging.getLogger(_SERVER)
        self._level_before = logger.level
        if logger.getEffectiveLevel() > logging.INFO:
            logger.setLevel(logging.INFO)
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
        logging.getLogger(_SERVER).setLevel(self._level_before)
