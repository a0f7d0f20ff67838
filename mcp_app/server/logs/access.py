"""A request's line in the log, in place of Hypercorn's logger. Which requests there are is not known here.

As released, each line makes a table of the request's header fields and of the whole environment, which is printed if
the line cannot be written; the path stands in it percent-decoded, with its line breaks; and it costs 18 to 40% of an
echo.
"""

from __future__ import annotations

import copy
import logging
from functools import lru_cache
from time import time
from typing import Any

from hypercorn.asyncio.statsd import StatsdLogger
from hypercorn.config import Config
from hypercorn.logging import Logger
from hypercorn.typing import ResponseSummary, WWWScope

from .lines import FORMATS, TEXT, LogFormat, escape, quote
from .output import Output, ToOutput, file, standard_error, standard_output

NAME = "access"

PAGE_FILES = (".css", ".js", ".svg", ".png", ".ico", ".woff2", ".webmanifest")
"""What a page loads: fifteen lines for each view, which say nothing, are at level DEBUG."""

WORKER = "mcp_app_worker"
"""An attribute of the configuration, which no file can set: which of several processes of one server this is."""

NO_PEER = "-"
"""In the place of address and port: the client of a Unix socket has none."""

MAX_PATH = 512
"""Characters of a path in a line."""


class ServerLogger(Logger):
    """Hypercorn's `config.log`: its own lines and one for each request, in our format, to outputs that never wait."""

    def __init__(self, config: Config) -> None:
        """Raises OSError and ValueError if the log cannot be written as configured."""
        self._lines = lines_of(config)
        view = copy.copy(config)
        view.accesslog = _logger("hypercorn.access", config.accesslog, config.loglevel, standard_output, self._lines)
        view.errorlog = _logger("hypercorn.error", config.errorlog, config.loglevel, standard_error, self._lines)
        super().__init__(view)
        self._output: Output | None = None
        if self.access_logger is not None:
            if not isinstance(config.accesslog, logging.Logger):
                self.access_logger.propagate = False
            handlers = self.access_logger.handlers
            if len(handlers) == 1 and isinstance(handlers[0], ToOutput):  # nobody's configuration has others
                self._output = handlers[0].output

    async def access(self, request: WWWScope, response: ResponseSummary | None, request_time: float) -> None:
        """Write the line of a request that is over; `response` is None if its client has left before.

        Made at once and without a LogRecord, of which the half of a line's cost would be.
        """
        logger = self.access_logger
        if logger is None:
            return
        status: int | None = None if response is None else int(response["status"])
        path = request["path"]
        is_page_file = path.endswith(PAGE_FILES) and status is not None and status < 400
        level = logging.DEBUG if is_page_file else logging.INFO
        if not logger.isEnabledFor(level):
            return
        if self._output is None:
            logger.log(level, "%s", self._message(request, path, status, request_time))
            return
        if self._lines.is_json:
            fields = _fields(request, path, status, request_time)
            line = self._lines.json(time(), logging.getLevelName(level), NAME, fields)
        else:
            message = self._message(request, path, status, request_time)
            line = self._lines.text(time(), "DEBUG" if is_page_file else "INFO", NAME, message)
        self._output.write(line)

    def _message(self, request: WWWScope, path: str, status: int | None, seconds: float) -> str:
        if len(path) > MAX_PATH:
            path = f"{path[:MAX_PATH]}.."
        asked = quote(f"{request.get('method', 'GET')} {path} HTTP/{request['http_version']}")
        client = request.get("client")
        peer = address(*client) if client else NO_PEER
        return f"{peer} {asked} {'-' if status is None else status} {seconds:.3f} s"


class StatsdServerLogger(StatsdLogger, ServerLogger):
    """The same where `statsd_host` is set: Hypercorn's metrics beside our lines."""


def choose(config: Config) -> None:
    """Have `config` log by ServerLogger, unless its program has chosen another logger or has begun to log."""
    if config.logger_class is Logger and config._log is None:
        config.logger_class = ServerLogger if config.statsd_host is None else StatsdServerLogger


def lines_of(config: Config) -> LogFormat:
    """The format of every line: text or JSON, which stands in the place of Hypercorn's pattern; text for a pattern."""
    kind = config.access_log_format if config.access_log_format in FORMATS else TEXT
    return LogFormat(kind, getattr(config, WORKER, None))


@lru_cache(maxsize=256)  # a client has many requests on a connection
def address(host: object, port: int | None = None) -> str:
    name = f"[{host}]" if ":" in str(host) else str(host)
    return escape(f"{name}:{port}" if port else name)


def _fields(request: WWWScope, path: str, status: int | None, seconds: float) -> dict[str, Any]:
    client = request.get("client")
    return {
        "peer": address(*client) if client else NO_PEER,
        "method": request.get("method", "GET"),
        "path": path[:MAX_PATH],
        "http": request["http_version"],
        "status": status,
        "seconds": round(seconds, 6),
    }


def _logger(
    name: str, target: logging.Logger | str | None, level: str | None, standard: Any, lines: LogFormat
) -> logging.Logger | None:
    """As Hypercorn makes it, with our way to write: `target` is "-", a path, a logger, or nothing."""
    if not target or isinstance(target, logging.Logger):
        return target or None
    logger = logging.getLogger(name)
    logger.handlers = [ToOutput(standard() if target == "-" else file(target), lines)]
    if level is not None:
        logger.setLevel(level.upper())
    return logger
