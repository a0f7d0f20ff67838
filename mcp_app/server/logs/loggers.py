"""Which loggers write to the server's log, and that they keep doing so. For a process that is a server, and only that:
a program that serves something beside its own work has its own logging.

What a line looks like is not known here.
"""

from __future__ import annotations

import logging
from typing import Any

from hypercorn.config import Config

from .access import lines_of
from .output import Output, ToOutput, file, standard_error

OWN = (
    *("mcp_app", "mcp_app.connection", "mcp_app.endpoint", "mcp_app.frames", "mcp_app.mcp", "mcp_app.runs"),
    *("mcp_app.server", "hypercorn", "hypercorn.access", "hypercorn.error"),
)
"""The loggers of the package and of Hypercorn. Those of tools are their authors'."""

_TREES = ("mcp_app", "hypercorn")


class _OwnLogger(logging.Logger):
    """A logger that `logging.config` cannot disable: by default it disables every one that exists and is not named,
    also in the middle of a call, and an error id would stand nowhere.

    A line of fields, as each run has one, is written without a LogRecord: 5% of an echo.
    """

    direct: ToOutput | None = None

    def info(self, msg: object, *args: object, extra: Any = None, **kwargs: Any) -> None:
        """As `Logger.info`."""
        to_output = self.direct
        if to_output is None or extra is None or args or kwargs:
            super().info(msg, *args, extra=extra, stacklevel=kwargs.pop("stacklevel", 1) + 1, **kwargs)
        elif self.isEnabledFor(logging.INFO):
            to_output.output.write(to_output.lines.line("INFO", self.name, str(msg), extra["fields"]))

    def __setattr__(self, name: str, value: object) -> None:
        if name != "disabled":  # not a property: each line reads it three times
            super().__setattr__(name, value)


def take_over(config: Config) -> None:
    """Have our loggers write to the error log of `config`, each line once, whatever the tools' authors configure.

    Lines of loggers that nobody has configured go there as well, from level WARNING on, in the place of logging's last
    resort, which would wait for whoever reads standard error. `logconfig` and `logconfig_dict` of the operator are left
    to decide where our lines go; they can disable none. Raises OSError if the error log cannot be opened.
    """
    for name in OWN:
        logger = logging.getLogger(name)
        logger.disabled = False
        if type(logger) is logging.Logger:
            logger.__class__ = _OwnLogger
    output = _error_output(config)
    if output is None:
        return
    lines = lines_of(config)
    last_resort = ToOutput(output, lines)
    last_resort.setLevel(logging.WARNING)
    logging.lastResort = last_resort
    if config.logconfig is not None or config.logconfig_dict is not None:
        return
    direct = ToOutput(output, lines)
    for name in OWN:
        logging.getLogger(name).direct = direct  # type: ignore[attr-defined]
    for name in _TREES:
        logger = logging.getLogger(name)
        logger.handlers = [ToOutput(output, lines)]
        logger.propagate = False  # or an author's handlers would write each line a second time
        logger.setLevel(config.loglevel.upper())
    logging.getLogger("hypercorn.error").propagate = False


def _error_output(config: Config) -> Output | None:
    if not config.errorlog or isinstance(config.errorlog, logging.Logger):
        return None
    return standard_error() if config.errorlog == "-" else file(config.errorlog)
