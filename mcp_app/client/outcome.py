"""How a call can end, and the exit status of each end. Nothing here may print, or know more of HTTP than status codes.

Scripts rely on the numbers (docs/how-to-call.md): new ones may be added, existing ones never changed.
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
    """Invalid command line, or the server refused the call (4xx): nothing ran. argparse exits with 2 as well."""
    UNREACHABLE = 3
    """No server, an untrusted certificate, another kind of server, or an overloaded one: nothing ran."""
    CAP = 4
    """The run reached the time cap and was ended."""
    LOST = 5
    """The run started, but its end is unknown or was caused elsewhere: the stream was cut or fell silent, the server
    was stopped, another client cancelled the run."""
    CANCELLED = 130
    """Ctrl-C: 128 + SIGINT, as in shells. SIGTERM and SIGHUP are 143 and 129 in the same way."""
    PIPE_CLOSED = 141
    """The reader of the output has exited: 128 + SIGPIPE."""


class CallFailed(Exception):
    """The call ended without a result: one line of what happened, one of what to do, and the exit status.

    Not an `McpAppError`: those are sent by a server to its caller, with a code. This one is never sent.
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
    "queue_full": Status.UNREACHABLE,
}

# 429 and 503: the same call may succeed later.
_TRY_LATER = frozenset({429, 503})


def status_of_last_event(code: str) -> Status:
    """The exit status for the code of a stream's `error` event. An unknown code is a failure: the run has ended."""
    if code == "unknown_run":  # where its events were come back to: the server was restarted
        return Status.LOST
    return _BY_CODE.get(code, Status.FAILED)


def status_of_answer(http_status: int, code: str | None) -> Status:
    """The exit status for an answer other than 200. `code` is that of its error object, None if it has none.

    An answer without an error object comes from a proxy or from another kind of server.
    """
    if code is None:
        refused = 400 <= http_status < 500 and http_status not in (404, 405, 429)
        return Status.REFUSED if refused else Status.UNREACHABLE
    if code in _BY_CODE:
        return _BY_CODE[code]
    if http_status in _TRY_LATER:
        return Status.UNREACHABLE
    return Status.REFUSED if http_status < 500 else Status.FAILED
