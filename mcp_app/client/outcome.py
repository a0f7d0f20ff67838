"""How a call can end, and the exit status of each end. Nothing here may print, or know HTTP beyond its status codes.

The numbers are a promise to scripts (docs/how-to-call.md): they may be added to, never changed.
"""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The exit status of `mcp-app call`."""

    DONE = 0
    """The tool's result was received."""
    FAILED = 1
    """The tool ran and failed."""
    REFUSED = 2
    """The command line is wrong, or the server refused the call (4xx): nothing ran. argparse, too, exits with 2."""
    UNREACHABLE = 3
    """No such server, a certificate that is not trusted, not this kind of server, or a busy one: nothing ran."""
    CAP = 4
    """The run reached the time cap and was ended."""
    LOST = 5
    """The run began, and how it ended is not known, or it was ended from elsewhere: the stream was cut or fell silent,
    the server was stopped, somebody else cancelled the run."""
    CANCELLED = 130
    """Ctrl-C: 128 + SIGINT, as shells have it. SIGTERM and SIGHUP give 143 and 129 in the same way."""
    PIPE_CLOSED = 141
    """Whoever read the output has left: 128 + SIGPIPE."""


class CallFailed(Exception):
    """The call ended without a result: one line of what happened, one of what to do, and the exit status.

    Not an `McpAppError`: those are what a server tells its caller, with a code for the wire. This one is never sent.
    """

    def __init__(self, status: int, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.advice = advice


_BY_CODE = {
    "tool_failed": Status.FAILED,
    "event_too_large": Status.FAILED,
    "time_cap": Status.CAP,
    "shutdown": Status.LOST,
    "cancelled": Status.LOST,
    "left": Status.LOST,
    "purged": Status.LOST,
    "draining": Status.UNREACHABLE,
    "overloaded": Status.UNREACHABLE,
}

# 429 and 503 say "later", not "wrong": the same call may succeed.
_TRY_LATER = frozenset({429, 503})


def status_of_last_event(code: str) -> Status:
    """What the code of a stream's `error` event means. One we do not know is a failure: the run began and ended."""
    return _BY_CODE.get(code, Status.FAILED)


def status_of_answer(http_status: int, code: str | None) -> Status:
    """What an answer other than 200 means. `code` is that of its error object, None when it has none.

    Without an error object it was not this server that answered but something in between, or another server.
    """
    if code is None:
        refused = 400 <= http_status < 500 and http_status not in (404, 405, 429)
        return Status.REFUSED if refused else Status.UNREACHABLE
    if code in _BY_CODE:
        return _BY_CODE[code]
    if http_status in _TRY_LATER:
        return Status.UNREACHABLE
    return Status.REFUSED if http_status < 500 else Status.FAILED
